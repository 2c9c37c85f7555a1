//! The values of a column by type, in the buffers that become its array.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, BooleanBufferBuilder, ListArray,
    MapArray, PrimitiveArray, StringArray, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, FieldRef, Fields, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};

use super::Column;
use super::strings::{Strings, ends_with_capacity, last_end};
use super::text::unit_of;

/// Up to this many keys of a map are compared each with each.
const KEYS_COMPARED_MAX: usize = 8;

/// Values of one type. The tag stands by itself, so that it needs no arithmetic.
#[derive(Debug)]
#[repr(u8)]
pub(in crate::formats) enum Values {
    Boolean(BooleanBufferBuilder),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Decimal(Vec<i128>),
    Text(Strings),
    Binary(Strings),
    Date(Vec<i32>),
    Time(Vec<i64>),
    Timestamp(Vec<i64>),
    Row(Row),
    List(List),
    Map(Map),
}

/// `ROW` values: a column for each field.
#[derive(Debug)]
pub(in crate::formats) struct Row {
    pub columns: Vec<Column>,
    /// How many rows there are.
    pub count: usize,
}

/// `ARRAY` values: the elements of all of them, and where each ends.
#[derive(Debug)]
pub(in crate::formats) struct List {
    pub elements: Box<Column>,
    ends: Vec<i32>,
}

/// `MAP` values: the entries of all of them, and where each ends.
#[derive(Debug)]
pub(in crate::formats) struct Map {
    pub keys: Strings,
    pub values: Box<Column>,
    ends: Vec<i32>,
}

impl Row {
    fn new(fields: &Fields, path: &str) -> Option<Self> {
        let columns = fields
            .iter()
            .map(|field| Column::named(format!("{path}.{}", field.name()), field));
        Some(Self {
            columns: columns.collect::<Option<_>>()?,
            count: 0,
        })
    }
}

impl List {
    /// Whether elements were appended since the last value was made.
    pub(in crate::formats) fn is_open(&self) -> bool {
        self.elements.len() > last_end(&self.ends)
    }

    /// Makes a value of the elements that were appended since the last one.
    pub(in crate::formats) fn close(&mut self) -> Result<(), String> {
        close(&mut self.ends, self.elements.len())
    }
}

impl Map {
    /// Where the value that is being appended begins.
    fn start(&self) -> usize {
        last_end(&self.ends)
    }

    /// Makes a value of the entries that were appended since the last one.
    pub(in crate::formats) fn close(&mut self) -> Result<(), String> {
        close(&mut self.ends, self.values.len())
    }

    /// Whether the value that is being appended has a key twice.
    pub(in crate::formats) fn has_duplicates(&self) -> bool {
        let keys: Vec<_> = (self.start()..self.keys.len())
            .map(|place| self.keys.get(place))
            .collect();
        if keys.len() > KEYS_COMPARED_MAX {
            return keys.iter().collect::<HashSet<_>>().len() < keys.len();
        }
        let mut rest = keys.as_slice();
        while let Some((key, behind)) = rest.split_first() {
            if behind.contains(key) {
                return true;
            }
            rest = behind;
        }
        false
    }
}

fn close(ends: &mut Vec<i32>, end: usize) -> Result<(), String> {
    let end = i32::try_from(end).map_err(|_| "more than 2^31 elements in one batch".to_owned())?;
    ends.push(end);
    Ok(())
}

impl Values {
    /// No values of a type; `None` if the formats have no form for it. `path` names
    /// the column in messages.
    pub(super) fn new(data_type: &DataType, path: &str) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean(BooleanBufferBuilder::new(0)),
            DataType::Int8 => Self::Int8(Vec::new()),
            DataType::Int16 => Self::Int16(Vec::new()),
            DataType::Int32 => Self::Int32(Vec::new()),
            DataType::Int64 => Self::Int64(Vec::new()),
            DataType::Float32 => Self::Float32(Vec::new()),
            DataType::Float64 => Self::Float64(Vec::new()),
            DataType::Decimal128(_, scale) if *scale >= 0 => Self::Decimal(Vec::new()),
            DataType::Utf8 => Self::Text(Strings::with_capacity(0, 0)),
            DataType::Binary => Self::Binary(Strings::with_capacity(0, 0)),
            DataType::Date32 => Self::Date(Vec::new()),
            DataType::Time32(_) | DataType::Time64(_) => Self::Time(Vec::new()),
            DataType::Timestamp(..) => Self::Timestamp(Vec::new()),
            DataType::Struct(fields) => Self::Row(Row::new(fields, path)?),
            DataType::List(element) => Self::List(List {
                elements: Box::new(Column::named(format!("{path}[]"), element)?),
                ends: ends_with_capacity(0),
            }),
            DataType::Map(entries, _) => {
                let (_, _, value) = entries_of(entries)?;
                Self::Map(Map {
                    keys: Strings::with_capacity(0, 0),
                    values: Box::new(Column::named(format!("{path}[]"), value)?),
                    ends: ends_with_capacity(0),
                })
            }
            _ => return None,
        })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Boolean(values) => values.len(),
            Self::Int8(values) => values.len(),
            Self::Int16(values) => values.len(),
            Self::Int32(values) | Self::Date(values) => values.len(),
            Self::Int64(values) | Self::Time(values) | Self::Timestamp(values) => values.len(),
            Self::Float32(values) => values.len(),
            Self::Float64(values) => values.len(),
            Self::Decimal(values) => values.len(),
            Self::Text(values) | Self::Binary(values) => values.len(),
            Self::Row(row) => row.count,
            Self::List(List { ends, .. }) | Self::Map(Map { ends, .. }) => ends.len() - 1,
        }
    }

    /// Appends what stands below a null.
    pub(super) fn push_default(&mut self) {
        match self {
            Self::Boolean(values) => values.append(false),
            Self::Int8(values) => values.push(0),
            Self::Int16(values) => values.push(0),
            Self::Int32(values) | Self::Date(values) => values.push(0),
            Self::Int64(values) | Self::Time(values) | Self::Timestamp(values) => values.push(0),
            Self::Float32(values) => values.push(0.0),
            Self::Float64(values) => values.push(0.0),
            Self::Decimal(values) => values.push(0),
            Self::Text(values) | Self::Binary(values) => {
                values.push(&[]).expect("an empty value needs no room");
            }
            Self::Row(row) => {
                row.columns.iter_mut().for_each(Column::push_masked);
                row.count += 1;
            }
            Self::List(List { ends, .. }) | Self::Map(Map { ends, .. }) => {
                ends.push(ends.last().copied().unwrap_or(0));
            }
        }
    }

    /// Cuts them back to the first `count`, and takes back what a value that was
    /// not finished has left.
    pub(super) fn truncate(&mut self, count: usize) {
        match self {
            Self::Boolean(values) => values.truncate(count),
            Self::Int8(values) => values.truncate(count),
            Self::Int16(values) => values.truncate(count),
            Self::Int32(values) | Self::Date(values) => values.truncate(count),
            Self::Int64(values) | Self::Time(values) | Self::Timestamp(values) => {
                values.truncate(count);
            }
            Self::Float32(values) => values.truncate(count),
            Self::Float64(values) => values.truncate(count),
            Self::Decimal(values) => values.truncate(count),
            Self::Text(values) | Self::Binary(values) => values.truncate(count),
            Self::Row(row) => {
                row.count = row.count.min(count);
                let columns = row.columns.iter_mut();
                columns.for_each(|column| column.truncate(count));
            }
            Self::List(list) => {
                list.ends.truncate(count + 1);
                list.elements.truncate(last_end(&list.ends));
            }
            Self::Map(map) => {
                map.ends.truncate(count + 1);
                let entries = last_end(&map.ends);
                map.keys.truncate(entries);
                map.values.truncate(entries);
            }
        }
    }

    /// The array of these values. What is left has room for as many: batches
    /// follow each other in much the same size.
    pub(super) fn finish(&mut self, of: &DataType, nulls: Option<NullBuffer>) -> ArrayRef {
        match self {
            Self::Boolean(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Self::Int8(values) => primitive::<Int8Type>(taken(values), of, nulls),
            Self::Int16(values) => primitive::<Int16Type>(taken(values), of, nulls),
            Self::Int32(values) => primitive::<Int32Type>(taken(values), of, nulls),
            Self::Int64(values) => primitive::<Int64Type>(taken(values), of, nulls),
            Self::Float32(values) => primitive::<Float32Type>(taken(values), of, nulls),
            Self::Float64(values) => primitive::<Float64Type>(taken(values), of, nulls),
            Self::Decimal(values) => primitive::<Decimal128Type>(taken(values), of, nulls),
            Self::Date(values) => primitive::<Date32Type>(taken(values), of, nulls),
            Self::Text(strings) => {
                let (offsets, bytes) = taken_strings(strings).into_parts();
                Arc::new(StringArray::new(offsets, bytes, nulls))
            }
            Self::Binary(strings) => {
                let (offsets, bytes) = taken_strings(strings).into_parts();
                Arc::new(BinaryArray::new(offsets, bytes, nulls))
            }
            Self::Time(values) => time_array(taken(values), of, nulls),
            Self::Timestamp(values) => timestamp_array(taken(values), of, nulls),
            Self::Row(row) => row_array(row, of, nulls),
            Self::List(list) => {
                let DataType::List(element) = of else {
                    unreachable!("the values were made for a list");
                };
                let ends = offsets(&mut list.ends);
                let elements = list.elements.finish();
                Arc::new(ListArray::new(element.clone(), ends, elements, nulls))
            }
            Self::Map(map) => map_array(map, of, nulls),
        }
    }
}

/// The entries' fields, the key's and the value's, of a map with text as keys.
fn entries_of(entries: &FieldRef) -> Option<(&Fields, &FieldRef, &FieldRef)> {
    let (key, value) = map_fields(entries)?;
    match entries.data_type() {
        DataType::Struct(fields) if *key.data_type() == DataType::Utf8 => {
            Some((fields, key, value))
        }
        _ => None,
    }
}

/// The fields of a map's keys and values.
pub(in crate::formats) fn map_fields(entries: &FieldRef) -> Option<(&FieldRef, &FieldRef)> {
    match entries.data_type() {
        DataType::Struct(fields) => match fields.as_ref() {
            [key, value] => Some((key, value)),
            _ => None,
        },
        _ => None,
    }
}

fn taken<T>(values: &mut Vec<T>) -> Vec<T> {
    let room = Vec::with_capacity(values.len());
    std::mem::replace(values, room)
}

fn taken_strings(strings: &mut Strings) -> Strings {
    let room = strings.like();
    std::mem::replace(strings, room)
}

fn offsets(ends: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let room = ends_with_capacity(ends.len());
    OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(ends, room)))
}

fn row_array(row: &mut Row, of: &DataType, nulls: Option<NullBuffer>) -> ArrayRef {
    let DataType::Struct(fields) = of else {
        unreachable!("the values were made for a row");
    };
    let count = std::mem::take(&mut row.count);
    let columns: Vec<_> = row.columns.iter_mut().map(Column::finish).collect();
    let array = StructArray::try_new_with_length(fields.clone(), columns, nulls, count);
    Arc::new(array.expect("each column has a value for each row"))
}

fn map_array(map: &mut Map, of: &DataType, nulls: Option<NullBuffer>) -> ArrayRef {
    let DataType::Map(entries, is_sorted) = of else {
        unreachable!("the values were made for a map");
    };
    let (fields, ..) = entries_of(entries).expect("the type was checked when the map was made");
    let (ends, bytes) = taken_strings(&mut map.keys).into_parts();
    let keys: ArrayRef = Arc::new(StringArray::new(ends, bytes, None));
    let pairs = StructArray::new(fields.clone(), vec![keys, map.values.finish()], None);
    let ends = offsets(&mut map.ends);
    Arc::new(MapArray::new(
        entries.clone(),
        ends,
        pairs,
        nulls,
        *is_sorted,
    ))
}

fn timestamp_array(values: Vec<i64>, of: &DataType, nulls: Option<NullBuffer>) -> ArrayRef {
    match unit_of(of) {
        TimeUnit::Second => primitive::<TimestampSecondType>(values, of, nulls),
        TimeUnit::Millisecond => primitive::<TimestampMillisecondType>(values, of, nulls),
        TimeUnit::Microsecond => primitive::<TimestampMicrosecondType>(values, of, nulls),
        TimeUnit::Nanosecond => primitive::<TimestampNanosecondType>(values, of, nulls),
    }
}

fn time_array(values: Vec<i64>, of: &DataType, nulls: Option<NullBuffer>) -> ArrayRef {
    let narrow = |values: Vec<i64>| {
        let narrow = |value| i32::try_from(value).expect("a day has fewer milliseconds than 2^31");
        values.into_iter().map(narrow).collect::<Vec<_>>()
    };
    match unit_of(of) {
        TimeUnit::Second => primitive::<Time32SecondType>(narrow(values), of, nulls),
        TimeUnit::Millisecond => primitive::<Time32MillisecondType>(narrow(values), of, nulls),
        TimeUnit::Microsecond => primitive::<Time64MicrosecondType>(values, of, nulls),
        TimeUnit::Nanosecond => primitive::<Time64NanosecondType>(values, of, nulls),
    }
}

fn primitive<T: ArrowPrimitiveType>(
    values: Vec<T::Native>,
    of: &DataType,
    nulls: Option<NullBuffer>,
) -> ArrayRef {
    let values = ScalarBuffer::from(values);
    Arc::new(PrimitiveArray::<T>::new(values, nulls).with_data_type(of.clone()))
}
