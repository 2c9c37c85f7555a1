//! Reads a record by its plan, its values straight into the columns.

use arrow::datatypes::DataType;

use super::cursor::{Cursor, Fault};
use super::plan::{FieldPlan, Plan, Read, Root, RowPlan, Scale};
use super::schema::{Schema, Type, TypeId};
use crate::formats::column::{Column, Map, Values, sql_name, unit_of};
use crate::formats::datetime::nanos_per;
use crate::formats::{Limits, decimal};

/// Why a record is no row.
#[derive(Debug)]
pub(super) enum Unread {
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
    pub(super) fn into_reason(self) -> String {
        match self {
            Self::Fault(fault) => {
                format!("does not fit the schema it was written with: it {fault}")
            }
            Self::Refused(why) => why,
        }
    }
}

type Result<T = (), E = Unread> = std::result::Result<T, E>;

/// Nanoseconds of a day.
const DAY_NANOS: i64 = 86_400_000_000_000;

/// Reads a whole record: one value for each column.
pub(super) fn record(plan: &Plan, bytes: &[u8], limits: &Limits, columns: &mut [Column]) -> Result {
    let mut reader = Reader::new(&plan.schema, bytes, limits);
    let row = match &plan.root {
        Root::Record(row) => row,
        Root::Union(rows) => {
            let branch = reader.cursor.index(Fault::Branch)?;
            let row = rows.get(branch).ok_or(Fault::Branch)?;
            row.as_ref().map_err(Clone::clone)?
        }
    };
    reader.row(row, columns)?;
    if reader.cursor.left() > 0 {
        return Err(Fault::Rest.into());
    }
    Ok(())
}

struct Reader<'a> {
    schema: &'a Schema,
    cursor: Cursor<'a>,
    /// How many elements arrays and maps may still have. An element that takes no
    /// bytes (an array of nulls) must not cost more than one that does.
    elements: usize,
    /// How many values that are not written it may still have, as rows of a list have
    /// them in columns that their writer does not know.
    unwritten: usize,
    depth_max: usize,
}

impl<'a> Reader<'a> {
    fn new(schema: &'a Schema, bytes: &'a [u8], limits: &Limits) -> Self {
        Self {
            schema,
            cursor: Cursor::new(bytes),
            elements: bytes.len(),
            unwritten: limits.record_bytes_max,
            depth_max: limits.depth_max,
        }
    }

    fn row(&mut self, plan: &'a RowPlan, columns: &mut [Column]) -> Result {
        for field in &plan.fields {
            match field {
                FieldPlan::Into(place, read) => {
                    if let Some(column) = columns.get_mut(*place) {
                        self.value(read, column)?;
                    }
                }
                FieldPlan::Skip(of) => self.skip(*of, 0)?,
            }
        }
        let left = self.unwritten.checked_sub(plan.missing.len());
        self.unwritten = left.ok_or(Fault::Elements)?;
        for missing in &plan.missing {
            let Some(column) = columns.get_mut(missing.column) else {
                continue;
            };
            let Some(default) = &missing.default else {
                column.push_null()?;
                continue;
            };
            let mut inner = Reader {
                schema: &default.schema,
                cursor: Cursor::new(&default.bytes),
                elements: default.bytes.len(),
                unwritten: self.unwritten,
                depth_max: self.depth_max,
            };
            inner.value(&default.read, column)?;
        }
        Ok(())
    }

    #[inline]
    fn value(&mut self, read: &'a Read, column: &mut Column) -> Result {
        let read = match read {
            Read::Optional { null, read } => match self.cursor.long()? {
                branch if branch == *null => return Ok(column.push_null()?),
                0 | 1 => read.as_ref(),
                _ => return Err(Fault::Branch.into()),
            },
            read => read,
        };
        match (read, &mut column.values) {
            (Read::Long, Values::Int64(values)) => values.push(self.cursor.long()?),
            (Read::Text, Values::Text(values)) => {
                let bytes = self.cursor.bytes()?;
                values.push_utf8(bytes).map_err(|why| column.reason(&why))?;
            }
            (Read::Timestamp(Scale::Times(1)), Values::Timestamp(values)) => {
                values.push(self.cursor.long()?);
            }
            (Read::Int, Values::Int32(values)) => values.push(self.cursor.int()?),
            (Read::Double, Values::Float64(values)) => values.push(self.cursor.double()?),
            _ => self.other(read, column)?,
        }
        Ok(())
    }

    /// The same for what is not as frequent.
    #[inline(never)]
    fn other(&mut self, read: &'a Read, column: &mut Column) -> Result {
        match read {
            Read::Null => return Ok(column.push_null()?),
            Read::Optional { .. } => return self.value(read, column),
            Read::Union(branches) => {
                let branch = self.cursor.index(Fault::Branch)?;
                return match branches.get(branch).ok_or(Fault::Branch)? {
                    Ok(read) => self.value(read, column),
                    Err(why) => Err(column.reason(why).into()),
                };
            }
            Read::Int => {
                let value = i64::from(self.cursor.int()?);
                return push_number(column, value);
            }
            Read::Long => {
                let value = self.cursor.long()?;
                return push_number(column, value);
            }
            _ => {}
        }
        match (read, &mut column.values) {
            (Read::Boolean, Values::Boolean(values)) => values.append(self.cursor.boolean()?),
            (Read::Float, Values::Float32(values)) => values.push(self.cursor.float()?),
            (Read::Float, Values::Float64(values)) => values.push(self.cursor.float()?.into()),
            (Read::Bytes, Values::Binary(values)) => values.push(self.cursor.bytes()?)?,
            (Read::Fixed(size), Values::Binary(values)) => values.push(self.cursor.take(*size)?)?,
            (Read::Uuid, Values::Text(values)) => {
                let bytes = self.cursor.take(16)?;
                let uuid = uuid::Uuid::from_slice(bytes).map_err(|_| Fault::Ends)?;
                values.push(uuid.to_string().as_bytes())?;
            }
            (Read::Symbol(symbols), Values::Text(values)) => {
                let symbol = symbols.get(self.cursor.index(Fault::Symbol)?);
                values.push(symbol.ok_or(Fault::Symbol)?.as_bytes())?;
            }
            (Read::Date, Values::Date(values)) => values.push(self.cursor.int()?),
            (Read::Time { is_long, nanos }, Values::Time(values)) => {
                let time = if *is_long {
                    self.cursor.long()?
                } else {
                    self.cursor.int()?.into()
                };
                let in_day = time
                    .checked_mul(*nanos)
                    .filter(|n| (0..DAY_NANOS).contains(n));
                match in_day {
                    Some(in_day) => values.push(in_day / nanos_per(unit_of(&column.data_type))),
                    None => return Err(column.reason("the time is not within a day").into()),
                }
            }
            (Read::Timestamp(scale), Values::Timestamp(values)) => {
                match scale.apply(self.cursor.long()?) {
                    Some(time) => values.push(time),
                    None => return Err(column.reason(&out_of_range(column)).into()),
                }
            }
            (Read::Decimal { size, scale }, Values::Decimal(values)) => {
                let bytes = match size {
                    Some(size) => self.cursor.take(*size)?,
                    None => self.cursor.bytes()?,
                };
                match decimal_of(bytes, *scale, &column.data_type) {
                    Some(value) => values.push(value),
                    None => return Err(column.reason(&out_of_range(column)).into()),
                }
            }
            (Read::Row(plan), Values::Row(row)) => {
                self.row(plan, &mut row.columns)?;
                row.count += 1;
            }
            (Read::List(read), Values::List(list)) => {
                self.items(|reader| reader.value(read, &mut list.elements))?;
                list.close()?;
            }
            (Read::Map(read), Values::Map(map)) => {
                self.map(read, map)?;
                if map.has_duplicates() {
                    return Err(column.reason("a key of the map stands there twice").into());
                }
                map.close()?;
            }
            _ => unreachable!("a plan is made for the columns' types"),
        }
        Ok(())
    }

    fn map(&mut self, read: &'a Read, map: &mut Map) -> Result {
        self.items(|reader| {
            let key = reader.cursor.bytes()?;
            map.keys.push_utf8(key)?;
            reader.value(read, &mut map.values)
        })
    }

    /// Reads the items of an array or a map, which come in blocks.
    fn items(&mut self, mut item: impl FnMut(&mut Self) -> Result) -> Result {
        loop {
            let mut count = self.cursor.long()?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                // A block that can be skipped has its length behind the count.
                count = count.checked_neg().ok_or(Fault::Elements)?;
                self.cursor.long()?;
            }
            for _ in 0..self.counted(count)? {
                item(self)?;
            }
        }
    }

    /// Takes the elements of a block from those that there may be.
    fn counted(&mut self, count: i64) -> Result<usize> {
        let count = usize::try_from(count).map_err(|_| Fault::Elements)?;
        self.elements = self.elements.checked_sub(count).ok_or(Fault::Elements)?;
        Ok(count)
    }

    /// Steps over a value.
    fn skip(&mut self, of: TypeId, depth: usize) -> Result {
        if depth > self.depth_max {
            return Err(Fault::Depth.into());
        }
        let schema = self.schema;
        match schema.get(of) {
            Type::Null | Type::Open => {}
            Type::Boolean => {
                self.cursor.boolean()?;
            }
            Type::Int(_) | Type::Long(_) | Type::Enum { .. } => {
                self.cursor.long()?;
            }
            Type::Float => {
                self.cursor.take(4)?;
            }
            Type::Double => {
                self.cursor.take(8)?;
            }
            Type::Bytes(_) | Type::String => {
                self.cursor.bytes()?;
            }
            Type::Fixed { size, .. } => {
                self.cursor.take(*size)?;
            }
            Type::Array(inner) => self.skip_items(*inner, false, depth)?,
            Type::Map(inner) => self.skip_items(*inner, true, depth)?,
            Type::Union(branches) => {
                let branch = self.cursor.index(Fault::Branch)?;
                let branch = branches.get(branch).ok_or(Fault::Branch)?;
                self.skip(*branch, depth + 1)?;
            }
            Type::Record { fields } => {
                for field in fields {
                    self.skip(field.of, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    fn skip_items(&mut self, inner: TypeId, has_keys: bool, depth: usize) -> Result {
        loop {
            match self.cursor.long()? {
                0 => return Ok(()),
                ..0 => {
                    self.cursor.bytes()?;
                }
                count => {
                    for _ in 0..self.counted(count)? {
                        if has_keys {
                            self.cursor.bytes()?;
                        }
                        self.skip(inner, depth + 1)?;
                    }
                }
            }
        }
    }
}

fn out_of_range(column: &Column) -> String {
    format!(
        "the value is outside the range of {}",
        sql_name(&column.data_type)
    )
}

/// Appends a whole number to a column of any numbers.
fn push_number(column: &mut Column, value: i64) -> Result {
    let pushed = match &mut column.values {
        Values::Int8(values) => i8::try_from(value).map(|value| values.push(value)).is_ok(),
        Values::Int16(values) => i16::try_from(value).map(|value| values.push(value)).is_ok(),
        Values::Int32(values) => i32::try_from(value).map(|value| values.push(value)).is_ok(),
        Values::Int64(values) => {
            values.push(value);
            true
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "Avro's promotion of a long to a float"
        )]
        Values::Float32(values) => {
            values.push(value as f32);
            true
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "Avro's promotion of a long to a double"
        )]
        Values::Float64(values) => {
            values.push(value as f64);
            true
        }
        _ => unreachable!("a plan is made for the columns' types"),
    };
    if pushed {
        return Ok(());
    }
    let range = sql_name(&column.data_type);
    let why = format!("{value} is outside the range of {range}");
    Err(column.reason(&why).into())
}

/// The unscaled value that big-endian bytes stand for, in a column's scale.
fn decimal_of(bytes: &[u8], scale: u32, column: &DataType) -> Option<i128> {
    let &DataType::Decimal128(precision, column_scale) = column else {
        return None;
    };
    let is_negative = bytes.first().is_some_and(|first| *first >= 0x80);
    let sign = if is_negative { 0xff } else { 0 };
    // What is left out in front only repeats the sign.
    let (front, last) = bytes.split_at(bytes.len().saturating_sub(16));
    if front.iter().any(|byte| *byte != sign) {
        return None;
    }
    let mut whole = [sign; 16];
    whole.get_mut(16 - last.len()..)?.copy_from_slice(last);
    let value = i128::from_be_bytes(whole);
    if !front.is_empty() && (value < 0) != is_negative {
        return None;
    }
    decimal::rescale(value, scale, precision, column_scale)
}
