//! Where one record ends and the next begins in a file or a byte stream.

/// How records follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// A record a line; `\n` or `\r\n` ends it.
    Lines,
    /// A record a line, but a line end inside quotes belongs to the record.
    QuotedLines(Quoting),
}

/// What makes a line end belong to its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoting {
    /// Between two fields.
    pub delimiter: u8,
    /// Around a field, if its first byte is this; twice inside it stands for itself.
    pub quote: u8,
    /// Before a byte inside quotes that stands for itself.
    pub escape: Option<u8>,
    /// At the beginning of a line that is no record.
    pub comment: Option<u8>,
}

impl Framing {
    /// The length of the record that begins with `bytes`, its line end
    /// included; `None` if its end is not there yet.
    pub fn record_length(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Lines => line_length(bytes),
            Self::QuotedLines(quoting) => {
                let line = line_length(bytes);
                let first_line = bytes.get(..line.unwrap_or(bytes.len())).unwrap_or(bytes);
                if quoting.is_comment(bytes) || memchr::memchr(quoting.quote, first_line).is_none()
                {
                    return line;
                }
                quoting.walk(bytes).record_length
            }
        }
    }

    /// A record without the line end that it was found with.
    pub fn trim_line_end(record: &[u8]) -> &[u8] {
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        record.strip_suffix(b"\r").unwrap_or(record)
    }
}

/// The length of the line that begins with `bytes`, its end included.
pub fn line_length(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes).map(|at| at + 1)
}

struct Walked {
    record_length: Option<usize>,
    inside_quotes: bool,
}

impl Quoting {
    /// Whether a record ends inside quotes, which makes it half a record.
    pub(super) fn is_unclosed(self, record: &[u8]) -> bool {
        memchr::memchr(self.quote, record).is_some() && self.walk(record).inside_quotes
    }

    pub(super) fn is_comment(self, record: &[u8]) -> bool {
        self.comment.is_some() && self.comment == record.first().copied()
    }

    fn walk(self, bytes: &[u8]) -> Walked {
        let (mut inside_quotes, mut at_field_start) = (false, true);
        let mut at = 0;
        while let Some(&b) = bytes.get(at) {
            at += 1;
            if inside_quotes {
                let doubled = b == self.quote && bytes.get(at) == Some(&b);
                if doubled || (self.escape == Some(b) && b != self.quote) {
                    at += 1;
                } else if b == self.quote {
                    inside_quotes = false;
                }
            } else if b == b'\n' {
                return Walked {
                    record_length: Some(at),
                    inside_quotes,
                };
            } else {
                inside_quotes = at_field_start && b == self.quote;
                at_field_start = b == self.delimiter;
            }
        }
        Walked {
            record_length: None,
            inside_quotes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: Quoting = Quoting {
        delimiter: b',',
        quote: b'"',
        escape: Some(b'\\'),
        comment: Some(b'#'),
    };

    #[test]
    fn records_end_where_they_should() {
        let quoted = Framing::QuotedLines(CSV);
        for (framing, bytes, expected) in [
            (Framing::Lines, "a\nb", Some(2)),
            (Framing::Lines, "a\r\nb", Some(3)),
            (Framing::Lines, "\"a\nb\"\n", Some(3)),
            (Framing::Lines, "a", None),
            (quoted, "a,b\nc", Some(4)),
            (quoted, "\"a\nb\",c\nd", Some(8)),
            (quoted, "a,\"b\"\"\nc\"\nd", Some(10)),
            (quoted, "\"a\\\"\nb\"\nc", Some(8)),
            (quoted, "5\" pipe\nb", Some(8)),
            (quoted, "a,5\" pipe\nb", Some(10)),
            (quoted, "\"a\"b\"\nc", Some(6)),
            (quoted, "#\"comment\nb", Some(10)),
            (quoted, "\"open\n", None),
            (quoted, "", None),
        ] {
            assert_eq!(
                framing.record_length(bytes.as_bytes()),
                expected,
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn an_open_quote_is_seen() {
        for (record, expected) in [
            ("a,b", false),
            ("\"a\",b", false),
            ("\"a,b", true),
            ("a,\"b\nc", true),
            ("a,b\"", false),
        ] {
            assert_eq!(CSV.is_unclosed(record.as_bytes()), expected, "{record:?}");
        }
    }
}
