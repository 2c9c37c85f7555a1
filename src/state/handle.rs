//! The store behind a thread of its own, because redb blocks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;

use tokio::sync::{mpsc, oneshot};

use super::{Checkpoint, Error, FoldJob, OpenOptions, Result, Store, Written};

/// Calls that may wait for the thread. Its callers are the coordinator and, at
/// the start, the tasks' builder: few, and each waits for its answer.
const REQUESTS_MAX: usize = 16;

type Request = Box<dyn FnOnce(&mut Store) + Send>;

/// A cheap handle on a store that runs on a thread of its own, with a second
/// thread beside it that folds. The store is closed when the last handle is gone.
#[derive(Clone)]
pub struct StoreHandle {
    requests: mpsc::Sender<Request>,
}

impl StoreHandle {
    /// Opens the store of `dir` and starts its threads. Blocks until it is open.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(dir: &Path, options: OpenOptions) -> Result<Self> {
        Self::start(Store::open(dir, options)?)
    }

    /// Starts the threads of a store.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(mut store: Store) -> Result<Self> {
        let (requests, mut receiver) = mpsc::channel::<Request>(REQUESTS_MAX);
        let (jobs, job_receiver) = mpsc::channel::<FoldJob>(1);
        let results = requests.downgrade();
        spawn("state-fold", move || fold_jobs(job_receiver, &results))?;
        spawn("state", move || {
            while let Some(request) = receiver.blocking_recv() {
                request(&mut store);
                // A failure here is remembered by the store, and told to the
                // next caller. One job at most is out, so there is room for it.
                if let Ok(Some(job)) = store.plan_fold() {
                    let _ = jobs.try_send(job);
                }
            }
        })?;
        Ok(Self { requests })
    }

    /// Makes a checkpoint durable; see [`Store::commit`].
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn commit(&self, checkpoint: Checkpoint) -> Result<Written> {
        self.call(move |store| store.commit(checkpoint)).await
    }

    /// Runs `act` on the thread of the store and waits for its answer. If the
    /// caller goes away, `act` is still carried out.
    ///
    /// # Errors
    /// Those of `act`, or that the thread has ended.
    pub async fn call<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let request: Request = Box::new(move |store| {
            let _ = answer.send(act(store));
        });
        self.requests.send(request).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    /// Closes the store and waits until the directory is free again. Other handles
    /// of it must be gone.
    pub async fn close(self) {
        // The thread answers only by dropping what it holds.
        let (done, closed) = oneshot::channel::<()>();
        let request: Request = Box::new(move |store| store.close_with(done));
        if self.requests.send(request).await.is_ok() {
            drop(self.requests);
            let _ = closed.await;
        }
    }
}

fn fold_jobs(mut jobs: mpsc::Receiver<FoldJob>, results: &mpsc::WeakSender<Request>) {
    while let Some(job) = jobs.blocking_recv() {
        let folded = catch_unwind(AssertUnwindSafe(|| job.run())).unwrap_or_else(|_| {
            Err(Error::Database {
                act: "fold",
                message: "folding has panicked".to_owned(),
            })
        });
        let Some(results) = results.upgrade() else {
            return;
        };
        let request: Request = Box::new(move |store| {
            // The store remembers a failure and tells the next caller.
            let _ = store.stage(folded);
        });
        if results.blocking_send(request).is_err() {
            return;
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map(drop)
        .map_err(|error| Error::Database {
            act: "start a thread for",
            message: error.to_string(),
        })
}

fn ended() -> Error {
    Error::Database {
        act: "use",
        message: "its thread has ended".to_owned(),
    }
}
