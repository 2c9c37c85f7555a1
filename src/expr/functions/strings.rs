//! Functions of texts as Flink means them, which Java counts in UTF-16 in places.

#![expect(
    clippy::unnecessary_wraps,
    reason = "all functions of rows have one form, whether they fail or not"
)]

use std::borrow::Cow;

use super::row_kernel::Compute::{Boolean, Int, Text, Texts};
use super::row_kernel::{Answer, Argument, Row, RowKernel, check_text_bytes};

/// The functions of this file.
pub(super) static KERNELS: [RowKernel; 19] = [
    RowKernel::strict("ASCII", Int(ascii)),
    RowKernel::strict("CHR", Text(chr)),
    RowKernel::lenient("ELT", Text(elt)),
    RowKernel::strict(
        "ENDSWITH",
        Boolean(|row| Ok(Some(row.bytes(0).ends_with(row.bytes(1))))),
    ),
    RowKernel::strict("INITCAP", Text(initcap)),
    RowKernel::strict("INSTR", Int(instr)),
    RowKernel::lenient("IS_ALPHA", Boolean(is_alpha)),
    RowKernel::lenient("IS_DECIMAL", Boolean(is_decimal)),
    RowKernel::lenient("IS_DIGIT", Boolean(is_digit)),
    RowKernel::strict("LOCATE", Int(locate)),
    RowKernel::strict("LPAD", Text(lpad)),
    RowKernel::strict("OVERLAY", Text(overlay)),
    RowKernel::strict("REPEAT", Text(repeat)),
    RowKernel::strict("REPLACE", Text(replace)),
    RowKernel::strict("RPAD", Text(rpad)),
    RowKernel::strict("SPLIT", Texts(split)),
    RowKernel::strict("SPLIT_INDEX", Text(split_index)),
    RowKernel::strict(
        "STARTSWITH",
        Boolean(|row| Ok(Some(row.bytes(0).starts_with(row.bytes(1))))),
    ),
    RowKernel::lenient("TRANSLATE", Text(translate)),
];

/// The first byte, with a sign as Java has it.
fn ascii(row: &Row) -> Answer<i32> {
    let first = row.text(0).bytes().next().unwrap_or(0);
    Ok(Some(i32::from(first.cast_signed())))
}

/// The character of the lowest byte; nothing if the number is negative.
fn chr<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let code = row.integer(0);
    let [byte, ..] = code.to_le_bytes();
    let text = if code < 0 {
        String::new()
    } else {
        char::from(byte).to_string()
    };
    Ok(Some(text.into()))
}

/// The argument at a place that counts from 1.
fn elt<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let Argument::Integer(place) = row.argument(0) else {
        return Ok(None);
    };
    let place = usize::try_from(place).unwrap_or(0);
    Ok(match row.argument(place) {
        Argument::Text(text) if place > 0 => Some(text.into()),
        _ => None,
    })
}

/// Words are of ASCII letters and digits: all else parts them.
fn initcap<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let mut is_inside = false;
    let letters = row.text(0).chars().map(|letter| {
        let capped = if is_inside {
            letter.to_ascii_lowercase()
        } else {
            letter.to_ascii_uppercase()
        };
        is_inside = letter.is_ascii_alphanumeric();
        capped
    });
    Ok(Some(letters.collect::<String>().into()))
}

/// Where a text stands in another, counted in characters from 1, from the place of a
/// character on; 0 if it does not. A negative place counts from the end, and leads
/// towards the beginning. The last argument says which of them is meant.
fn instr(row: &Row) -> Answer<i32> {
    let (text, part) = (row.text(0), row.text(1));
    let start = if row.len() > 2 { row.integer(2) } else { 1 };
    let number = if row.len() > 3 { row.integer(3) } else { 1 };
    if number <= 0 {
        return Err(format!("which one is meant counts from 1, not {number}"));
    }
    if part.is_empty() {
        return Ok(Some(1));
    }
    let starts: Vec<usize> = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    let length = i64::try_from(starts.len()).unwrap_or(i64::MAX) - 1;
    let is_here = |place: &usize| text[starts[*place]..].starts_with(part);
    let skipped = usize::try_from(number - 1).unwrap_or(usize::MAX);
    let places = 0..starts.len();
    let found = match start {
        0 => None,
        1.. => {
            let first = usize::try_from(start - 1).unwrap_or(usize::MAX);
            places.skip(first).filter(is_here).nth(skipped)
        }
        _ => {
            let beyond =
                usize::try_from(length.saturating_add(start).saturating_add(1)).unwrap_or(0);
            places.take(beyond).rev().filter(is_here).nth(skipped)
        }
    };
    Ok(Some(found.map_or(0, |place| {
        i32::try_from(place + 1).unwrap_or(i32::MAX)
    })))
}

/// Where a text stands in another from the place of a character on, as [`instr`]
/// counts; nothing stands at the first place.
fn locate(row: &Row) -> Answer<i32> {
    let (part, text) = (row.text(0), row.text(1));
    if part.is_empty() {
        return Ok(Some(1));
    }
    let start = if row.len() > 2 { row.integer(2) } else { 1 };
    let skipped = usize::try_from(start - 1).unwrap_or(0);
    let offset = text.char_indices().nth(skipped).map(|(offset, _)| offset);
    let found = offset.and_then(|offset| text[offset..].find(part).map(|at| offset + at));
    let place = found.map_or(0, |found| text[..found].chars().count() + 1);
    Ok(Some(i32::try_from(place).unwrap_or(i32::MAX)))
}

/// A number is taken for its text.
fn text_of<'a>(row: &Row<'a>) -> Option<&'a str> {
    match row.argument(0) {
        Argument::Text(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// Java looks at halves of characters beyond the first 65,536, which are no letters.
fn is_alpha(row: &Row) -> Answer<bool> {
    let is_letter = |letter: char| letter.is_alphabetic() && letter <= '\u{ffff}';
    Ok(Some(
        text_of(row).is_some_and(|text| text.chars().all(is_letter)),
    ))
}

fn is_digit(row: &Row) -> Answer<bool> {
    let is_digit = |letter: char| letter.is_ascii_digit() || is_other_digit(letter);
    Ok(Some(
        text_of(row).is_some_and(|text| text.chars().all(is_digit)),
    ))
}

/// The digits of other scripts stand in tens in a row; other numeric characters do not.
fn is_other_digit(letter: char) -> bool {
    const ZEROS: &[u32] = &[
        0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6,
        0x0d66, 0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0,
        0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0,
        0xaa50, 0xabf0, 0xff10,
    ];
    let code = u32::from(letter);
    ZEROS.iter().any(|zero| (*zero..zero + 10).contains(&code))
}

fn is_decimal(row: &Row) -> Answer<bool> {
    Ok(Some(text_of(row).is_some_and(is_java_double)))
}

/// Whether Java reads a text as a `double`; hexadecimal ones are left out.
fn is_java_double(text: &str) -> bool {
    let text = text.trim_matches(|letter| letter <= ' ');
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(text, "NaN" | "Infinity") {
        return true;
    }
    let text = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_mantissa =
        is_number(whole) && is_number(fraction) && !(whole.is_empty() && fraction.is_empty());
    is_mantissa && is_number(exponent) && !exponent.is_empty()
}

/// A text as Java has it.
fn utf16(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

/// The text of Java's units; half a character is written `?`, as Java does.
fn of_utf16(units: impl IntoIterator<Item = u16>) -> String {
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or('?'))
        .collect()
}

fn lpad<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    padded(row, |text, padding| {
        padding.chain(text.iter().copied()).collect()
    })
}

fn rpad<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    padded(row, |text, padding| {
        text.iter().copied().chain(padding).collect()
    })
}

type Padding<'p> = std::iter::Take<std::iter::Cycle<std::iter::Copied<std::slice::Iter<'p, u16>>>>;

/// The text at a length in Java's units, with padding or cut off. A negative length,
/// and no padding at all, make it null.
fn padded<'a>(row: &Row<'a>, join: impl Fn(&[u16], Padding) -> Vec<u16>) -> Answer<Cow<'a, str>> {
    let (text, padding) = (utf16(row.text(0)), utf16(row.text(2)));
    let Ok(length) = usize::try_from(row.integer(1)) else {
        return Ok(None);
    };
    if padding.is_empty() {
        return Ok(None);
    }
    check_text_bytes(length)?;
    let kept = text.get(..length).unwrap_or(&text);
    let missing = padding.iter().copied().cycle().take(length - kept.len());
    Ok(Some(of_utf16(join(kept, missing)).into()))
}

/// Flink drops the rest of the text if the part that is replaced reaches its end, or
/// has no length.
fn overlay<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let (text, new) = (utf16(row.text(0)), utf16(row.text(1)));
    let start = row.integer(2);
    let first = usize::try_from(start)
        .ok()
        .filter(|first| (1..=text.len()).contains(first));
    let Some(first) = first else {
        return Ok(Some(row.text(0).into()));
    };
    let length = if row.len() > 3 {
        row.integer(3)
    } else {
        i64::try_from(new.len()).unwrap_or(i64::MAX)
    };
    let end = usize::try_from(start.saturating_add(length)).unwrap_or(0);
    let rest = if length > 0 && end <= text.len() {
        &text[end - 1..]
    } else {
        &[]
    };
    let all = [&text[..first - 1], &new, rest].concat();
    Ok(Some(of_utf16(all).into()))
}

fn repeat<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let (text, times) = (row.text(0), usize::try_from(row.integer(1)).unwrap_or(0));
    check_text_bytes(text.len().saturating_mul(times))?;
    Ok(Some(text.repeat(times).into()))
}

fn replace<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let (text, old, new) = (row.text(0), row.text(1), row.text(2));
    if !text.contains(old) {
        return Ok(Some(text.into()));
    }
    let count = text.matches(old).count();
    check_text_bytes(text.len().saturating_add(count.saturating_mul(new.len())))?;
    Ok(Some(text.replace(old, new).into()))
}

/// Without a separator every character is a part.
fn split(row: &Row) -> Answer<Vec<Option<String>>> {
    let (text, separator) = (row.text(0), row.text(1));
    if text.is_empty() {
        return Ok(Some(Vec::new()));
    }
    Ok(Some(if separator.is_empty() {
        text.chars()
            .map(|letter| Some(letter.to_string()))
            .collect()
    } else {
        text.split(separator)
            .map(|part| Some(part.to_owned()))
            .collect()
    }))
}

/// The part at a place that counts from 0, if there is one. An empty text has no
/// parts, without a separator white space parts them, and a number is the character
/// that parts them.
fn split_index<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let text = row.text(0);
    let Ok(place) = usize::try_from(row.integer(2)) else {
        return Ok(None);
    };
    if text.is_empty() {
        return Ok(None);
    }
    let part = match row.argument(1) {
        Argument::Text("") => text.split(char::is_whitespace).nth(place),
        Argument::Text(separator) => text.split(separator).nth(place),
        Argument::Integer(code) => match u8::try_from(code) {
            Ok(code @ 1..) => text.split(char::from(code)).nth(place),
            _ => None,
        },
        _ => None,
    };
    Ok(part.map(Cow::Borrowed))
}

/// Each character that stands in the second text becomes the one at the same place of
/// the third, or nothing if that is shorter.
fn translate<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let Argument::Text(text) = row.argument(0) else {
        return Ok(None);
    };
    let Argument::Text(from) = row.argument(1) else {
        return Ok(Some(text.into()));
    };
    let to = match row.argument(2) {
        Argument::Text(to) => to,
        _ => "",
    };
    let translated =
        text.chars().filter_map(
            |letter| match from.chars().position(|known| known == letter) {
                Some(place) => to.chars().nth(place),
                None => Some(letter),
            },
        );
    Ok(Some(translated.collect::<String>().into()))
}
