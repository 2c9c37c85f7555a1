//! Finds the values of a JSON object in its bytes without building a tree: it
//! checks the grammar and the limits, and says where each value stands.

use super::sweep;
use crate::formats::Limits;

/// A value and where it stands; of a string the quotes belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// What kind of value it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    True,
    False,
    Number,
    /// A string without escapes: its content is its bytes.
    PlainString,
    /// A string with escapes.
    EscapedString,
    Object,
    Array,
}

/// What is wrong, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Error {
    pub what: &'static str,
    pub at: usize,
}

/// A place in the bytes of one record.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    limits: Limits,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8], limits: Limits) -> Self {
        Self {
            bytes,
            at: 0,
            limits,
        }
    }

    /// Walks over the object that the record is, and tells each of its fields.
    pub(super) fn object(&mut self, mut field: impl FnMut(Token, Token)) -> Result<(), Error> {
        self.whitespace();
        if self.peek() != Some(b'{') {
            return Err(self.error("expected an object"));
        }
        self.fields(1, &mut field)?;
        self.whitespace();
        if self.at < self.bytes.len() {
            return Err(self.error("expected the end of the record behind the object"));
        }
        Ok(())
    }

    /// The fields of the object that begins here.
    fn fields(&mut self, depth: usize, field: &mut dyn FnMut(Token, Token)) -> Result<(), Error> {
        self.at += 1;
        self.whitespace();
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.whitespace();
            if self.peek() != Some(b'"') {
                return Err(self.error("expected the name of a field in double quotes"));
            }
            let name = self.string()?;
            self.whitespace();
            if !self.take(b':') {
                return Err(self.error("expected ':' behind the name of a field"));
            }
            let value = self.value(depth)?;
            field(name, value);
            self.whitespace();
            if self.take(b'}') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.error("expected ',' or '}' behind a field"));
            }
        }
    }

    /// Walks over the array that begins here, and tells each of its elements.
    pub(super) fn array(&mut self, mut element: impl FnMut(Token)) -> Result<(), Error> {
        self.elements(1, &mut element)
    }

    /// The elements of the array that begins here.
    fn elements(&mut self, depth: usize, element: &mut dyn FnMut(Token)) -> Result<(), Error> {
        self.at += 1;
        self.whitespace();
        if self.take(b']') {
            return Ok(());
        }
        loop {
            element(self.value(depth)?);
            self.whitespace();
            if self.take(b']') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.error("expected ',' or ']' behind an element"));
            }
        }
    }

    /// The value that begins here, `depth` levels deep. The recursion is bounded
    /// by the limit of the depth.
    fn value(&mut self, depth: usize) -> Result<Token, Error> {
        self.whitespace();
        let start = self.at;
        let kind = match self.peek() {
            Some(b'"') => return self.string(),
            Some(b'{' | b'[') if depth >= self.limits.depth_max => {
                return Err(self.error("the value is nested too deeply"));
            }
            Some(b'{') => {
                self.fields(depth + 1, &mut |_, _| ())?;
                Kind::Object
            }
            Some(b'[') => {
                self.elements(depth + 1, &mut |_| ())?;
                Kind::Array
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Kind::Number
            }
            Some(b't') => self.word(b"true", Kind::True)?,
            Some(b'f') => self.word(b"false", Kind::False)?,
            Some(b'n') => self.word(b"null", Kind::Null)?,
            _ => return Err(self.error("expected a value")),
        };
        Ok(Token {
            kind,
            start,
            end: self.at,
        })
    }

    fn word(&mut self, word: &'static [u8], kind: Kind) -> Result<Kind, Error> {
        if !self.rest().starts_with(word) {
            return Err(self.error("expected a value"));
        }
        self.at += word.len();
        Ok(kind)
    }

    fn number(&mut self) -> Result<(), Error> {
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
        if self.at - start > self.limits.number_bytes_max {
            return Err(Error {
                what: "the number is too long",
                at: start,
            });
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Error> {
        let count = self
            .rest()
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        if count == 0 {
            return Err(self.error("expected a digit"));
        }
        self.at += count;
        Ok(())
    }

    /// The string that begins here.
    fn string(&mut self) -> Result<Token, Error> {
        let start = self.at;
        self.at += 1;
        let mut kind = Kind::PlainString;
        loop {
            self.at = sweep::special(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Token {
                        kind,
                        start,
                        end: self.at,
                    });
                }
                Some(b'\\') => {
                    kind = Kind::EscapedString;
                    self.escape()?;
                }
                Some(_) => {
                    return Err(self.error("a control character in a string must be escaped"));
                }
                None => {
                    return Err(Error {
                        what: "the string has no end",
                        at: start,
                    });
                }
            }
        }
    }

    /// Steps over one escape; of a surrogate pair over both halves.
    fn escape(&mut self) -> Result<(), Error> {
        let Some((_, length)) = unescape(self.rest()) else {
            return Err(self.error("invalid escape in a string"));
        };
        self.at += length;
        Ok(())
    }

    fn whitespace(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn error(&self, what: &'static str) -> Error {
        Error { what, at: self.at }
    }
}

/// The character of the escape with which `bytes` begins, and the escape's length.
pub(super) fn unescape(bytes: &[u8]) -> Option<(char, usize)> {
    let plain = match bytes.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = hex(bytes.get(2..6)?)?;
            if let Some(c) = char::from_u32(first) {
                return Some((c, 6));
            }
            if bytes.get(6..8)? != b"\\u" || first >= 0xdc00 {
                return None;
            }
            let second = hex(bytes.get(8..12)?)?;
            if !(0xdc00..0xe000).contains(&second) {
                return None;
            }
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            return Some((char::from_u32(code)?, 12));
        }
        _ => return None,
    };
    Some((plain, 2))
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| {
        Some(value * 16 + char::from(*digit).to_digit(16)?)
    })
}

/// Appends the content of a string (without its quotes) that the scanner has passed.
pub(super) fn unescape_into(mut content: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'\\', content) {
        let (plain, escaped) = content.split_at(at);
        out.extend_from_slice(plain);
        let (c, length) = unescape(escaped).expect("the scanner has checked the escapes");
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        content = escaped.get(length..).unwrap_or_default();
    }
    out.extend_from_slice(content);
}

/// Appends a value that the scanner has passed without the whitespace between its parts.
pub(super) fn compact_into(value: &[u8], out: &mut Vec<u8>) {
    let (mut in_string, mut escaped) = (false, false);
    for &b in value {
        if in_string {
            in_string = escaped || b != b'"';
            escaped = !escaped && b == b'\\';
        } else if matches!(b, b' ' | b'\t' | b'\n' | b'\r') {
            continue;
        } else {
            in_string = b == b'"';
        }
        out.push(b);
    }
}
