//! How a node is, for those who ask by the standard health check of gRPC.

use std::time::Duration;

use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_health::server::{HealthReporter, HealthService};

use crate::telemetry::endpoint::HealthCheck;

/// The name of the server as a whole.
const WHOLE: &str = "";
/// How often it is looked for those who watch; who asks once is told what is true then.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The service, and what keeps its watchers up to date.
pub(super) struct Standing {
    health: HealthCheck,
    reporter: HealthReporter,
}

/// Answers for the server as a whole by itself, and leaves everything else to the library's.
struct Answers {
    health: HealthCheck,
    watched: HealthService,
}

impl Standing {
    pub(super) fn new(health: HealthCheck) -> Standing {
        Standing {
            health,
            reporter: HealthReporter::new(),
        }
    }

    /// What answers.
    pub(super) fn service(&self) -> HealthServer<impl Health> {
        HealthServer::new(Answers {
            health: self.health.clone(),
            watched: HealthService::from_health_reporter(self.reporter.clone()),
        })
    }

    /// Tells those who watch, for ever.
    pub(super) async fn tell(self) {
        let mut told = None;
        loop {
            let is_well = (self.health)().is_ok();
            if told != Some(is_well) {
                told = Some(is_well);
                let status = match is_well {
                    true => tonic_health::ServingStatus::Serving,
                    false => tonic_health::ServingStatus::NotServing,
                };
                self.reporter.set_service_status(WHOLE, status).await;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

#[tonic::async_trait]
impl Health for Answers {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if request.get_ref().service != WHOLE {
            return self.watched.check(request).await;
        }
        let status = match (self.health)() {
            Ok(()) => ServingStatus::Serving,
            Err(_) => ServingStatus::NotServing,
        };
        Ok(Response::new(HealthCheckResponse {
            status: status.into(),
        }))
    }

    type WatchStream = <HealthService as Health>::WatchStream;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.watched.watch(request).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio_stream::StreamExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_serves_as_long_as_it_is_well() {
        let is_well = Arc::new(AtomicBool::new(false));
        let looked = is_well.clone();
        let standing = Standing::new(Arc::new(move || match looked.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err("no master".to_owned()),
        }));
        let answers = Answers {
            health: standing.health.clone(),
            watched: HealthService::from_health_reporter(standing.reporter.clone()),
        };
        let of = |service: &str| {
            Request::new(HealthCheckRequest {
                service: service.to_owned(),
            })
        };
        let unknown = answers.check(of("colours")).await.unwrap_err();
        assert_eq!(unknown.code(), tonic::Code::NotFound);
        let mut seen = answers.watch(of(WHOLE)).await.unwrap().into_inner();
        tokio::spawn(standing.tell());
        for (well, wanted) in [
            (false, ServingStatus::NotServing),
            (true, ServingStatus::Serving),
            (false, ServingStatus::NotServing),
        ] {
            is_well.store(well, Ordering::Relaxed);
            let checked = answers.check(of(WHOLE)).await.unwrap().into_inner();
            assert_eq!(checked.status(), wanted);
            while seen.next().await.unwrap().unwrap().status() != wanted {}
        }
    }
}
