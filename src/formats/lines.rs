//! Many records at once: lines as they stand in a block of a file.

use super::{Decoder, Framing, RowError, line_length};

/// How much one call may take.
#[derive(Clone, Copy, Debug)]
pub struct LineBounds {
    /// The most lines.
    pub records_max: usize,
    /// The longest line, without its end; what is longer is left to the caller.
    pub record_bytes_max: usize,
}

/// How much one call has taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Bytes of whole lines.
    pub bytes: usize,
    /// Lines, whatever became of them.
    pub records: usize,
}

/// A line that holds no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Where it begins.
    pub start: usize,
    /// Where it ends, without its line end.
    pub end: usize,
    /// Why.
    pub error: RowError,
}

/// Hands lines to a decoder one by one.
pub(super) fn push_each<D: Decoder + ?Sized>(
    decoder: &mut D,
    bytes: &[u8],
    bounds: LineBounds,
    refused: &mut Vec<Refused>,
) -> Taken {
    let mut taken = Taken::default();
    while taken.records < bounds.records_max {
        let rest = bytes.get(taken.bytes..).unwrap_or_default();
        let Some(line) = line_length(rest).and_then(|length| rest.get(..length)) else {
            break;
        };
        let record = Framing::trim_line_end(line);
        if record.len() > bounds.record_bytes_max {
            break;
        }
        if let Err(error) = decoder.push(record) {
            refused.push(Refused {
                start: taken.bytes,
                end: taken.bytes + record.len(),
                error,
            });
        }
        taken.bytes += line.len();
        taken.records += 1;
    }
    taken
}
