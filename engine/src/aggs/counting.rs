//! Counts by bucket.

/// Counters up to which a batch is counted in several rows of its own: a counter that was just written would make the
/// next addition to it wait.
const SMALL: usize = 256;

/// Adds one to the count of each bucket named.
pub(crate) fn count_each(buckets: &[u32], counts: &mut [u64]) {
    if counts.len() > SMALL {
        for bucket in buckets {
            // past the counts there is none: bytes on disk may say what they want
            if let Some(count) = counts.get_mut(*bucket as usize) {
                *count += 1;
            }
        }
        return;
    }
    let rows = small_counts(buckets);
    for (at, count) in counts.iter_mut().enumerate() {
        let all = rows.iter().map(|row| u64::from(row[at]));
        *count += all.sum::<u64>();
    }
}

/// The same for counts of 32 bits, which do not overflow.
pub(crate) fn count_each_u32(buckets: &[u32], counts: &mut [u32]) {
    if counts.len() > SMALL {
        for bucket in buckets {
            // past the counts there is none: bytes on disk may say what they want
            if let Some(count) = counts.get_mut(*bucket as usize) {
                *count += 1;
            }
        }
        return;
    }
    let rows = small_counts(buckets);
    for (at, count) in counts.iter_mut().enumerate() {
        *count += rows.iter().map(|row| row[at]).sum::<u32>();
    }
}

fn small_counts(buckets: &[u32]) -> [[u32; SMALL]; 4] {
    let mut rows = [[0u32; SMALL]; 4];
    let (groups, rest) = buckets.as_chunks::<4>();
    for group in groups {
        for (row, bucket) in rows.iter_mut().zip(group) {
            row[*bucket as usize & (SMALL - 1)] += 1;
        }
    }
    for bucket in rest {
        rows[0][*bucket as usize & (SMALL - 1)] += 1;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_buckets_are_counted_alike() {
        for size in [1usize, 7, 256, 257, 5000] {
            let buckets: Vec<u32> = (0..1003).map(|i| (i * 7 % size) as u32).collect();
            let mut expected = vec![1; size];
            for bucket in &buckets {
                expected[*bucket as usize] += 1;
            }
            let mut counts = vec![1; size];
            count_each(&buckets, &mut counts);
            assert_eq!(counts, expected);
            let mut small = vec![1; size];
            count_each_u32(&buckets, &mut small);
            assert!(small.iter().map(|count| u64::from(*count)).eq(expected));
        }
    }
}
