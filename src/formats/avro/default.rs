//! The default value of a field, as its schema has it in JSON, in Avro's binary encoding.

use serde_json::Value;

use super::cursor::{length, write_bytes, write_long};
use super::schema::{Schema, Type, TypeId};
use crate::formats::Limits;

/// Appends `value` as a value of a type.
pub(super) fn write(
    schema: &Schema,
    of: TypeId,
    value: &Value,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    write_at(schema, of, value, 0, out)
}

fn write_at(
    schema: &Schema,
    of: TypeId,
    value: &Value,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    // A record may be its own field, by default.
    if depth > Limits::default().depth_max {
        return Err("is nested too deeply".to_owned());
    }
    let depth = depth + 1;
    let wrong = || format!("{value} is not {}", schema.name(of));
    match schema.get(of) {
        Type::Null | Type::Open if value.is_null() => {}
        Type::Boolean => out.push(u8::from(value.as_bool().ok_or_else(wrong)?)),
        Type::Int(_) | Type::Long(_) => write_long(value.as_i64().ok_or_else(wrong)?, out),
        Type::Float => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a float is what is asked for"
            )]
            let float = value.as_f64().ok_or_else(wrong)? as f32;
            out.extend_from_slice(&float.to_le_bytes());
        }
        Type::Double => {
            out.extend_from_slice(&value.as_f64().ok_or_else(wrong)?.to_le_bytes());
        }
        Type::String => write_bytes(value.as_str().ok_or_else(wrong)?.as_bytes(), out),
        Type::Bytes(_) => write_bytes(&bytes(value).ok_or_else(wrong)?, out),
        Type::Fixed { size, .. } => {
            let bytes = bytes(value).filter(|bytes| bytes.len() == *size);
            out.extend_from_slice(&bytes.ok_or_else(wrong)?);
        }
        Type::Enum { symbols } => {
            let symbol = value.as_str().ok_or_else(wrong)?;
            let place = symbols.iter().position(|known| known == symbol);
            write_long(length(place.ok_or_else(wrong)?), out);
        }
        Type::Array(items) => {
            let values = value.as_array().ok_or_else(wrong)?;
            if !values.is_empty() {
                write_long(length(values.len()), out);
            }
            for value in values {
                write_at(schema, *items, value, depth, out)?;
            }
            write_long(0, out);
        }
        Type::Map(of_values) => {
            let entries = value.as_object().ok_or_else(wrong)?;
            if !entries.is_empty() {
                write_long(length(entries.len()), out);
            }
            for (key, value) in entries {
                write_bytes(key.as_bytes(), out);
                write_at(schema, *of_values, value, depth, out)?;
            }
            write_long(0, out);
        }
        Type::Union(branches) => {
            write_branch(schema, branches, value, depth, out).ok_or_else(wrong)?;
        }
        Type::Record { fields } => {
            let object = value.as_object().ok_or_else(wrong)?;
            for field in fields {
                let value = object.get(&field.name).or(field.default.as_ref());
                write_at(schema, field.of, value.ok_or_else(wrong)?, depth, out)?;
            }
        }
        Type::Null | Type::Open => return Err(wrong()),
    }
    Ok(())
}

/// Appends a value as one of the first branch that it fits.
fn write_branch(
    schema: &Schema,
    branches: &[TypeId],
    value: &Value,
    depth: usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    let start = out.len();
    for (place, branch) in branches.iter().enumerate() {
        write_long(length(place), out);
        if write_at(schema, *branch, value, depth, out).is_ok() {
            return Some(());
        }
        out.truncate(start);
    }
    None
}

/// Bytes stand in JSON as characters of the same number.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    let characters = value.as_str()?.chars();
    characters
        .map(|c| u8::try_from(u32::from(c)).ok())
        .collect()
}
