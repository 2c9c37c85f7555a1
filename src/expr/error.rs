//! Why an expression could not be built or evaluated.

use arrow::error::ArrowError;
use datafusion_common::DataFusionError;

/// A failure of an expression, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        Self(error.message().into_owned())
    }
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        Self(error.to_string())
    }
}

/// The result of building or evaluating an expression.
pub type Result<T, E = Error> = std::result::Result<T, E>;
