//! Why a task failed, and who can cure it.

/// A failure of the running pipeline.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another service or the file system failed for now; a restart may succeed.
    #[error("{0}")]
    Retryable(String),
    /// The person who runs it must change something; a restart would fail the same way.
    #[error("{0}")]
    Fatal(String),
    /// The state could not be read or written; never retried in process.
    #[error(transparent)]
    State(#[from] crate::state::Error),
    /// Another task of the job has ended before its time; that task says why.
    #[error("a neighbouring stage of the pipeline has ended")]
    NeighbourEnded,
    /// Who reads the output has gone away (`| head`); the pipeline stops cleanly.
    #[error("the reader of the output has gone away")]
    OutputClosed,
}

/// The result of everything that a task does.
pub type Result<T, E = Error> = std::result::Result<T, E>;
