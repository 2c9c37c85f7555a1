//! The primitive values of Avro's binary encoding, one after the other.

#![expect(
    clippy::inline_always,
    reason = "a value is read in fewer instructions than a call takes"
)]

/// Why bytes are no values of their schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("ends in the middle of a value")]
    Ends,
    #[error("has a number of more than 64 bits")]
    LongNumber,
    #[error("has an int of more than 32 bits")]
    LongInt,
    #[error("has a length that is less than nothing")]
    Length,
    #[error("has a boolean that is neither 0 nor 1")]
    Boolean,
    #[error("has a branch that its union has not")]
    Branch,
    #[error("has a symbol that its enum has not")]
    Symbol,
    #[error("is nested too deeply")]
    Depth,
    #[error("has too many elements")]
    Elements,
    #[error("goes on behind its value")]
    Rest,
}

/// What is left of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline(always)]
    fn byte(&mut self) -> Result<u8, Fault> {
        let (&first, rest) = self.rest.split_first().ok_or(Fault::Ends)?;
        self.rest = rest;
        Ok(first)
    }

    /// The next `count` bytes, which are there or refused.
    #[inline(always)]
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Fault::Ends)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A `long`.
    #[inline(always)]
    pub(super) fn long(&mut self) -> Result<i64, Fault> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(zigzag(u64::from(first)));
        }
        self.long_of_many(first)
    }

    #[inline(always)]
    fn long_of_many(&mut self, first: u8) -> Result<i64, Fault> {
        let mut bits = u64::from(first & 0x7f);
        for (place, &byte) in self.rest.iter().take(9).enumerate() {
            let shift = 7 * (place + 1);
            // The tenth byte has room for one bit.
            if shift == 63 && byte > 1 {
                return Err(Fault::LongNumber);
            }
            bits |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                self.rest = self.rest.get(place + 1..).unwrap_or_default();
                return Ok(zigzag(bits));
            }
        }
        Err(if self.rest.len() < 9 {
            Fault::Ends
        } else {
            Fault::LongNumber
        })
    }

    /// An `int`.
    #[inline(always)]
    pub(super) fn int(&mut self) -> Result<i32, Fault> {
        i32::try_from(self.long()?).map_err(|_| Fault::LongInt)
    }

    /// The number of a branch or a symbol.
    #[inline(always)]
    pub(super) fn index(&mut self, fault: Fault) -> Result<usize, Fault> {
        usize::try_from(self.long()?).map_err(|_| fault)
    }

    /// Bytes behind their length.
    #[inline(always)]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let length = usize::try_from(self.long()?).map_err(|_| Fault::Length)?;
        self.take(length)
    }

    /// A `boolean`.
    pub(super) fn boolean(&mut self) -> Result<bool, Fault> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Fault::Boolean),
        }
    }

    /// A `float`.
    pub(super) fn float(&mut self) -> Result<f32, Fault> {
        let bytes = self.take(4)?.try_into().map_err(|_| Fault::Ends)?;
        Ok(f32::from_le_bytes(bytes))
    }

    /// A `double`.
    pub(super) fn double(&mut self) -> Result<f64, Fault> {
        let bytes = self.take(8)?.try_into().map_err(|_| Fault::Ends)?;
        Ok(f64::from_le_bytes(bytes))
    }
}

#[inline(always)]
fn zigzag(bits: u64) -> i64 {
    (bits >> 1).cast_signed() ^ -(bits & 1).cast_signed()
}

/// Appends a `long`, or an `int`.
#[inline]
pub(super) fn write_long(value: i64, out: &mut Vec<u8>) {
    let mut bits = (value << 1).cast_unsigned() ^ (value >> 63).cast_unsigned();
    while bits >= 0x80 {
        out.push((bits & 0x7f) as u8 | 0x80);
        bits >>= 7;
    }
    out.push((bits & 0x7f) as u8);
}

/// Appends bytes behind their length.
#[inline]
pub(super) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_long(length(bytes.len()), out);
    out.extend_from_slice(bytes);
}

/// A length as it is written.
pub(super) fn length(length: usize) -> i64 {
    i64::try_from(length).expect("memory holds no more than 2^63 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longs_go_there_and_back() {
        for (value, expected) in [
            (0, &[0][..]),
            (-1, &[1]),
            (1, &[2]),
            (-64, &[0x7f]),
            (64, &[0x80, 1]),
            (
                i64::MAX,
                &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            ),
            (
                i64::MIN,
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            ),
        ] {
            let mut out = Vec::new();
            write_long(value, &mut out);
            assert_eq!(out, expected, "{value}");
            let mut cursor = Cursor::new(&out);
            assert_eq!((cursor.long(), cursor.left()), (Ok(value), 0));
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        type Read = fn(&mut Cursor) -> Result<(), Fault>;
        let cases: [(&[u8], Read, Fault); 10] = [
            (&[], |c| c.long().map(drop), Fault::Ends),
            (&[0x80], |c| c.long().map(drop), Fault::Ends),
            (&[0xff; 11], |c| c.long().map(drop), Fault::LongNumber),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
                |c| c.long().map(drop),
                Fault::LongNumber,
            ),
            (
                &[0x80, 0x80, 0x80, 0x80, 0x10],
                |c| c.int().map(drop),
                Fault::LongInt,
            ),
            (&[2], |c| c.boolean().map(drop), Fault::Boolean),
            (&[1], |c| c.bytes().map(drop), Fault::Length),
            (&[4, 0], |c| c.bytes().map(drop), Fault::Ends),
            (&[0, 0, 0], |c| c.float().map(drop), Fault::Ends),
            (&[0; 7], |c| c.double().map(drop), Fault::Ends),
        ];
        for (bytes, read, expected) in cases {
            assert_eq!(read(&mut Cursor::new(bytes)), Err(expected), "{bytes:?}");
        }
        // A length takes no memory before the bytes are there.
        let mut huge = Vec::new();
        write_long(i64::MAX, &mut huge);
        assert_eq!(Cursor::new(&huge).bytes(), Err(Fault::Ends));
    }
}
