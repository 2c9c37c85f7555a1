//! The options of a format, checked, as `WITH (…)` gives them.

use std::collections::BTreeMap;
use std::fmt;

/// The formats by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON, one object a record.
    Json,
    /// Comma-separated values, one line a record.
    Csv,
    /// One column that is the whole record.
    Raw,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Raw => "raw",
        })
    }
}

/// A format's options as text: `'json.fail-on-missing-field'` has the key
/// `fail-on-missing-field`.
pub type Options = BTreeMap<String, String>;

/// What a record may not exceed, so that one bad record cannot take the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest record, in bytes.
    pub record_bytes_max: usize,
    /// The deepest nesting of a JSON value.
    pub depth_max: usize,
    /// The longest number, in bytes.
    pub number_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record_bytes_max: 1 << 20,
            depth_max: 64,
            number_bytes_max: 512,
        }
    }
}
