//! Reads a record in one pass, its values straight into the columns.
//!
//! It takes what it is sure of. What it does not take, be it malformed, a value
//! that does not fit its column or a field that stands there twice, is `None`, and
//! [`super::careful`] decides.

#![expect(
    clippy::inline_always,
    reason = "the cursor stays in registers only where each step is part of the loop"
)]

use arrow::datatypes::{DataType, TimeUnit};

use super::Json;
use super::careful;
use super::cursor::{Content, Cursor};
use super::scan::{self, Kind};
use super::shape::{Inner, Shape};
use crate::formats::column::{Column, Map, Strings, Values};
use crate::formats::datetime::{self, KnownDate};

/// Reads records into columns.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub options: &'a Json,
    /// Room for unescaped and compacted text.
    pub scratch: &'a mut Vec<u8>,
    /// The date of the last timestamp.
    pub date: &'a mut KnownDate,
}

impl Reader<'_> {
    /// Reads the object that begins here, its values `depth` levels deep: one value
    /// for each column; the place behind it.
    pub(super) fn object(
        &mut self,
        mut cursor: Cursor,
        shape: &mut Shape,
        columns: &mut [Column],
        depth: usize,
    ) -> Option<usize> {
        if !cursor.take(b'{') {
            return None;
        }
        shape.begin();
        let mut filled = 0;
        if cursor.next_byte() == b'}' {
            cursor.step(1);
        } else {
            let mut found = shape.name(&mut cursor, shape.start())?;
            loop {
                match found.column {
                    None => cursor.value(depth)?,
                    Some(place) => {
                        let inner = shape.note(place)?;
                        let column = columns.get_mut(place)?;
                        self.value(&mut cursor, column, inner, depth)?;
                        filled += 1;
                    }
                }
                found = match shape.expected_name(&mut cursor, found) {
                    Some(next) => next,
                    None if cursor.goes_on(b'}')? => shape.name(&mut cursor, found)?,
                    None => break,
                };
            }
        }
        if filled < columns.len() {
            self.fill(shape, columns)?;
        }
        Some(cursor.at())
    }

    /// Appends a null to each column that the object has no field for.
    #[inline(never)]
    fn fill(&self, shape: &Shape, columns: &mut [Column]) -> Option<()> {
        for (place, column) in columns.iter_mut().enumerate() {
            if !shape.has(place) {
                if self.options.fail_on_missing_field {
                    return None;
                }
                column.push_null().ok()?;
            }
        }
        Some(())
    }

    /// Reads the value that begins here, or behind some space, into a column.
    #[inline(always)]
    fn value(
        &mut self,
        cursor: &mut Cursor,
        column: &mut Column,
        inner: &mut Inner,
        depth: usize,
    ) -> Option<()> {
        loop {
            if cursor.byte() == b'n' {
                cursor.word(b"null")?;
                return column.push_null().ok();
            }
            let start = cursor.at();
            if self.usual(cursor, column, inner, depth).is_some() {
                return Some(());
            }
            cursor.go_to(start);
            if cursor.byte() > b' ' {
                cursor.go_to(self.unusual(*cursor, column, depth)?);
                return Some(());
            }
            cursor.next_byte();
            if cursor.at() == start {
                return None;
            }
        }
    }

    /// Reads a value in the form that its type usually has. What it has left in a
    /// nested column when it fails is taken back with the whole record.
    #[inline(always)]
    fn usual(
        &mut self,
        cursor: &mut Cursor,
        column: &mut Column,
        inner: &mut Inner,
        depth: usize,
    ) -> Option<()> {
        match &mut column.values {
            Values::Int64(values) => values.push(cursor.integer()?),
            Values::Text(values) => {
                let copied = values.push_if(|bytes| cursor.copy_string(bytes));
                if copied.is_none() {
                    cursor.go_to(self.text(*cursor, values)?);
                }
            }
            Values::Timestamp(values)
                if let DataType::Timestamp(unit, None) = &column.data_type =>
            {
                values.push(self.timestamp(cursor, *unit)?);
            }
            Values::Int32(values) => values.push(i32::try_from(cursor.integer()?).ok()?),
            Values::Float64(values) => values.push(cursor.written()?.to_f64()?),
            _ => cursor.go_to(self.other(*cursor, column, inner, depth)?),
        }
        Some(())
    }

    /// Reads any text.
    #[inline(never)]
    fn text(&mut self, mut cursor: Cursor, values: &mut Strings) -> Option<usize> {
        let content = cursor.string()?;
        values.push(unescaped(content, self.scratch)).ok()?;
        Some(cursor.at())
    }

    /// The same for types that are not as frequent.
    #[inline(never)]
    fn other(
        &mut self,
        mut cursor: Cursor,
        column: &mut Column,
        inner: &mut Inner,
        depth: usize,
    ) -> Option<usize> {
        match (&mut column.values, inner) {
            (Values::Boolean(values), _) => {
                let truth = cursor.byte() == b't';
                cursor.word(if truth { b"true" } else { b"false" })?;
                values.append(truth);
            }
            (Values::Int8(values), _) => values.push(i8::try_from(cursor.integer()?).ok()?),
            (Values::Int16(values), _) => values.push(i16::try_from(cursor.integer()?).ok()?),
            (Values::Float32(values), _) => values.push(cursor.written()?.to_f32()?),
            (Values::Decimal(values), _) => {
                let DataType::Decimal128(precision, scale) = column.data_type else {
                    return None;
                };
                values.push(cursor.written()?.to_decimal(precision, scale)?);
            }
            (Values::Row(row), Inner::Row(shape)) if !cursor.is_too_deep(depth) => {
                cursor.go_to(self.object(cursor, shape, &mut row.columns, depth + 1)?);
                row.count += 1;
            }
            (Values::List(list), Inner::Elements(inner)) if !cursor.is_too_deep(depth) => {
                self.elements(&mut cursor, &mut list.elements, inner, depth + 1)?;
                list.close().ok()?;
            }
            (Values::Map(map), Inner::Elements(inner)) if !cursor.is_too_deep(depth) => {
                self.entries(&mut cursor, map, inner, depth + 1)?;
                if map.has_duplicates() {
                    return None;
                }
                map.close().ok()?;
            }
            _ => return None,
        }
        Some(cursor.at())
    }

    /// Reads the array that begins here.
    fn elements(
        &mut self,
        cursor: &mut Cursor,
        elements: &mut Column,
        inner: &mut Inner,
        depth: usize,
    ) -> Option<()> {
        items(cursor, [b'[', b']'], |cursor| {
            self.value(cursor, elements, inner, depth)
        })
    }

    /// Reads the object that begins here into a map.
    fn entries(
        &mut self,
        cursor: &mut Cursor,
        map: &mut Map,
        inner: &mut Inner,
        depth: usize,
    ) -> Option<()> {
        items(cursor, [b'{', b'}'], |cursor| {
            let key = cursor.string()?;
            map.keys.push(unescaped(key, self.scratch)).ok()?;
            cursor.colon()?;
            self.value(cursor, &mut map.values, inner, depth)
        })
    }

    /// Reads a timestamp with three digits of a second.
    #[inline(always)]
    fn timestamp(&mut self, cursor: &mut Cursor, unit: TimeUnit) -> Option<i64> {
        let &[b'"', ref text @ .., b'"'] = cursor.chunk::<25>()? else {
            return None;
        };
        let units = datetime::parse_fixed_timestamp(text, self.options.timestamp, unit, self.date)?;
        cursor.step(25);
        Some(units)
    }

    /// Reads a value in any form that its column takes.
    #[inline(never)]
    fn unusual(&mut self, mut cursor: Cursor, column: &mut Column, depth: usize) -> Option<usize> {
        let (start, first) = (cursor.at(), cursor.byte());
        let kind = match first {
            b'"' if cursor.string()?.has_escapes => Kind::EscapedString,
            b'"' => Kind::PlainString,
            b't' => Kind::True,
            b'f' => Kind::False,
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            _ => Kind::Number,
        };
        if first != b'"' {
            cursor.value(depth)?;
        }
        let raw = std::str::from_utf8(cursor.since(start)).ok()?;
        careful::push_flat(column, kind, raw, self.options, self.scratch).ok()?;
        Some(cursor.at())
    }
}

/// Reads what stands between two brackets, item by item.
fn items(
    cursor: &mut Cursor,
    [open, close]: [u8; 2],
    mut item: impl FnMut(&mut Cursor) -> Option<()>,
) -> Option<()> {
    if !cursor.take(open) {
        return None;
    }
    if cursor.next_byte() == close {
        cursor.step(1);
        return Some(());
    }
    loop {
        cursor.next_byte();
        item(cursor)?;
        if !cursor.goes_on(close)? {
            return Some(());
        }
    }
}

/// The content of a string without its escapes.
#[inline]
fn unescaped<'a>(content: Content<'a>, scratch: &'a mut Vec<u8>) -> &'a [u8] {
    if !content.has_escapes {
        return content.bytes;
    }
    scratch.clear();
    scan::unescape_into(content.bytes, scratch);
    scratch
}
