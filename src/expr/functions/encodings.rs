//! Hashes, and texts in other forms: base 64, hexadecimal, character sets.

#![expect(
    clippy::unnecessary_wraps,
    reason = "all functions of rows have one form, whether they fail or not"
)]

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::row_kernel::Compute::{Bytes, Text};
use super::row_kernel::{Answer, Argument, Row, RowKernel};

/// The functions of this file.
pub(super) static KERNELS: [RowKernel; 14] = [
    RowKernel::strict(
        "BIN",
        Text(|row| Ok(Some(format!("{:b}", row.integer(0)).into()))),
    ),
    RowKernel::strict("DECODE", Text(decode)),
    RowKernel::strict("ENCODE", Bytes(encode)),
    RowKernel::strict("FROM_BASE64", Text(from_base64)),
    RowKernel::strict("HEX", Text(hex)),
    RowKernel::strict("MD5", Text(hash::<Md5>)),
    RowKernel::strict("SHA1", Text(hash::<Sha1>)),
    RowKernel::strict("SHA2", Text(sha2)),
    RowKernel::strict("SHA224", Text(hash::<Sha224>)),
    RowKernel::strict("SHA256", Text(hash::<Sha256>)),
    RowKernel::strict("SHA384", Text(hash::<Sha384>)),
    RowKernel::strict("SHA512", Text(hash::<Sha512>)),
    RowKernel::strict(
        "TO_BASE64",
        Text(|row| Ok(Some(BASE64.encode(row.bytes(0)).into()))),
    ),
    RowKernel::strict("UNHEX", Bytes(unhex)),
];

/// Java reads a text whose padding is missing.
static BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn hash<'a, D: Digest>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let mut digits = String::new();
    for byte in D::digest(row.bytes(0)) {
        let _ = write!(digits, "{byte:02x}");
    }
    Ok(Some(digits.into()))
}

/// Flink asks Java for `SHA-` and the number, which knows `SHA-1` too.
fn sha2<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    match row.integer(1) {
        1 => hash::<Sha1>(row),
        224 => hash::<Sha224>(row),
        256 => hash::<Sha256>(row),
        384 => hash::<Sha384>(row),
        512 => hash::<Sha512>(row),
        other => Err(format!(
            "there is no hash of {other} bits: there are 224, 256, 384 and 512"
        )),
    }
}

fn from_base64<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let text = row.text(0);
    let bytes = BASE64
        .decode(text)
        .map_err(|error| format!("'{text}' is not base 64: {error}"))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned().into()))
}

fn hex<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let digits = match row.argument(0) {
        Argument::Integer(value) => format!("{value:X}"),
        _ => row.bytes(0).iter().fold(String::new(), |mut digits, byte| {
            let _ = write!(digits, "{byte:02X}");
            digits
        }),
    };
    Ok(Some(digits.into()))
}

/// Null if a character is no digit. Of an odd number of digits Flink checks the first
/// and takes zero for it.
fn unhex<'a>(row: &Row<'a>) -> Answer<Cow<'a, [u8]>> {
    let digits = row.text(0).as_bytes();
    let values: Option<Vec<u8>> = digits.iter().map(|digit| digit_of(*digit)).collect();
    Ok(values.map(|values| {
        let (first, pairs) = values.split_at(values.len() % 2);
        let bytes = first.iter().map(|_| 0);
        let bytes = bytes.chain(pairs.chunks(2).map(|pair| pair[0] << 4 | pair[1]));
        bytes.collect::<Vec<u8>>().into()
    }))
}

/// The value of a hexadecimal digit.
pub(super) fn digit_of(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

/// The character sets that Flink names.
#[derive(Clone, Copy)]
enum Charset {
    Ascii,
    Latin1,
    Utf8,
    Utf16 { little: bool, marked: bool },
}

fn charset(name: &str) -> Result<Charset, String> {
    Ok(match name.to_ascii_uppercase().as_str() {
        "US-ASCII" => Charset::Ascii,
        "ISO-8859-1" => Charset::Latin1,
        "UTF-8" => Charset::Utf8,
        "UTF-16BE" => Charset::Utf16 {
            little: false,
            marked: false,
        },
        "UTF-16LE" => Charset::Utf16 {
            little: true,
            marked: false,
        },
        "UTF-16" => Charset::Utf16 {
            little: false,
            marked: true,
        },
        _ => {
            return Err(format!(
                "there is no character set {name}: there are US-ASCII, ISO-8859-1, UTF-8, UTF-16BE, UTF-16LE and UTF-16"
            ));
        }
    })
}

/// What a character set has not is written `?`.
fn encode<'a>(row: &Row<'a>) -> Answer<Cow<'a, [u8]>> {
    let text = row.text(0);
    let narrow = |last: char| {
        let byte = |letter| {
            if letter <= last {
                u8::try_from(letter).unwrap_or(b'?')
            } else {
                b'?'
            }
        };
        text.chars().map(byte).collect::<Vec<u8>>()
    };
    Ok(Some(match charset(row.text(1))? {
        Charset::Ascii => narrow('\x7f').into(),
        Charset::Latin1 => narrow('\u{ff}').into(),
        Charset::Utf8 => text.as_bytes().into(),
        Charset::Utf16 { little, marked } => {
            let mark = (marked && !text.is_empty()).then_some(0xfeff);
            let units = mark.into_iter().chain(text.encode_utf16());
            let bytes = units.flat_map(|unit| {
                if little {
                    unit.to_le_bytes()
                } else {
                    unit.to_be_bytes()
                }
            });
            bytes.collect::<Vec<u8>>().into()
        }
    }))
}

/// What is not of a character set becomes the replacement character.
fn decode<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let bytes = row.bytes(0);
    Ok(Some(match charset(row.text(1))? {
        Charset::Ascii => {
            let letter = |byte: &u8| {
                if byte.is_ascii() {
                    char::from(*byte)
                } else {
                    '\u{fffd}'
                }
            };
            bytes.iter().map(letter).collect::<String>().into()
        }
        Charset::Latin1 => bytes
            .iter()
            .copied()
            .map(char::from)
            .collect::<String>()
            .into(),
        Charset::Utf8 => String::from_utf8_lossy(bytes),
        Charset::Utf16 { little, marked } => {
            let (bytes, little) = match bytes {
                [0xfe, 0xff, rest @ ..] if marked => (rest, false),
                [0xff, 0xfe, rest @ ..] if marked => (rest, true),
                all => (all, little),
            };
            decoded_utf16(bytes, little).into()
        }
    }))
}

fn decoded_utf16(bytes: &[u8], little: bool) -> String {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let unit = |pair: &[u8; 2]| {
        if little {
            u16::from_le_bytes(*pair)
        } else {
            u16::from_be_bytes(*pair)
        }
    };
    let letters = char::decode_utf16(pairs.iter().map(unit));
    let letters = letters.map(|letter| letter.unwrap_or('\u{fffd}'));
    letters.chain(rest.iter().map(|_| '\u{fffd}')).collect()
}
