//! A place in the bytes of a record, and the steps over what JSON is made of.
//!
//! A step that cannot be made is `None` without a reason: the record is then
//! looked at again by the scanner, which finds the reason, or that there is none.

use super::scan;
use super::sweep;
use crate::formats::Limits;

/// A place in bytes that begin with a record; they may go on behind it.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether a line feed is space between two tokens rather than the end of the record.
    spans_lines: bool,
    limits: Limits,
}

/// What stands between the quotes of a string.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content<'a> {
    pub bytes: &'a [u8],
    /// Whether there are escapes in it.
    pub has_escapes: bool,
}

impl<'a> Cursor<'a> {
    /// At the beginning of a record that is all of `bytes`.
    pub(super) fn of_record(bytes: &'a [u8], limits: Limits) -> Self {
        Self {
            bytes,
            at: 0,
            spans_lines: true,
            limits,
        }
    }

    /// At the beginning of lines, each of them a record.
    pub(super) fn of_lines(bytes: &'a [u8], limits: Limits) -> Self {
        Self {
            spans_lines: false,
            ..Self::of_record(bytes, limits)
        }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The bytes from here on.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The bytes from `start` up to here.
    #[inline]
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    /// The next bytes, if there are so many.
    #[inline]
    pub(super) fn chunk<const N: usize>(&self) -> Option<&'a [u8; N]> {
        self.rest().first_chunk()
    }

    /// The byte that stands here; zero, which begins nothing in JSON, behind the last one.
    #[inline]
    pub(super) fn byte(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    /// Steps over `count` bytes that were looked at.
    #[inline]
    pub(super) fn step(&mut self, count: usize) {
        self.at += count;
    }

    /// Steps over a byte if it stands here.
    #[inline]
    pub(super) fn take(&mut self, wanted: u8) -> bool {
        let found = self.byte() == wanted;
        self.at += usize::from(found);
        found
    }

    /// The byte behind the space that stands here, if any does.
    #[inline]
    pub(super) fn next_byte(&mut self) -> u8 {
        match self.byte() {
            byte if byte > b' ' => byte,
            _ => self.byte_behind_space(),
        }
    }

    #[inline(never)]
    fn byte_behind_space(&mut self) -> u8 {
        loop {
            match self.byte() {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\n' if self.spans_lines => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// Steps over the end of the record and whatever space is before it.
    pub(super) fn end_of_record(&mut self) -> Option<()> {
        let byte = self.next_byte();
        let ends = if self.spans_lines {
            self.at >= self.bytes.len()
        } else {
            self.at += 1;
            byte == b'\n'
        };
        ends.then_some(())
    }

    /// Steps over the string that begins here.
    #[inline]
    pub(super) fn string(&mut self) -> Option<Content<'a>> {
        if self.byte() != b'"' {
            return None;
        }
        let start = self.at + 1;
        let end = sweep::special(self.bytes, start);
        if self.bytes.get(end) != Some(&b'"') {
            return self.string_with_escapes(start, end);
        }
        self.at = end + 1;
        Some(Content {
            bytes: self.bytes.get(start..end)?,
            has_escapes: false,
        })
    }

    /// Steps over a string whose content begins at `start` and is plain up to `at`.
    #[inline(never)]
    fn string_with_escapes(&mut self, start: usize, mut at: usize) -> Option<Content<'a>> {
        while let Some(b'\\') = self.bytes.get(at) {
            let (_, length) = scan::unescape(self.bytes.get(at..)?)?;
            at = sweep::special(self.bytes, at + length);
        }
        if self.bytes.get(at) != Some(&b'"') {
            return None;
        }
        self.at = at + 1;
        Some(Content {
            bytes: self.bytes.get(start..at)?,
            has_escapes: true,
        })
    }

    /// Steps over a number; its text.
    pub(super) fn number(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _signed = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        let number = self.since(start);
        (number.len() <= self.limits.number_bytes_max).then_some(number)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// Steps over a word such as `null`.
    #[inline]
    pub(super) fn word(&mut self, word: &[u8]) -> Option<()> {
        let found = self.rest().starts_with(word);
        self.at += word.len();
        found.then_some(())
    }

    /// Whether an object or array at this depth goes too deep.
    pub(super) fn is_too_deep(&self, depth: usize) -> bool {
        depth >= self.limits.depth_max
    }

    /// Steps over the value that begins here, `depth` levels deep.
    #[inline]
    pub(super) fn value(&mut self, depth: usize) -> Option<()> {
        match self.byte() {
            b'"' => self.string().map(drop),
            b'-' | b'0'..=b'9' => self.number().map(drop),
            b'n' => self.word(b"null"),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            _ => None,
        }
    }

    #[inline(never)]
    fn object(&mut self, depth: usize) -> Option<()> {
        if self.is_too_deep(depth) {
            return None;
        }
        self.at += 1;
        if self.next_byte() == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.next_byte();
            self.string()?;
            self.colon()?;
            self.value(depth + 1)?;
            if !self.goes_on(b'}')? {
                return Some(());
            }
        }
    }

    #[inline(never)]
    fn array(&mut self, depth: usize) -> Option<()> {
        if self.is_too_deep(depth) {
            return None;
        }
        self.at += 1;
        if self.next_byte() == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.next_byte();
            self.value(depth + 1)?;
            if !self.goes_on(b']')? {
                return Some(());
            }
        }
    }

    /// Steps over the colon behind a name, to the value.
    #[inline]
    pub(super) fn colon(&mut self) -> Option<()> {
        if self.next_byte() != b':' {
            return None;
        }
        self.at += 1;
        self.next_byte();
        Some(())
    }

    /// Steps over what stands behind a value: a comma, and another one follows, or
    /// the `end` of the object or array.
    #[inline]
    pub(super) fn goes_on(&mut self, end: u8) -> Option<bool> {
        let byte = self.next_byte();
        self.at += 1;
        match byte {
            b',' => Some(true),
            byte if byte == end => Some(false),
            _ => None,
        }
    }
}
