//! The thread that answers, and the table of paths.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use axum::Router;
use axum::extract::FromRef;
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use super::{Listener, error_body, health, job_detail, jobs_overview, overview, prometheus};
use crate::pipeline::{JobStatus, Status};

/// Where the resources get the job as it is now.
#[derive(Clone)]
pub struct StatusSource(Arc<dyn Fn() -> JobStatus + Send + Sync>);

impl StatusSource {
    /// The status of a run.
    pub fn of(status: Arc<Status>) -> Self {
        Self::from_fn(move || status.snapshot())
    }

    /// Whatever `snapshot` says.
    pub fn from_fn(snapshot: impl Fn() -> JobStatus + Send + Sync + 'static) -> Self {
        Self(Arc::new(snapshot))
    }
}

impl FromRef<StatusSource> for JobStatus {
    fn from_ref(source: &StatusSource) -> Self {
        source.0()
    }
}

/// The API of one process. It stops when this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts to answer.
    ///
    /// # Errors
    /// If the thread or its runtime cannot be made.
    pub fn start(listener: Listener, source: StatusSource) -> io::Result<Self> {
        let address = listener.address();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let thread = thread::Builder::new()
            .name("api".to_owned())
            .spawn(move || runtime.block_on(serve(listener, source, stopped)))?;
        Ok(Self {
            address,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic there has already been printed; there is nothing to add.
            let _ = thread.join();
        }
    }
}

/// Answers until `stopped`. Open connections are then cut: a client that keeps
/// one open must not hold up the end of the process.
async fn serve(listener: Listener, source: StatusSource, stopped: impl Future<Output = ()>) {
    let served = async {
        let socket = tokio::net::TcpListener::from_std(listener.socket)?;
        axum::serve(socket, router(source)).await
    };
    tokio::select! {
        ended = served => if let Err(error) = ended {
            tracing::error!("the API has stopped: {error}");
        },
        () = stopped => {}
    }
}

fn router(source: StatusSource) -> Router {
    let flink = Router::new()
        .route("/overview", get(overview::get))
        .route("/jobs/overview", get(jobs_overview::get))
        .route("/jobs/{id}", get(job_detail::get));
    Router::new()
        .merge(flink.clone())
        // Flink's clients put the version of its API before each path.
        .nest("/v1", flink)
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(prometheus::get))
        .fallback(error_body::unknown_path)
        .with_state(source)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;
    use crate::api::Listen;
    use crate::api::vocabulary::sample_job;

    fn get_from(server: &Server, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        (status, body.to_owned())
    }

    fn start(job: JobStatus) -> Server {
        let listener = "127.0.0.1:0".parse::<Listen>().unwrap().bind().unwrap();
        Server::start(listener, StatusSource::from_fn(move || job.clone())).unwrap()
    }

    #[test]
    fn paths_answer() {
        let job = sample_job();
        let id = job.id.simple().to_string();
        let server = start(job);
        let check = |path: &str, status: u16, part: &str| {
            let (got, body) = get_from(&server, path);
            assert_eq!(got, status, "{path}: {body}");
            assert!(body.contains(part), "{path}: {body}");
        };
        check("/healthz", 200, "ok");
        check("/readyz", 200, "ready");
        check("/overview", 200, "\"jobs-running\":1");
        check("/v1/overview", 200, "\"jobs-running\":1");
        check("/jobs/overview", 200, &id);
        check(&format!("/jobs/{id}"), 200, "\"vertices\":[");
        check(&format!("/v1/jobs/{id}"), 200, "\"vertices\":[");
        check("/jobs/0123", 404, "\"errors\":[");
        check(
            "/metrics",
            200,
            "# TYPE thalweg_task_records_in_total counter",
        );
        check("/nothing", 404, "\"errors\":[");
    }

    #[test]
    fn a_job_that_is_not_ready_is_alive() {
        let mut job = sample_job();
        job.ready = false;
        let server = start(job);
        assert_eq!(get_from(&server, "/healthz").0, 200);
        assert_eq!(get_from(&server, "/readyz").0, 503);
    }

    #[test]
    fn an_idle_connection_does_not_hold_up_the_end() {
        let server = start(sample_job());
        let mut idle = TcpStream::connect(server.address()).unwrap();
        write!(idle, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut first = [0; 1];
        idle.read_exact(&mut first).unwrap();
        drop(server);
        let mut rest = Vec::new();
        idle.read_to_end(&mut rest).unwrap();
    }
}
