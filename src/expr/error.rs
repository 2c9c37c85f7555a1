//! Why an expression could not be built or evaluated.

use arrow::error::ArrowError;
use datafusion_common::DataFusionError;

use super::wording::in_sql_words;

/// A failure of an expression, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::ArrowError(error, _) => Self::of_arrow(error),
            DataFusionError::Internal(message) => Self(format!(
                "the query library has failed: {}",
                in_sql_words(message)
            )),
            other => Self(in_sql_words(&other.message())),
        }
    }
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        Self::of_arrow(&error)
    }
}

impl Error {
    fn of_arrow(error: &ArrowError) -> Self {
        match error {
            ArrowError::DivideByZero => Self("division by zero".to_owned()),
            ArrowError::CastError(message)
            | ArrowError::ComputeError(message)
            | ArrowError::ArithmeticOverflow(message)
            | ArrowError::ParseError(message)
            | ArrowError::InvalidArgumentError(message) => {
                Self(uncapitalised(&in_sql_words(message)))
            }
            other => Self(in_sql_words(&other.to_string())),
        }
    }
}

/// The library's messages begin like sentences; ours go on where others begin.
fn uncapitalised(message: &str) -> String {
    let mut letters = message.chars();
    match letters.next() {
        // The name of a type stays as it is.
        Some(first) if !letters.as_str().starts_with(char::is_uppercase) => {
            let first = first.to_ascii_lowercase();
            std::iter::once(first).chain(letters).collect()
        }
        _ => message.to_owned(),
    }
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

    /// Such an error once asked the user to report it to the library's authors.
    #[test]
    fn an_error_inside_of_the_library_is_one_plain_sentence() {
        let internal = || DataFusionError::Internal("no kernel for Int32".to_owned());
        let expected = "the query library has failed: no kernel for INT";
        for error in [
            internal(),
            internal().context("while it was computed"),
            DataFusionError::from(ArrowError::from_external_error(Box::new(internal()))),
        ] {
            assert_eq!(Error::from(error).to_string(), expected);
        }
    }
}
