//! The wire format of Protobuf: tags, numbers and what has a length in front.

#![expect(
    clippy::inline_always,
    reason = "a value is read in fewer instructions than a call takes"
)]

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::formats) enum Fault {
    #[error("ends in the middle of a field")]
    Ends,
    #[error("has a number of more than 64 bits")]
    LongNumber,
    #[error("has a field with a number that no field can have")]
    FieldNumber,
    #[error("has a field of a kind that there is not")]
    WireType,
    #[error("has a group that does not end, or ends one that it has not begun")]
    Group,
    #[error("is nested too deeply")]
    Depth,
    #[error("has too many values")]
    Values,
}

/// How a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireType {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
    StartGroup = 3,
    EndGroup = 4,
    Fixed32 = 5,
}

/// What is left of a message.
#[derive(Clone, Copy, Debug)]
pub(in crate::formats) struct Cursor<'a> {
    rest: &'a [u8],
}

/// The number of a field and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub number: u32,
    pub wire: WireType,
}

impl<'a> Cursor<'a> {
    pub(in crate::formats) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The bytes that are left.
    pub(in crate::formats) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline(always)]
    pub(in crate::formats) fn varint(&mut self) -> Result<u64, Fault> {
        let (&first, rest) = self.rest.split_first().ok_or(Fault::Ends)?;
        self.rest = rest;
        if first < 0x80 {
            return Ok(first.into());
        }
        self.varint_of_many(first)
    }

    #[inline(always)]
    fn varint_of_many(&mut self, first: u8) -> Result<u64, Fault> {
        let mut bits = u64::from(first & 0x7f);
        for (place, &byte) in self.rest.iter().take(9).enumerate() {
            let shift = 7 * (place + 1);
            // What does not fit is cut off, as everywhere.
            bits |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                self.rest = self.rest.get(place + 1..).unwrap_or_default();
                return Ok(bits);
            }
        }
        Err(if self.rest.len() < 9 {
            Fault::Ends
        } else {
            Fault::LongNumber
        })
    }

    #[inline(always)]
    pub(super) fn tag(&mut self) -> Result<Tag, Fault> {
        let bits = self.varint()?;
        let number = u32::try_from(bits >> 3).map_err(|_| Fault::FieldNumber)?;
        if number == 0 || number >= 1 << 29 {
            return Err(Fault::FieldNumber);
        }
        let wire = match bits & 7 {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::Length,
            3 => WireType::StartGroup,
            4 => WireType::EndGroup,
            5 => WireType::Fixed32,
            _ => return Err(Fault::WireType),
        };
        Ok(Tag { number, wire })
    }

    #[inline(always)]
    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Fault::Ends)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn fixed32(&mut self) -> Result<u32, Fault> {
        let bytes = self.take(4)?.try_into().map_err(|_| Fault::Ends)?;
        Ok(u32::from_le_bytes(bytes))
    }

    pub(super) fn fixed64(&mut self) -> Result<u64, Fault> {
        let bytes = self.take(8)?.try_into().map_err(|_| Fault::Ends)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Bytes behind their length.
    #[inline(always)]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let length = usize::try_from(self.varint()?).map_err(|_| Fault::Ends)?;
        self.take(length)
    }

    /// The bits of a number that is written so.
    #[inline(always)]
    pub(super) fn bits(&mut self, wire: WireType) -> Result<u64, Fault> {
        match wire {
            WireType::Varint => self.varint(),
            WireType::Fixed64 => self.fixed64(),
            WireType::Fixed32 => Ok(self.fixed32()?.into()),
            _ => Err(Fault::WireType),
        }
    }

    /// Steps over the value of a field.
    pub(super) fn skip(&mut self, tag: Tag, depth_max: usize) -> Result<(), Fault> {
        match tag.wire {
            WireType::Length => self.bytes().map(drop),
            WireType::StartGroup => self.skip_group(tag.number, depth_max),
            WireType::EndGroup => Err(Fault::Group),
            wire => self.bits(wire).map(drop),
        }
    }

    /// Steps over the fields of a group, which may hold groups.
    fn skip_group(&mut self, number: u32, depth_max: usize) -> Result<(), Fault> {
        let mut open = vec![number];
        while let Some(innermost) = open.last() {
            let tag = self.tag().map_err(|fault| match fault {
                Fault::Ends => Fault::Group,
                other => other,
            })?;
            match tag.wire {
                WireType::StartGroup if open.len() == depth_max => return Err(Fault::Depth),
                WireType::StartGroup => open.push(tag.number),
                WireType::EndGroup if tag.number == *innermost => drop(open.pop()),
                _ => self.skip(tag, depth_max)?,
            }
        }
        Ok(())
    }
}

/// A signed number that stands for small ones of either sign.
#[inline(always)]
pub(in crate::formats) fn unzigzag(bits: u64) -> i64 {
    (bits >> 1).cast_signed() ^ -(bits & 1).cast_signed()
}

/// The bits that stand for a signed number.
#[inline(always)]
pub(in crate::formats) fn zigzag(value: i64) -> u64 {
    (value << 1).cast_unsigned() ^ (value >> 63).cast_unsigned()
}

/// Appends a number.
#[inline]
pub(in crate::formats) fn write_varint(mut bits: u64, out: &mut Vec<u8>) {
    while bits >= 0x80 {
        out.push((bits & 0x7f) as u8 | 0x80);
        bits >>= 7;
    }
    out.push((bits & 0x7f) as u8);
}

/// Appends bytes behind their length.
#[inline]
pub(super) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Puts the length of what stands behind `start` in front of it.
pub(super) fn put_length(start: usize, out: &mut Vec<u8>) {
    let length = out.len() - start;
    if let Ok(byte @ ..0x80) = u8::try_from(length) {
        out.insert(start, byte);
        return;
    }
    let mut front = Vec::with_capacity(5);
    write_varint(length as u64, &mut front);
    out.splice(start..start, front);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_there_and_back() {
        for value in [0, 1, -1, 63, -64, 64, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            write_varint(zigzag(value), &mut out);
            let mut cursor = Cursor::new(&out);
            assert_eq!(cursor.varint().map(unzigzag), Ok(value));
            assert!(cursor.is_empty());
        }
        for length in [0_usize, 127, 128, 20_000] {
            let mut out = vec![7];
            out.extend(std::iter::repeat_n(1, length));
            put_length(1, &mut out);
            let mut cursor = Cursor::new(&out[1..]);
            assert_eq!(cursor.bytes().map(<[u8]>::len), Ok(length));
            assert!(cursor.is_empty());
        }
    }

    #[test]
    fn what_is_no_field_is_refused() {
        let skip = |bytes: &[u8]| {
            let mut cursor = Cursor::new(bytes);
            while !cursor.is_empty() {
                let tag = cursor.tag()?;
                cursor.skip(tag, 3)?;
            }
            Ok(())
        };
        for (bytes, expected) in [
            (&[0x08, 0x01][..], Ok(())),
            (&[0x0b, 0x13, 0x08, 0x01, 0x14, 0x0c], Ok(())),
            (&[0x08], Err(Fault::Ends)),
            (&[0x08, 0x80], Err(Fault::Ends)),
            (&[0x0a, 0x02, 0x00], Err(Fault::Ends)),
            (
                &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
                Err(Fault::Ends),
            ),
            (&[0x09, 0x00], Err(Fault::Ends)),
            (&[0x0d, 0x00], Err(Fault::Ends)),
            (&[0xff; 11], Err(Fault::LongNumber)),
            (&[0x00], Err(Fault::FieldNumber)),
            (&[0x0f], Err(Fault::WireType)),
            (&[0x0c], Err(Fault::Group)),
            (&[0x0b, 0x14], Err(Fault::Group)),
            (&[0x0b, 0x08, 0x01], Err(Fault::Group)),
            (&[0x0b, 0x0b, 0x0b, 0x0b], Err(Fault::Depth)),
        ] {
            assert_eq!(skip(bytes), expected, "{bytes:02x?}");
        }
    }
}
