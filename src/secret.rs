//! Secrets as a program names them: a reference that is resolved when a client is
//! made, and never the secret itself.

use std::fs;

/// Why a reference leads to nothing; it tells the name, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot resolve '{option}': {why}")]
pub struct Error {
    option: String,
    why: String,
}

/// A secret itself. Nothing shows it: it is neither `Debug` nor `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text, for the call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// What a person is told who wrote a secret in the open.
pub const WANTED: &str = "is a secret; give a reference such as '${env:NAME}' or '${file:PATH}'";

/// Whether a value is a reference.
pub fn is_reference(value: &str) -> bool {
    reference(value).is_some()
}

/// `${kind:name}` as its two parts.
fn reference(value: &str) -> Option<(&str, &str)> {
    let inside = value.strip_prefix("${")?.strip_suffix('}')?;
    let (kind, name) = inside.split_once(':')?;
    matches!(kind, "env" | "file").then_some((kind, name))
}

/// What a value stands for: the content of the variable or file that it refers to
/// (without the line end behind it), or itself if it is no reference. `option` is
/// named in the error.
///
/// # Errors
/// If the variable is not set or the file cannot be read.
pub fn resolve(option: &str, value: &str) -> Result<Secret, Error> {
    let missing = |why: String| Error {
        option: option.to_owned(),
        why,
    };
    match reference(value) {
        Some(("env", name)) => {
            let value = std::env::var(name);
            value
                .map(Secret)
                .map_err(|_| missing(format!("{name} is not set")))
        }
        Some((_, path)) => {
            let text = fs::read_to_string(path);
            let text = text.map_err(|error| missing(format!("{path}: {error}")))?;
            Ok(Secret(text.trim_end_matches(['\r', '\n']).to_owned()))
        }
        None => Ok(Secret(value.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(value: &str) -> Result<String, String> {
        let secret = resolve("x", value);
        let exposed = secret.map(|secret| secret.expose().to_owned());
        exposed.map_err(|error| error.to_string())
    }

    #[test]
    fn references_are_resolved() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "canary\r\n").unwrap();
        let by_file = format!("${{file:{}}}", file.path().display());
        assert_eq!(resolved(&by_file), Ok("canary".to_owned()));
        assert_eq!(resolved("${env:PATH}").ok(), std::env::var("PATH").ok());
        for plain in ["", "abc", "${PATH}", "${env:PATH", "${secret:PATH}"] {
            assert!(!is_reference(plain), "{plain}");
            assert_eq!(resolved(plain), Ok(plain.to_owned()));
        }
        for (value, expected) in [
            (
                "${env:NO_SUCH_NAME}",
                "cannot resolve 'x': NO_SUCH_NAME is not set",
            ),
            (
                "${file:/no/such/file}",
                "cannot resolve 'x': /no/such/file: No such file or directory (os error 2)",
            ),
        ] {
            assert_eq!(resolved(value), Err(expected.to_owned()));
        }
    }
}
