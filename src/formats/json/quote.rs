//! Text in quotes, escaped where it must be.

#![expect(
    clippy::inline_always,
    reason = "a call for each text takes as long as writing it"
)]

use super::sweep;
use crate::formats::digits::push_first;

/// Texts up to this length are looked at and copied at once. Few branches depend on a
/// text's length then, which hardly any processor guesses.
const BLOCK_BYTES: usize = 64;

/// The same for short ones.
const SHORT_BYTES: usize = 16;

/// Appends a text in quotes.
#[inline(never)]
pub(super) fn write_string(text: &str, out: &mut Vec<u8>) {
    write_first(text.as_bytes(), text.len(), out);
}

/// Appends the text of so many bytes with which `bytes` begin, in quotes. It is fastest
/// if they go on behind it.
#[inline(always)]
pub(super) fn write_first(bytes: &[u8], length: usize, out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    if !write_plain(bytes, length, out) {
        out.truncate(start);
        write_escaped(bytes.get(..length).unwrap_or_default(), out);
    }
    out.push(b'"');
}

/// Appends a text that needs no escapes; `false` once it finds that it needs some.
#[inline(always)]
fn write_plain(mut bytes: &[u8], length: usize, out: &mut Vec<u8>) -> bool {
    if length <= SHORT_BYTES
        && let Some(chunk) = bytes.first_chunk::<SHORT_BYTES>()
    {
        push_first(chunk, length, out);
        return sweep::specials(chunk) & ((1 << length) - 1) == 0;
    }
    let mut left = length;
    while let Some((block, behind)) = bytes.split_first_chunk::<BLOCK_BYTES>() {
        let specials = sweep::specials_of_block(block);
        if left <= BLOCK_BYTES {
            push_first(block, left, out);
            return specials << (BLOCK_BYTES - left) == 0;
        }
        if specials != 0 {
            return false;
        }
        out.extend_from_slice(block);
        (bytes, left) = (behind, left - BLOCK_BYTES);
    }
    write_plain_end(bytes.get(..left).unwrap_or_default(), out)
}

/// The same where fewer bytes are left than a block has.
#[inline(never)]
fn write_plain_end(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(bytes);
    sweep::special(bytes, 0) == bytes.len()
}

#[inline(never)]
fn write_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    let mut start = 0;
    loop {
        let end = sweep::special(bytes, start);
        out.extend_from_slice(bytes.get(start..end).unwrap_or_default());
        let Some(&byte) = bytes.get(end) else {
            break;
        };
        write_escape(byte, out);
        start = end + 1;
    }
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            let digit = |value: u8| b"0123456789abcdef".get(usize::from(value)).copied();
            let [high, low] = [byte >> 4, byte & 0xf].map(|half| digit(half).unwrap_or(b'0'));
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Also among others of its column.
    fn check(text: &str) {
        let expected = serde_json::to_vec(text).unwrap();
        let mut out = Vec::new();
        write_string(text, &mut out);
        assert_eq!(out, expected);
        out.clear();
        let behind = "a\"".repeat(40);
        write_first(&[text, &behind].concat().into_bytes(), text.len(), &mut out);
        assert_eq!(out, expected);
    }

    #[test]
    fn a_quote_at_each_place_of_each_length() {
        for length in 0..150 {
            let plain = "x".repeat(length);
            check(&plain);
            for at in 0..length {
                let mut text = plain.clone();
                text.replace_range(at..=at, "\"");
                check(&text);
            }
        }
    }

    proptest! {
        #[test]
        fn text_is_escaped_as_by_serde_json(text in "([\\x00-\\x7f]|\\PC){0,40}") {
            check(&text);
        }
    }
}
