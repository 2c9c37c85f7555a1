//! Functions of texts that are JSON. Numbers keep the digits that they are written with.

#![expect(
    clippy::unnecessary_wraps,
    reason = "all functions of rows have one form, whether they fail or not"
)]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use super::row_kernel::Compute::{Boolean, Text, Texts};
use super::row_kernel::{Answer, Argument, Row, RowKernel};

/// The functions of this file.
pub(super) static KERNELS: [RowKernel; 7] = [
    RowKernel::lenient("IS_JSON", Boolean(is_json)),
    RowKernel::strict("JSON_EXISTS", Boolean(exists)),
    RowKernel::strict("JSON_QUERY", Text(query)),
    RowKernel::strict("JSON_QUERY_ARRAY", Texts(query_elements)),
    RowKernel::strict("JSON_QUOTE", Text(quote)),
    RowKernel::strict("JSON_UNQUOTE", Text(unquote)),
    RowKernel::lenient("JSON_VALUE", Text(value)),
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
pub(super) fn parsed(text: &str) -> Option<&RawValue> {
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

/// What the path of a row leads to in its text.
enum Found<'a> {
    /// Nothing, or null, which is as if nothing were there; or the text is no JSON.
    Nothing,
    Scalar(&'a RawValue),
    /// An object or an array.
    Whole(&'a RawValue),
    /// What a path with `*` leads to.
    Many(Vec<&'a RawValue>),
}

impl<'a> Found<'a> {
    fn of(row: &Row<'a>) -> Result<Self, String> {
        let steps = steps(row.text(1))?;
        let Some(value) = parsed(row.text(0)) else {
            return Ok(Self::Nothing);
        };
        let values = select(value, &steps);
        if steps.contains(&Step::All) {
            return Ok(Self::Many(values));
        }
        Ok(match values.first() {
            Some(value) if value.get() == "null" => Self::Nothing,
            Some(value) if value.get().starts_with(['{', '[']) => Self::Whole(value),
            Some(value) => Self::Scalar(value),
            None => Self::Nothing,
        })
    }
}

/// Of two arguments the one that says what holds where a path leads to nothing that is asked for:
/// the first in `lax` mode, where that is nothing, the second where it is an error.
fn otherwise(row: &Row, lax: usize, strict: usize) -> usize {
    if row.text(1).trim_start().starts_with("lax ") {
        lax
    } else {
        strict
    }
}

fn nothing_there(row: &Row) -> String {
    format!("the path '{}' leads to nothing of the kind", row.text(1))
}

/// The third argument says what holds on an error.
fn exists(row: &Row) -> Answer<bool> {
    let is_there = match Found::of(row)? {
        Found::Nothing => false,
        Found::Scalar(_) | Found::Whole(_) => true,
        Found::Many(values) => values.iter().any(|value| value.get() != "null"),
    };
    let on_error = otherwise(row, row.len(), 2);
    if is_there || on_error >= row.len() {
        return Ok(Some(is_there));
    }
    match row.text(on_error) {
        "TRUE" => Ok(Some(true)),
        "UNKNOWN" => Ok(None),
        "ERROR" => Err(nothing_there(row)),
        _ => Ok(Some(false)),
    }
}

/// A scalar as text; all else is null. Behind the path may stand its type, and twice what comes
/// instead: a word, and a value.
fn value<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    if row.is_null(0) || row.is_null(1) {
        return Ok(None);
    }
    let has_clauses = row.len() > 2;
    if let Found::Scalar(value) = Found::of(row)? {
        let text = value.get();
        if has_clauses && !is_of(row.text(2), text) {
            return Err(format!("{text} is no {}", row.text(2)));
        }
        return Ok(if text.starts_with('"') {
            serde_json::from_str(text).ok().map(Cow::Owned)
        } else {
            Some(text.into())
        });
    }
    if !has_clauses {
        return Ok(None);
    }
    let kind = otherwise(row, 3, 5);
    match (row.text(kind), row.argument(kind + 1)) {
        ("ERROR", _) => Err(nothing_there(row)),
        ("DEFAULT", Argument::Text(default)) => Ok(Some(default.into())),
        _ => Ok(None),
    }
}

/// Whether a scalar is of a type.
fn is_of(data_type: &str, scalar: &str) -> bool {
    match data_type {
        "INT" => scalar.parse::<i32>().is_ok(),
        "DOUBLE" => scalar.parse::<f64>().is_ok(),
        "BOOLEAN" => scalar == "true" || scalar == "false",
        _ => true,
    }
}

/// An object or an array as text, and an array of what a path with `*` leads to; a scalar
/// is null. Behind the path may stand the wrapper, and twice what comes instead.
fn query<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let has_clauses = row.len() > 2;
    let wrapper = if has_clauses { row.text(2) } else { "WITHOUT" };
    let text = match (Found::of(row)?, wrapper) {
        (Found::Many(values), "UNCONDITIONAL") => Some(format!("[{}]", written_array(&values)?)),
        (Found::Many(values), _) => Some(written_array(&values)?),
        (Found::Whole(value), "CONDITIONAL") if value.get().starts_with('[') => {
            Some(written(value)?)
        }
        (Found::Whole(value), "WITHOUT") => Some(written(value)?),
        (Found::Scalar(_), "WITHOUT") | (Found::Nothing, _) => None,
        (Found::Whole(value) | Found::Scalar(value), _) => Some(written_array(&[value])?),
    };
    if text.is_some() || !has_clauses {
        return Ok(text.map(Cow::Owned));
    }
    match row.text(otherwise(row, 3, 4)) {
        "ERROR" => Err(nothing_there(row)),
        "ARRAY" => Ok(Some("[]".into())),
        "OBJECT" => Ok(Some("{}".into())),
        _ => Ok(None),
    }
}

/// The elements of the array that [`query`] finds: texts as they are, and others as JSON.
fn query_elements(row: &Row) -> Answer<Vec<Option<String>>> {
    let Some(text) = query(row)? else {
        return Ok(None);
    };
    let elements = parsed(&text).and_then(array);
    let as_text = |element: &RawValue| match element.get() {
        "null" => None,
        text if text.starts_with('"') => serde_json::from_str(text).ok(),
        text => Some(text.to_owned()),
    };
    Ok(elements.map(|elements| elements.into_iter().map(as_text).collect()))
}

/// A value as Flink writes it.
pub(super) fn written(value: &RawValue) -> Result<String, String> {
    let mut text = String::new();
    write(value, 0, &mut text)?;
    Ok(text)
}

fn written_array(elements: &[&RawValue]) -> Result<String, String> {
    let mut text = String::new();
    write_array(elements, 0, &mut text)?;
    Ok(text)
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
