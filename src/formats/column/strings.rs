//! Values of any length, one behind the other.

#![expect(
    clippy::inline_always,
    reason = "who appends values holds what it knows of them in registers"
)]

use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};

/// The most that a batch may hold of them; an offset has 31 bits.
const TOO_LONG: &str = "more than 2 GiB of text in one batch";

/// The bytes of all values, and where each of them ends.
#[derive(Debug)]
pub(in crate::formats) struct Strings {
    bytes: Vec<u8>,
    ends: Vec<i32>,
}

impl Strings {
    pub(super) fn with_capacity(values: usize, bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            ends: ends_with_capacity(values),
        }
    }

    /// An empty one with room for as much as this one holds.
    pub(super) fn like(&self) -> Self {
        Self::with_capacity(self.len(), self.bytes.len() + self.bytes.len() / 16)
    }

    pub(in crate::formats) fn len(&self) -> usize {
        self.ends.len() - 1
    }

    /// The value at a place.
    pub(in crate::formats) fn get(&self, place: usize) -> &[u8] {
        match self.ends.get(place..place + 2) {
            Some(&[start, end]) => self.bytes.get(offset(start)..offset(end)),
            _ => None,
        }
        .unwrap_or_default()
    }

    /// Appends a value.
    #[inline]
    pub(in crate::formats) fn push(&mut self, value: &[u8]) -> Result<(), String> {
        let Ok(end) = i32::try_from(self.bytes.len() + value.len()) else {
            return Err(TOO_LONG.to_owned());
        };
        self.bytes.extend_from_slice(value);
        self.ends.push(end);
        Ok(())
    }

    /// Appends a value that has to be UTF-8.
    #[inline]
    pub(in crate::formats) fn push_utf8(&mut self, value: &[u8]) -> Result<(), String> {
        // Most texts are short and ASCII, which is seen sooner than anything else.
        if value.is_ascii() || simdutf8::basic::from_utf8(value).is_ok() {
            return self.push(value);
        }
        Err("the text is not UTF-8".to_owned())
    }

    /// Appends a value that `write` appends to the bytes; nothing if it is `None`.
    #[inline(always)]
    pub(in crate::formats) fn push_if(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Option<()>,
    ) -> Option<()> {
        let start = self.bytes.len();
        let written = write(&mut self.bytes).and_then(|()| i32::try_from(self.bytes.len()).ok());
        match written {
            Some(end) => self.ends.push(end),
            None => self.bytes.truncate(start),
        }
        written.map(drop)
    }

    /// Appends a value that `write` appends to the bytes.
    pub(super) fn push_with(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), String>,
    ) -> Result<(), String> {
        let start = self.bytes.len();
        let written = write(&mut self.bytes)
            .and_then(|()| i32::try_from(self.bytes.len()).map_err(|_| TOO_LONG.to_owned()));
        match written {
            Ok(end) => {
                self.ends.push(end);
                Ok(())
            }
            Err(why) => {
                self.bytes.truncate(start);
                Err(why)
            }
        }
    }

    pub(super) fn truncate(&mut self, values: usize) {
        self.ends.truncate(values + 1);
        self.bytes.truncate(last_end(&self.ends));
    }

    pub(super) fn into_parts(self) -> (OffsetBuffer<i32>, Buffer) {
        let ends = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        (ends, Buffer::from_vec(self.bytes))
    }
}

/// Where lists or strings end, before there are any.
pub(super) fn ends_with_capacity(values: usize) -> Vec<i32> {
    let mut ends = Vec::with_capacity(values + 1);
    ends.push(0);
    ends
}

/// Where the last list or string ends.
pub(super) fn last_end(ends: &[i32]) -> usize {
    ends.last().map_or(0, |end| offset(*end))
}

fn offset(end: i32) -> usize {
    usize::try_from(end).expect("an end is a length")
}
