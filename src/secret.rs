//! Values that a table names only by where they are, until a client is made.

use std::fmt;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{ErrorKind, Read as _};
use std::sync::OnceLock;

/// More than any password, certificate or token has.
const BYTES_MAX: u64 = 1 << 20;

/// A value that is never shown: it has neither `Debug` nor `Display`.
pub struct Secret(String);

impl Secret {
    /// A value as it was found.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The value, for whoever hands it to a library.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// A number that another process cannot compute, and that tells nothing of the value.
    fn fingerprint(&self) -> u64 {
        static KEY: OnceLock<RandomState> = OnceLock::new();
        KEY.get_or_init(RandomState::new).hash_one(&self.0)
    }
}

impl Source {
    /// Notes where a value came from.
    pub fn new(reference: &Reference, value: &Secret) -> Self {
        Self {
            reference: reference.clone(),
            fingerprint: value.fingerprint(),
        }
    }

    /// Whether another value is there now.
    pub fn has_changed(&self) -> bool {
        let value = self.reference.may_change().then(|| self.reference.read());
        value.is_some_and(|value| value.is_ok_and(|value| value.fingerprint() != self.fingerprint))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reference.fmt(f)
    }
}

/// `${env:NAME}` or `${file:PATH}`: where a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A variable of the environment.
    Variable(String),
    /// A file, by its path.
    File(String),
}

/// Where a value came from, and how to tell whether it is still the same.
pub struct Source {
    reference: Reference,
    fingerprint: u64,
}

/// Why there is no value behind a reference.
pub enum Missing {
    /// There is nothing.
    Absent(String),
    /// There is something else.
    Unusable(String),
}

impl Reference {
    /// The reference that a text is, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let inside = text.strip_prefix("${")?.strip_suffix('}')?;
        match inside.split_once(':')? {
            (_, "") => None,
            ("env", name) => Some(Self::Variable(name.to_owned())),
            ("file", path) => Some(Self::File(path.to_owned())),
            _ => None,
        }
    }

    /// Whether another value may be there later.
    pub fn may_change(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// The value that is there now.
    ///
    /// # Errors
    /// Why there is none; it does not tell what was found instead.
    pub fn read(&self) -> Result<Secret, Missing> {
        let text = match self {
            Self::Variable(name) => match std::env::var(name) {
                Ok(text) => text,
                Err(std::env::VarError::NotPresent) => {
                    return Err(Missing::Absent(format!("{name} is not set")));
                }
                Err(std::env::VarError::NotUnicode(_)) => return Err(self.unusable("is no text")),
            },
            Self::File(path) => self.read_file(path)?,
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(self.unusable("is empty"));
        }
        if text.contains('\0') {
            return Err(self.unusable("holds a zero byte"));
        }
        Ok(Secret::new(text.to_owned()))
    }

    fn read_file(&self, path: &str) -> Result<String, Missing> {
        let mut text = String::new();
        let read =
            File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text));
        match read {
            Ok(bytes) if bytes as u64 > BYTES_MAX => Err(self.unusable("is larger than 1 MiB")),
            Ok(_) => Ok(text),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                Err(self.unusable("is no text"))
            }
            Err(error) => Err(Missing::Absent(format!("{path}: {error}"))),
        }
    }

    fn unusable(&self, why: &str) -> Missing {
        let (Self::Variable(name) | Self::File(name)) = self;
        Missing::Unusable(format!("{name} {why}"))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "${{env:{name}}}"),
            Self::File(path) => write!(f, "${{file:{path}}}"),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Absent(why) | Self::Unusable(why)) = self;
        f.write_str(why)
    }
}

/// What is told who wrote a secret in the open.
pub const WANTED: &str = "is a secret; give a reference such as '${env:NAME}' or '${file:PATH}'";

#[cfg(test)]
/// Does not compile for what can be shown: then it is not clear which trait is meant.
macro_rules! assert_is_never_shown {
    ($secret:ty) => {{
        trait Shown<By> {
            fn is_clear() {}
        }
        struct Debugged;
        struct Displayed;
        impl<T: ?Sized> Shown<()> for T {}
        impl<T: ?Sized + std::fmt::Debug> Shown<Debugged> for T {}
        impl<T: ?Sized + std::fmt::Display> Shown<Displayed> for T {}
        <$secret as Shown<_>>::is_clear();
    }};
}
#[cfg(test)]
pub(crate) use assert_is_never_shown;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_secrets_cannot_be_shown() {
        assert_is_never_shown!(Secret);
    }

    #[test]
    fn references_have_two_forms() {
        for (text, expected) in [
            ("${env:NAME}", Some(Reference::Variable("NAME".to_owned()))),
            ("${file:/a/b}", Some(Reference::File("/a/b".to_owned()))),
            ("${env:}", None),
            ("${NAME}", None),
            ("${http://example.com}", None),
            ("x${env:NAME}", None),
            ("${env:NAME}x", None),
            ("", None),
        ] {
            assert_eq!(Reference::parse(text), expected, "{text}");
            if let Some(reference) = expected {
                assert_eq!(reference.to_string(), text);
            }
        }
    }

    #[test]
    fn what_cannot_be_used_is_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let reference = Reference::File(path.display().to_string());
        let why = || reference.read().err().map(|missing| missing.to_string());
        assert!(why().unwrap().contains("No such file"));
        for (bytes, expected) in [
            (&b"canary\r\n"[..], None),
            (b"", Some("is empty")),
            (b"\n", Some("is empty")),
            (b"canary\0", Some("holds a zero byte")),
            (b"canary\xff", Some("is no text")),
            (&vec![b'c'; (1 << 20) + 1], Some("is larger than 1 MiB")),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let expected = expected.map(|why| format!("{} {why}", path.display()));
            assert_eq!(why(), expected);
        }
        std::fs::write(&path, "canary\n").unwrap();
        assert!(
            reference
                .read()
                .is_ok_and(|secret| secret.reveal() == "canary")
        );
    }

    #[test]
    fn what_was_replaced_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let reference = Reference::File(path.display().to_string());
        std::fs::write(&path, "one").unwrap();
        let Ok(value) = reference.read() else {
            panic!("there is a value");
        };
        let source = Source::new(&reference, &value);
        assert!(!source.has_changed());
        std::fs::write(&path, "two").unwrap();
        assert!(source.has_changed());
        // Nothing is there to go on with.
        std::fs::remove_file(&path).unwrap();
        assert!(!source.has_changed());
        std::fs::write(&path, "one\n").unwrap();
        assert!(!source.has_changed());
    }
}
