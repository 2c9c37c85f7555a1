//! Reads a message by its plan, its values straight into the columns.
//!
//! Fields may come in any order and more than once: of a single value the last one
//! counts, the parts of a message are one message, and of a `oneof` the last field that
//! is set counts.

use std::collections::HashMap;

use arrow::datatypes::TimeUnit;

use super::plan::{FieldPlan, Plan, Read, Scalar, Symbols};
use super::wire::{Cursor, Fault, WireType, unzigzag};
use crate::formats::Limits;
use crate::formats::column::{Column, Values, sql_name};
use crate::formats::datetime::nanos_per;

/// Why a record is no row.
#[derive(Debug)]
pub(in crate::formats) enum Unread {
    Fault(Fault),
    /// In whole sentences.
    Refused(String),
}

impl From<Fault> for Unread {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<String> for Unread {
    fn from(why: String) -> Self {
        Self::Refused(why)
    }
}

impl Unread {
    /// The reason, for the record's owner.
    pub(in crate::formats) fn into_reason(self) -> String {
        match self {
            Self::Fault(fault) => format!("is not a Protobuf message: it {fault}"),
            Self::Refused(why) => why,
        }
    }
}

type Result<T = (), E = Unread> = std::result::Result<T, E>;

/// What one record may cost.
struct Bounds {
    depth_max: usize,
    /// How many values it may still have, absent ones too. Written ones take a byte at
    /// least, so that the longest record has no more of them.
    values: usize,
}

/// Reads a whole record: one value for each column.
pub(in crate::formats) fn record(
    plan: &mut Plan,
    bytes: &[u8],
    limits: &Limits,
    columns: &mut [Column],
) -> Result {
    let mut bounds = Bounds {
        depth_max: limits.depth_max,
        values: limits.record_bytes_max,
    };
    message(plan, bytes, &mut bounds, columns)
}

fn message(plan: &mut Plan, body: &[u8], bounds: &mut Bounds, columns: &mut [Column]) -> Result {
    let row = columns.first().map_or(0, Column::len);
    let left = bounds.values.checked_sub(columns.len());
    bounds.values = left.ok_or(Fault::Values)?;
    for field in &mut plan.fields {
        field.seen = false;
        field.parts.clear();
    }
    let mut cursor = Cursor::new(body);
    while !cursor.is_empty() {
        let tag = cursor.tag()?;
        let Some(place) = plan.place(tag.number) else {
            cursor.skip(tag, bounds.depth_max)?;
            continue;
        };
        let Some(field) = plan.fields.get_mut(place) else {
            continue;
        };
        let Some(column) = columns.get_mut(field.column) else {
            continue;
        };
        let wire = tag.wire;
        let taken = match &mut field.read {
            Read::Row(_) | Read::Timestamp(_) | Read::Map { .. } if wire == WireType::Length => {
                note(field, body, &mut cursor)?;
                true
            }
            Read::List(element) => elements(element, wire, &mut cursor, column, bounds)?,
            read if wire == read.wire() => {
                if field.seen {
                    column.truncate(row);
                }
                field.seen = one(read, &mut cursor, column, bounds)?;
                true
            }
            _ => false,
        };
        if !taken {
            // Written in another way than the schema says: nobody knows what it is.
            cursor.skip(tag, bounds.depth_max)?;
            continue;
        }
        if !field.rivals.is_empty() {
            push_aside(plan, place, row, columns);
        }
    }
    finish(plan, body, row, bounds, columns)
}

/// Notes where a value stands that is read when all of it was seen.
fn note(field: &mut FieldPlan, body: &[u8], cursor: &mut Cursor) -> Result<()> {
    let bytes = cursor.bytes()?;
    let end = body.len() - cursor.rest().len();
    field.parts.push(end - bytes.len()..end);
    Ok(())
}

/// Takes back the fields in whose place another one has come.
fn push_aside(plan: &mut Plan, place: usize, row: usize, columns: &mut [Column]) {
    let rivals = plan
        .fields
        .get_mut(place)
        .map(|field| std::mem::take(&mut field.rivals));
    let rivals = rivals.unwrap_or_default();
    for rival in &rivals {
        if let Some(rival) = plan.fields.get_mut(*rival) {
            rival.parts.clear();
            if std::mem::take(&mut rival.seen)
                && let Some(column) = columns.get_mut(rival.column)
            {
                column.truncate(row);
            }
        }
    }
    if let Some(field) = plan.fields.get_mut(place) {
        field.rivals = rivals;
    }
}

/// Gives each column its value of the row that has none yet.
fn finish(
    plan: &mut Plan,
    body: &[u8],
    row: usize,
    bounds: &mut Bounds,
    columns: &mut [Column],
) -> Result {
    for field in &mut plan.fields {
        let Some(column) = columns.get_mut(field.column) else {
            continue;
        };
        if field.seen {
            continue;
        }
        let part = |range: &std::ops::Range<usize>| body.get(range.clone()).unwrap_or_default();
        match (&mut field.read, &mut column.values) {
            (Read::List(_), Values::List(list)) => {
                if list.is_open() || field.absent.is_some() {
                    list.close()?;
                } else {
                    column.push_null()?;
                }
            }
            (Read::Map { value, absent }, Values::Map(_)) => {
                let parts = field.parts.iter().map(part);
                if field.parts.is_empty() && field.absent.is_none() {
                    column.push_null()?;
                } else {
                    entries(parts.collect(), (value, absent), row, bounds, column)?;
                }
            }
            (read, _) => match (field.parts.as_slice(), &field.absent) {
                ([], None) => column.push_null()?,
                ([], Some(absent)) => {
                    one(read, &mut Cursor::new(absent), column, bounds)?;
                }
                ([only], _) => embedded(read, part(only), column, bounds)?,
                (parts, _) => {
                    let whole: Vec<u8> = parts.iter().flat_map(part).copied().collect();
                    embedded(read, &whole, column, bounds)?;
                }
            },
        }
    }
    for place in &plan.missing {
        if let Some(column) = columns.get_mut(*place) {
            column.push_null()?;
        }
    }
    Ok(())
}

/// Reads elements of a list, of which several numbers may stand together.
fn elements(
    element: &mut Read,
    wire: WireType,
    cursor: &mut Cursor,
    column: &mut Column,
    bounds: &mut Bounds,
) -> Result<bool> {
    let Values::List(list) = &mut column.values else {
        unreachable!("a plan is made for the columns' types");
    };
    if wire == element.wire() {
        one(element, cursor, &mut list.elements, bounds)?;
        return Ok(true);
    }
    let is_packed =
        wire == WireType::Length && matches!(element, Read::Scalar(_) | Read::Symbol(_));
    if is_packed {
        let mut packed = Cursor::new(cursor.bytes()?);
        while !packed.is_empty() {
            one(element, &mut packed, &mut list.elements, bounds)?;
        }
    }
    Ok(is_packed)
}

/// Reads one value that is written as it should be; `false` if it counts as none.
#[inline]
fn one(
    read: &mut Read,
    cursor: &mut Cursor,
    column: &mut Column,
    bounds: &mut Bounds,
) -> Result<bool> {
    match (read, &mut column.values) {
        (Read::Scalar(Scalar::Int64), Values::Int64(values)) => {
            values.push(cursor.varint()?.cast_signed());
        }
        (Read::Text, Values::Text(values)) => {
            let bytes = cursor.bytes()?;
            values.push_utf8(bytes).map_err(|why| column.reason(&why))?;
        }
        (Read::Scalar(scalar), _) => {
            let bits = cursor.bits(scalar.wire())?;
            push_scalar(*scalar, bits, column)?;
        }
        (Read::Bytes, Values::Binary(values)) => values.push(cursor.bytes()?)?,
        (Read::Symbol(symbols), Values::Text(_)) => {
            #[expect(clippy::cast_possible_truncation, reason = "an enum has 32 bits")]
            let number = cursor.varint()? as i32;
            return push_symbol(symbols, number, column);
        }
        (read, _) => embedded(read, cursor.bytes()?, column, bounds)?,
    }
    Ok(true)
}

/// Reads a whole message that is a value.
fn embedded(read: &mut Read, body: &[u8], column: &mut Column, bounds: &mut Bounds) -> Result {
    match (read, &mut column.values) {
        (Read::Row(plan), Values::Row(row)) => {
            message(plan, body, bounds, &mut row.columns)?;
            row.count += 1;
        }
        (Read::Timestamp(unit), Values::Timestamp(values)) => {
            match timestamp(body, *unit, bounds)? {
                Some(time) => values.push(time),
                None => return Err(column.reason("the time is out of range").into()),
            }
        }
        _ => unreachable!("a plan is made for the columns' types"),
    }
    Ok(())
}

/// Reads the entries of a map, of which the last of several with one key counts.
fn entries(
    parts: Vec<&[u8]>,
    (value, absent): (&mut Read, &[u8]),
    row: usize,
    bounds: &mut Bounds,
    column: &mut Column,
) -> Result {
    let mut last: HashMap<&[u8], usize> = HashMap::new();
    let mut read = Vec::with_capacity(parts.len());
    for part in parts {
        let (key, at) = entry(part, value.wire(), bounds)?;
        last.insert(key, read.len());
        read.push((key, at));
    }
    for (place, (key, at)) in read.into_iter().enumerate() {
        if last.get(key) != Some(&place) {
            continue;
        }
        let Values::Map(map) = &mut column.values else {
            unreachable!("a plan is made for the columns' types");
        };
        let mut at = at.unwrap_or(Cursor::new(absent));
        map.keys
            .push_utf8(key)
            .map_err(|why| format!("the key of a map: {why}"))?;
        if !one(value, &mut at, &mut map.values, bounds)? {
            // An entry whose value counts as none is none, in front of those behind it.
            one(value, &mut Cursor::new(absent), &mut map.values, bounds)?;
        }
    }
    debug_assert_eq!(column.len(), row, "the value of this row is being appended");
    match &mut column.values {
        Values::Map(map) => Ok(map.close()?),
        _ => unreachable!("a plan is made for the columns' types"),
    }
}

/// The key of a map's entry, and where its value is.
fn entry<'a>(
    body: &'a [u8],
    value_wire: WireType,
    bounds: &Bounds,
) -> Result<(&'a [u8], Option<Cursor<'a>>)> {
    let mut cursor = Cursor::new(body);
    let (mut key, mut value) = (&[][..], None);
    while !cursor.is_empty() {
        let tag = cursor.tag()?;
        match (tag.number, tag.wire) {
            (1, WireType::Length) => key = cursor.bytes()?,
            (2, wire) if wire == value_wire => {
                value = Some(cursor);
                cursor.skip(tag, bounds.depth_max)?;
            }
            _ => cursor.skip(tag, bounds.depth_max)?,
        }
    }
    Ok((key, value))
}

/// Units since 1970 of a point in time.
fn timestamp(body: &[u8], unit: TimeUnit, bounds: &Bounds) -> Result<Option<i64>> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    let mut cursor = Cursor::new(body);
    while !cursor.is_empty() {
        let tag = cursor.tag()?;
        match (tag.number, tag.wire) {
            (1, WireType::Varint) => seconds = cursor.varint()?.cast_signed(),
            (2, WireType::Varint) => nanos = cursor.varint()?.cast_signed(),
            _ => cursor.skip(tag, bounds.depth_max)?,
        }
    }
    let per_unit = nanos_per(unit);
    let units = seconds.checked_mul(nanos_per(TimeUnit::Second) / per_unit);
    Ok(units.and_then(|units| units.checked_add(nanos.div_euclid(per_unit))))
}

/// Appends the name of an enum's value.
fn push_symbol(symbols: &Symbols, number: i32, column: &mut Column) -> Result<bool> {
    let Some(name) = symbols.names.get(&number) else {
        if symbols.is_closed {
            return Ok(false);
        }
        return Err(column
            .reason(&format!("the enum has no value {number}"))
            .into());
    };
    if let Values::Text(values) = &mut column.values {
        values.push(name.as_bytes())?;
    }
    Ok(true)
}

/// Appends a number, from the bits that it is written as.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a number of 32 bits is written as one of 64 and cut off, as everywhere"
)]
fn push_scalar(scalar: Scalar, bits: u64, column: &mut Column) -> Result {
    let number = match (scalar, &mut column.values) {
        (Scalar::Bool, Values::Boolean(values)) => {
            values.append(bits != 0);
            return Ok(());
        }
        (Scalar::Float, Values::Float32(values)) => {
            values.push(f32::from_bits(bits as u32));
            return Ok(());
        }
        (Scalar::Float, Values::Float64(values)) => {
            values.push(f32::from_bits(bits as u32).into());
            return Ok(());
        }
        (Scalar::Double, Values::Float64(values)) => {
            values.push(f64::from_bits(bits));
            return Ok(());
        }
        (Scalar::Sint64, _) => unzigzag(bits),
        (Scalar::Sint32, _) => unzigzag(u64::from(bits as u32)),
        (Scalar::Int64 | Scalar::Uint64 | Scalar::Fixed64 | Scalar::Sfixed64, _) => {
            bits.cast_signed()
        }
        // As Java has it, an INT takes the bits of an unsigned number.
        (Scalar::Uint32 | Scalar::Fixed32, Values::Int64(_)) => i64::from(bits as u32),
        _ => i64::from(bits as i32),
    };
    let pushed = match &mut column.values {
        Values::Int8(values) => i8::try_from(number)
            .map(|number| values.push(number))
            .is_ok(),
        Values::Int16(values) => i16::try_from(number)
            .map(|number| values.push(number))
            .is_ok(),
        Values::Int32(values) => i32::try_from(number)
            .map(|number| values.push(number))
            .is_ok(),
        Values::Int64(values) => {
            values.push(number);
            true
        }
        _ => unreachable!("a plan is made for the columns' types"),
    };
    if pushed {
        return Ok(());
    }
    let range = sql_name(&column.data_type);
    let why = format!("{number} is outside the range of {range}");
    Err(column.reason(&why).into())
}
