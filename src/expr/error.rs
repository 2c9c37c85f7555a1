//! Why an expression could not be built or evaluated.

use arrow::error::ArrowError;
use datafusion_common::DataFusionError;

/// A failure of an expression, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        match error {
            DataFusionError::ArrowError(error, _) => Self::from(*error),
            DataFusionError::Execution(message) => Self(message),
            other => Self(other.message().into_owned()),
        }
    }
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::DivideByZero => Self("division by zero".to_owned()),
            ArrowError::CastError(message)
            | ArrowError::ComputeError(message)
            | ArrowError::ArithmeticOverflow(message)
            | ArrowError::ParseError(message)
            | ArrowError::InvalidArgumentError(message) => Self(uncapitalised(&message)),
            other => Self(other.to_string()),
        }
    }
}

/// The library's messages begin like sentences; ours go on where others begin.
fn uncapitalised(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// The result of building or evaluating an expression.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_speaks_like_us() {
        let cast = || ArrowError::CastError("Cannot cast 'x'".to_owned());
        for (error, expected) in [
            (Error::from(ArrowError::DivideByZero), "division by zero"),
            (Error::from(cast()), "cannot cast 'x'"),
            (
                Error::from(DataFusionError::from(cast())),
                "cannot cast 'x'",
            ),
        ] {
            assert_eq!(error.to_string(), expected);
        }
    }
}
