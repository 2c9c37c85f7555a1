//! Functions of texts that are JSON. Numbers keep the digits that they are written with.

#![expect(
    clippy::unnecessary_wraps,
    reason = "all functions of rows have one form, whether they fail or not"
)]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use super::row_kernel::Compute::{Boolean, Text};
use super::row_kernel::{Answer, Argument, Row, RowKernel};

/// The functions of this file.
pub(super) static KERNELS: [RowKernel; 6] = [
    RowKernel::lenient("IS_JSON", Boolean(is_json)),
    RowKernel::strict("JSON_EXISTS", Boolean(exists)),
    RowKernel::strict("JSON_QUERY", Text(query)),
    RowKernel::strict("JSON_QUOTE", Text(quote)),
    RowKernel::strict("JSON_UNQUOTE", Text(unquote)),
    RowKernel::strict("JSON_VALUE", Text(value)),
];

/// One step of a path.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    /// From the end if negative.
    Element(i64),
    All,
}

/// What is wrong with a path, if anything is.
///
/// # Errors
/// A sentence.
pub fn check_json_path(path: &str) -> Result<(), String> {
    steps(path).map(|_| ())
}

/// `lax $.name['other name'][0][*]`.
fn steps(path: &str) -> Result<Vec<Step>, String> {
    let wrong = || format!("the path '{path}' is none of the form $.field[0][*]");
    let modes = ["lax ", "strict "];
    let trimmed = path.trim();
    let mut rest = modes
        .iter()
        .find_map(|mode| trimmed.strip_prefix(mode))
        .unwrap_or(trimmed)
        .trim()
        .strip_prefix('$')
        .ok_or_else(wrong)?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, behind) =
            if let Some(behind) = rest.strip_prefix("[*]").or(rest.strip_prefix(".*")) {
                (Step::All, behind)
            } else if let Some(behind) = rest.strip_prefix('.') {
                let is_name = |letter: char| letter.is_alphanumeric() || "_-$@".contains(letter);
                let end = behind
                    .find(|letter| !is_name(letter))
                    .unwrap_or(behind.len());
                let (name, behind) = behind.split_at(end);
                if name.is_empty() || behind.starts_with('(') {
                    return Err(wrong());
                }
                (Step::Field(name.to_owned()), behind)
            } else {
                let inner = rest.strip_prefix('[').ok_or_else(wrong)?;
                if let Some(mark @ ('\'' | '"')) = inner.chars().next() {
                    let end = format!("{mark}]");
                    let (name, behind) = inner[1..].split_once(&end).ok_or_else(wrong)?;
                    (Step::Field(name.to_owned()), behind)
                } else {
                    let (place, behind) = inner.split_once(']').ok_or_else(wrong)?;
                    let place = place.trim().parse().map_err(|_| wrong())?;
                    (Step::Element(place), behind)
                }
            };
        steps.push(step);
        rest = behind;
    }
    Ok(steps)
}

/// The value with which a text begins, as far as it is JSON.
fn parsed(text: &str) -> Option<&RawValue> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter();
    values.next()?.ok()
}

fn object(value: &RawValue) -> Option<BTreeMap<String, &RawValue>> {
    let is_object = value.get().starts_with('{');
    is_object.then(|| serde_json::from_str(value.get()).ok())?
}

fn array(value: &RawValue) -> Option<Vec<&RawValue>> {
    let is_array = value.get().starts_with('[');
    is_array.then(|| serde_json::from_str(value.get()).ok())?
}

/// The values at the end of a path.
fn select<'a>(value: &'a RawValue, steps: &[Step]) -> Vec<&'a RawValue> {
    let mut values = vec![value];
    for step in steps {
        let next = values.into_iter().flat_map(|value| match step {
            Step::Field(name) => object(value)
                .and_then(|fields| fields.get(name).copied())
                .into_iter()
                .collect(),
            Step::Element(place) => {
                let elements = array(value).unwrap_or_default();
                let length = i64::try_from(elements.len()).unwrap_or(i64::MAX);
                let place = if *place < 0 {
                    place.saturating_add(length)
                } else {
                    *place
                };
                let place = usize::try_from(place).unwrap_or(usize::MAX);
                elements.get(place).copied().into_iter().collect()
            }
            Step::All => match object(value) {
                Some(fields) => fields.into_values().collect(),
                None => array(value).unwrap_or_default(),
            },
        });
        values = next.collect::<Vec<&RawValue>>();
    }
    values
}

/// What a row's path leads to in its text, and whether it may lead to several values;
/// `None` if the text is no JSON.
fn selected<'a>(row: &Row<'a>) -> Result<Option<(Vec<&'a RawValue>, bool)>, String> {
    let steps = steps(row.text(1))?;
    let is_many = steps.contains(&Step::All);
    Ok(parsed(row.text(0)).map(|value| (select(value, &steps), is_many)))
}

/// Null at the end of a path is as if nothing were there.
fn exists(row: &Row) -> Answer<bool> {
    let found = selected(row)?.map(|(values, _)| values);
    let is_there = |values: Vec<&RawValue>| values.iter().any(|value| value.get() != "null");
    Ok(Some(found.is_some_and(is_there)))
}

/// A scalar as text; all else is null.
fn value<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let Some((values, false)) = selected(row)? else {
        return Ok(None);
    };
    let text = values.first().map(|value| value.get());
    Ok(match text {
        None | Some("null") => None,
        Some(text) if text.starts_with(['{', '[']) => None,
        Some(text) if text.starts_with('"') => serde_json::from_str(text).ok().map(Cow::Owned),
        Some(text) => Some(text.into()),
    })
}

/// An object or an array as text, and an array of what a path with `*` leads to; a scalar
/// is null.
fn query<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let Some((values, is_many)) = selected(row)? else {
        return Ok(None);
    };
    let mut text = String::new();
    if is_many {
        write_array(&values, 0, &mut text)?;
    } else {
        match values.first() {
            Some(value) if value.get().starts_with(['{', '[']) => write(value, 0, &mut text)?,
            _ => return Ok(None),
        }
    }
    Ok(Some(text.into()))
}

/// Deeper than this no text is taken apart.
const DEPTH_MAX: usize = 128;

/// Without blanks, and with the fields of objects in order, as Flink writes it.
fn write(value: &RawValue, depth: usize, out: &mut String) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!("the JSON is nested deeper than {DEPTH_MAX} levels"));
    }
    if let Some(fields) = object(value) {
        out.push('{');
        for (place, (name, value)) in fields.iter().enumerate() {
            out.push_str(if place == 0 { "" } else { "," });
            let _ = write!(out, "{}:", serde_json::Value::from(name.as_str()));
            write(value, depth + 1, out)?;
        }
        out.push('}');
    } else if let Some(elements) = array(value) {
        write_array(&elements, depth, out)?;
    } else {
        out.push_str(value.get());
    }
    Ok(())
}

fn write_array(elements: &[&RawValue], depth: usize, out: &mut String) -> Result<(), String> {
    out.push('[');
    for (place, element) in elements.iter().enumerate() {
        out.push_str(if place == 0 { "" } else { "," });
        write(element, depth + 1, out)?;
    }
    out.push(']');
    Ok(())
}

/// Null is no JSON.
fn is_json(row: &Row) -> Answer<bool> {
    let (Argument::Text(text), kind) = (row.argument(0), row.text(1)) else {
        return Ok(Some(false));
    };
    let first = parsed(text).and_then(|value| value.get().chars().next());
    Ok(Some(first.is_some_and(|first| match kind {
        "OBJECT" => first == '{',
        "ARRAY" => first == '[',
        "SCALAR" => !"{[".contains(first),
        _ => true,
    })))
}

fn quote<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let mut quoted = String::from("\"");
    for unit in row.text(0).encode_utf16() {
        match u8::try_from(unit) {
            Ok(b'"') => quoted.push_str("\\\""),
            Ok(b'\\') => quoted.push_str("\\\\"),
            Ok(b'/') => quoted.push_str("\\/"),
            Ok(0x08) => quoted.push_str("\\b"),
            Ok(0x0c) => quoted.push_str("\\f"),
            Ok(b'\n') => quoted.push_str("\\n"),
            Ok(b'\r') => quoted.push_str("\\r"),
            Ok(b'\t') => quoted.push_str("\\t"),
            Ok(byte @ b' '..=b'~') => quoted.push(char::from(byte)),
            _ => {
                let _ = write!(quoted, "\\u{unit:04x}");
            }
        }
    }
    quoted.push('"');
    Ok(Some(quoted.into()))
}

/// What is no JSON string stays as it is.
fn unquote<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let text = row.text(0);
    let string = text
        .starts_with('"')
        .then(|| serde_json::from_str::<String>(text).ok());
    Ok(Some(
        string.flatten().map_or(Cow::Borrowed(text), Cow::Owned),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_depth_is_bounded() {
        let field = |name: &str| Step::Field(name.to_owned());
        for (path, expected) in [
            ("$", Vec::new()),
            ("lax $.a.b", vec![field("a"), field("b")]),
            ("strict $['a b'][0]", vec![field("a b"), Step::Element(0)]),
            ("$.a[*][-1]", vec![field("a"), Step::All, Step::Element(-1)]),
        ] {
            assert_eq!(steps(path).unwrap(), expected, "{path}");
        }
        for wrong in [
            "",
            "a",
            "$.",
            "$..c",
            "$.a[",
            "$.a[last]",
            "$.a.length()",
            "$[?(@.a)]",
        ] {
            steps(wrong).unwrap_err();
        }
    }
}
