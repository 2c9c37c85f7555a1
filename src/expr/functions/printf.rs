//! `PRINTF`, with the conversions of Java's `Formatter`.

use std::borrow::Cow;

use super::row_kernel::Compute::Text;
use super::row_kernel::{Answer, Argument, Row, RowKernel, check_text_bytes};
use super::text::float_text;

/// The function of this file.
pub(super) static KERNELS: [RowKernel; 1] = [RowKernel::lenient("PRINTF", Text(printf))];

/// One `%…` of a format.
#[derive(Debug, Default)]
struct Directive<'a> {
    /// The argument that it names, from 1.
    argument: Option<usize>,
    flags: &'a str,
    width: usize,
    precision: Option<usize>,
    conversion: char,
}

impl<'a> Directive<'a> {
    /// What stands behind a `%`, and what is behind that.
    fn parse(text: &'a str) -> Option<(Self, &'a str)> {
        let mut directive = Self::default();
        let mut rest = text;
        let (digits, behind) = number(rest);
        if let Some(behind) = behind.strip_prefix('$') {
            directive.argument = Some(digits.parse().ok()?);
            rest = behind;
        }
        let flags = rest.trim_start_matches(['-', '#', '+', ' ', '0', ',', '(']);
        directive.flags = &rest[..rest.len() - flags.len()];
        let (width, behind) = number(flags);
        directive.width = width.parse().unwrap_or(0);
        rest = behind;
        if let Some(behind) = behind.strip_prefix('.') {
            let (digits, behind) = number(behind);
            directive.precision = Some(digits.parse().ok()?);
            rest = behind;
        }
        let conversion = rest.chars().next()?;
        directive.conversion = conversion;
        Some((directive, &rest[conversion.len_utf8()..]))
    }

    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    /// The text at its width.
    fn padded(&self, text: &str) -> String {
        let missing = self.width.saturating_sub(text.encode_utf16().count());
        let blanks = " ".repeat(missing);
        if self.has('-') {
            format!("{text}{blanks}")
        } else {
            format!("{blanks}{text}")
        }
    }

    /// The digits of a number with its sign, grouped and filled with zeros as the flags say.
    fn number(&self, is_negative: bool, digits: &str) -> String {
        let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
        let mut whole = if self.has(',') {
            grouped(whole)
        } else {
            whole.to_owned()
        };
        let (before, behind) = match is_negative {
            true if self.has('(') => ("(", ")"),
            true => ("-", ""),
            false if self.has('+') => ("+", ""),
            false if self.has(' ') => (" ", ""),
            false => ("", ""),
        };
        if self.has('0') {
            let length = before.len() + whole.len() + fraction.len() + behind.len();
            whole.insert_str(0, &"0".repeat(self.width.saturating_sub(length)));
        }
        self.padded(&format!("{before}{whole}{fraction}{behind}"))
    }
}

/// The digits with which a text begins, and the rest.
fn number(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !letter.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

fn grouped(digits: &str) -> String {
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Null if the format is none, or an argument is not of its conversion's kind.
fn printf<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let Argument::Text(format) = row.argument(0) else {
        return Ok(None);
    };
    let mut text = String::new();
    let mut rest = format;
    let mut next = 1;
    while let Some((before, behind)) = rest.split_once('%') {
        text.push_str(before);
        let Some((directive, behind)) = Directive::parse(behind) else {
            return Ok(None);
        };
        rest = behind;
        check_text_bytes(text.len().saturating_add(directive.width))?;
        check_text_bytes(directive.precision.unwrap_or(0))?;
        match directive.conversion {
            'n' => text.push('\n'),
            '%' => text.push_str(&directive.padded("%")),
            _ => {
                let place = directive.argument.unwrap_or_else(|| {
                    next += 1;
                    next - 1
                });
                if place == 0 || place >= row.len() {
                    return Ok(None);
                }
                match converted(&directive, &row.argument(place))? {
                    Some(converted) => text.push_str(&converted),
                    None => return Ok(None),
                }
            }
        }
    }
    text.push_str(rest);
    Ok(Some(text.into()))
}

fn converted(directive: &Directive, argument: &Argument) -> Answer<String> {
    let cut = |text: &str| {
        let kept = directive.precision.unwrap_or(usize::MAX);
        directive.padded(&text.chars().take(kept).collect::<String>())
    };
    Ok(match (directive.conversion, argument) {
        ('S', Argument::Null) => Some(cut("NULL")),
        ('b', Argument::Boolean(value)) => Some(cut(&value.to_string())),
        ('b', Argument::Null) => Some(cut("false")),
        ('b', _) => Some(cut("true")),
        ('s' | 'd' | 'x' | 'X' | 'o' | 'c' | 'e' | 'E' | 'f', Argument::Null) => Some(cut("null")),
        ('s', argument) => Some(cut(&plain(argument))),
        ('S', argument) => Some(cut(&plain(argument).to_uppercase())),
        ('d', Argument::Integer(value)) => {
            Some(directive.number(*value < 0, &value.unsigned_abs().to_string()))
        }
        ('x', Argument::Integer(value)) => Some(directive.number(false, &format!("{value:x}"))),
        ('X', Argument::Integer(value)) => Some(directive.number(false, &format!("{value:X}"))),
        ('o', Argument::Integer(value)) => Some(directive.number(false, &format!("{value:o}"))),
        ('c', Argument::Integer(value)) => u32::try_from(*value)
            .ok()
            .and_then(char::from_u32)
            .map(|letter| directive.padded(&letter.to_string())),
        ('f' | 'e' | 'E', Argument::Double(value)) if !value.is_finite() => {
            Some(directive.padded(&float_text("", *value)))
        }
        ('f', Argument::Double(value)) => {
            let places = directive.precision.unwrap_or(6);
            Some(directive.number(*value < 0.0, &format!("{:.places$}", value.abs())))
        }
        ('e' | 'E', Argument::Double(value)) => {
            let text = scientific(value.abs(), directive.precision.unwrap_or(6));
            let text = directive.number(*value < 0.0, &text);
            Some(if directive.conversion == 'E' {
                text.to_uppercase()
            } else {
                text
            })
        }
        ('a' | 'A' | 'g' | 'G' | 'h' | 'H' | 't' | 'T' | 'B', _) => {
            return Err(format!("%{} is not supported", directive.conversion));
        }
        _ => None,
    })
}

/// A value as Java writes it.
fn plain(argument: &Argument) -> String {
    match argument {
        Argument::Null => "null".to_owned(),
        Argument::Text(text) => (*text).to_owned(),
        Argument::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Argument::Integer(value) => value.to_string(),
        Argument::Double(value) => float_text(&format!("{value:e}"), *value),
        Argument::Boolean(value) => value.to_string(),
    }
}

/// `1.5e+04`: Java writes a sign and two digits at least.
fn scientific(value: f64, places: usize) -> String {
    let text = format!("{value:.places$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}
