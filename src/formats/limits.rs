//! What one record may not exceed, so that a bad one cannot take the memory.

/// The bounds that every decoder and every framing keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest record, in bytes.
    pub record_bytes_max: usize,
    /// The deepest nesting of a value; the record itself is the first level.
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
