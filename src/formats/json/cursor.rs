//! A place in the bytes of a record, and the steps over what JSON is made of.
//!
//! A step that cannot be made is `None` without a reason: the record is then
//! looked at again by the scanner, which finds the reason, or that there is none.

#![expect(
    clippy::inline_always,
    reason = "the cursor stays in registers only where each step is part of the loop"
)]

use super::scan;
use super::sweep;
use crate::formats::Limits;
use crate::formats::digits::push_first;

/// A place in bytes that begin with a record; they may go on behind it.
///
/// What is seldom needed takes the cursor by value and gives back the new place, so
/// that the compiler may keep the cursor of the hot path in registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether a line feed is space between two tokens rather than the end of the record.
    spans_lines: bool,
    limits: &'a Limits,
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
    pub(super) fn of_record(bytes: &'a [u8], limits: &'a Limits) -> Self {
        Self {
            bytes,
            at: 0,
            spans_lines: true,
            limits,
        }
    }

    /// At the beginning of lines, each of them a record.
    pub(super) fn of_lines(bytes: &'a [u8], limits: &'a Limits) -> Self {
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
    #[inline(always)]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The bytes from `start` up to here.
    #[inline(always)]
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    /// The next bytes, if there are so many.
    #[inline(always)]
    pub(super) fn chunk<const N: usize>(&self) -> Option<&'a [u8; N]> {
        self.bytes.get(self.at..)?.first_chunk()
    }

    /// The byte that stands here; zero, which begins nothing in JSON, behind the last one.
    #[inline(always)]
    pub(super) fn byte(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    /// Steps over `count` bytes that were looked at.
    #[inline(always)]
    pub(super) fn step(&mut self, count: usize) {
        self.at += count;
    }

    /// Steps over a byte if it stands here.
    #[inline(always)]
    pub(super) fn take(&mut self, wanted: u8) -> bool {
        let found = self.byte() == wanted;
        self.at += usize::from(found);
        found
    }

    /// The byte behind the space that stands here, if any does.
    #[inline(always)]
    pub(super) fn next_byte(&mut self) -> u8 {
        match self.byte() {
            byte if byte > b' ' => byte,
            _ => {
                self.at = self.behind_space();
                self.byte()
            }
        }
    }

    #[inline(never)]
    fn behind_space(mut self) -> usize {
        loop {
            match self.byte() {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\n' if self.spans_lines => self.at += 1,
                _ => return self.at,
            }
        }
    }

    /// Steps over the end of the record and whatever space is before it.
    pub(super) fn end_of_record(&mut self) -> Option<()> {
        if self.spans_lines {
            self.next_byte();
            return (self.at >= self.bytes.len()).then_some(());
        }
        let ends = self.byte() == b'\n' || self.next_byte() == b'\n';
        self.at += 1;
        ends.then_some(())
    }

    /// Steps over the string that begins here.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Option<Content<'a>> {
        if self.byte() != b'"' {
            return None;
        }
        let start = self.at + 1;
        let end = match self.bytes.get(start..).and_then(<[u8]>::first_chunk) {
            // Most strings are short.
            Some(chunk) => match sweep::specials(chunk) {
                0 => sweep::special(self.bytes, start + chunk.len()),
                found => start + found.trailing_zeros() as usize,
            },
            None => sweep::special(self.bytes, start),
        };
        if self.bytes.get(end) != Some(&b'"') {
            let end = self.end_behind_escapes(end)?;
            self.at = end + 1;
            return Some(Content {
                bytes: self.bytes.get(start..end)?,
                has_escapes: true,
            });
        }
        self.at = end + 1;
        Some(Content {
            bytes: self.bytes.get(start..end)?,
            has_escapes: false,
        })
    }

    /// Steps over the string that begins here and appends its content, several bytes at a
    /// time. `None` if there are escapes in it or the bytes end soon; some of it may
    /// have been appended then.
    #[inline(always)]
    pub(super) fn copy_string(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let mut at = self.at + 1;
        let (&first, behind) = self.rest().split_first()?;
        let chunk = behind.first_chunk()?;
        let mut specials = u64::from(sweep::specials(chunk));
        if first != b'"' {
            return None;
        }
        if specials != 0 {
            let count = specials.trailing_zeros() as usize;
            push_first(chunk, count, out);
            at += count;
        }
        while specials == 0 {
            let block = self.bytes.get(at..)?.first_chunk()?;
            specials = sweep::specials_of_block(block);
            let count = specials.trailing_zeros() as usize;
            push_first(block, count, out);
            at += count;
        }
        if self.bytes.get(at) != Some(&b'"') {
            return None;
        }
        self.at = at + 1;
        Some(())
    }

    /// The end of a string's content that is plain up to `at`.
    #[inline(never)]
    fn end_behind_escapes(self, mut at: usize) -> Option<usize> {
        while let Some(b'\\') = self.bytes.get(at) {
            let (_, length) = scan::unescape(self.bytes.get(at..)?)?;
            at = sweep::special(self.bytes, at + length);
        }
        (self.bytes.get(at) == Some(&b'"')).then_some(at)
    }

    /// The end of the number that begins here.
    #[inline(never)]
    fn end_of_number(mut self) -> Option<usize> {
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
        (self.at - start <= self.limits.number_bytes_max).then_some(self.at)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// Steps over a word such as `null`.
    #[inline(always)]
    pub(super) fn word(&mut self, word: &[u8]) -> Option<()> {
        let found = self.rest().starts_with(word);
        self.at += word.len();
        found.then_some(())
    }

    /// Whether an object or array at this depth goes too deep.
    pub(super) fn is_too_deep(&self, depth: usize) -> bool {
        depth >= self.limits.depth_max
    }

    /// Steps over the value that begins here or behind some space, `depth` levels deep.
    #[inline(always)]
    pub(super) fn value(&mut self, depth: usize) -> Option<()> {
        match self.byte() {
            b'"' => self.string().map(drop),
            b'n' => self.word(b"null"),
            b'-' | b'0'..=b'9' => {
                let start = self.at;
                if self.integer().is_none() {
                    self.at = start;
                    self.at = self.end_of_number()?;
                }
                Some(())
            }
            _ => {
                self.at = self.end_of_value(depth)?;
                Some(())
            }
        }
    }

    #[inline(never)]
    fn end_of_value(mut self, depth: usize) -> Option<usize> {
        match self.byte() {
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'{' | b'[' if self.is_too_deep(depth) => return None,
            b'{' => self.object(depth + 1)?,
            b'[' => self.array(depth + 1)?,
            b' ' | b'\t' | b'\r' | b'\n' => {
                let start = self.at;
                self.next_byte();
                return (self.at > start)
                    .then(|| self.end_of_value(depth))
                    .flatten();
            }
            b'"' => self.string().map(drop)?,
            b'n' => self.word(b"null")?,
            b'-' | b'0'..=b'9' => return self.end_of_number(),
            _ => return None,
        }
        Some(self.at)
    }

    /// Steps over the object that begins here, its values `depth` levels deep.
    fn object(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        if self.next_byte() == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.next_byte();
            self.string()?;
            self.colon()?;
            self.value(depth)?;
            if !self.goes_on(b'}')? {
                return Some(());
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        if self.next_byte() == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.next_byte();
            self.value(depth)?;
            if !self.goes_on(b']')? {
                return Some(());
            }
        }
    }

    /// Steps over the colon behind a name, to the value.
    #[inline(always)]
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
    #[inline(always)]
    pub(super) fn goes_on(&mut self, end: u8) -> Option<bool> {
        let mut byte = self.byte();
        if byte != b',' && byte != end {
            byte = self.next_byte();
        }
        self.at += 1;
        match byte {
            b',' => Some(true),
            byte if byte == end => Some(false),
            _ => None,
        }
    }
}
