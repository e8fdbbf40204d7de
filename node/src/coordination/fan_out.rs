//! Asks many shards at once, a bounded number at a time.

use futures::StreamExt;
use futures::future::BoxFuture;

/// Runs the jobs, at most `at_once` of them together, and gives their results in the order of the jobs.
///
/// Dropping the returned future drops the jobs that run, and with them the work on the shards.
pub async fn fan_out<'a, T: Send + 'a>(mut jobs: Vec<BoxFuture<'a, T>>, at_once: usize) -> Vec<T> {
    // the stream below would have itself polled again, and another thread woken for that
    if jobs.len() <= 1 {
        return match jobs.pop() {
            Some(job) => vec![job.await],
            None => Vec::new(),
        };
    }
    futures::stream::iter(jobs)
        .buffered(at_once.max(1))
        .collect()
        .await
}

/// Runs the jobs, at most `at_once` of them together, and gives their results as they come.
///
/// Dropping the returned future drops the jobs that run, and with them the work on the shards.
pub async fn fan_out_each<'a, T: Send + 'a>(
    mut jobs: Vec<BoxFuture<'a, T>>,
    at_once: usize,
    mut take: impl FnMut(T),
) {
    if jobs.len() <= 1 {
        if let Some(job) = jobs.pop() {
            take(job.await);
        }
        return;
    }
    let mut results = futures::stream::iter(jobs).buffer_unordered(at_once.max(1));
    while let Some(result) = results.next().await {
        take(result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn results_keep_the_order_of_the_jobs() {
        let jobs = (0..5).map(|n| async move { n * n }.boxed()).collect();
        assert_eq!(fan_out(jobs, 2).await, [0, 1, 4, 9, 16]);
        assert_eq!(fan_out(vec![async { 7 }.boxed()], 2).await, [7]);
    }

    #[tokio::test]
    async fn results_are_given_as_they_come() {
        let (send, wait) = tokio::sync::oneshot::channel();
        let first = async move { wait.await.unwrap() }.boxed();
        let second = async move {
            send.send(1).unwrap();
            2
        }
        .boxed();
        let mut found = Vec::new();
        fan_out_each(vec![first, second], 2, |n| found.push(n)).await;
        assert_eq!(found, [2, 1]);
    }
}
