//! How messages become rows: which field goes into which column, and what a column has
//! when its field is absent.

use std::collections::HashMap;
use std::ops::Range;

use arrow::datatypes::{DataType, Field as Column, Fields, TimeUnit};
use protox::prost_reflect::{
    EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, Syntax, Value,
};

use super::wire::{WireType, write_bytes, write_varint, zigzag};
use crate::formats::column::{map_fields, sql_name, unit_of};

/// Fields with lower numbers are found without a search.
const NUMBERS_MAX: usize = 128;

/// The message that is a point in time.
const TIMESTAMP: &str = "google.protobuf.Timestamp";

/// The way of a message into the columns of a row.
#[derive(Debug)]
pub(in crate::formats) struct Plan {
    /// Behind each low number the place of its field, and one more; else nothing.
    low: Vec<u16>,
    high: HashMap<u32, usize>,
    pub(super) fields: Vec<FieldPlan>,
    /// Columns that the message has no field for.
    pub(super) missing: Vec<usize>,
}

/// The way of a field, and what was found of it in the message at hand.
#[derive(Debug)]
pub(super) struct FieldPlan {
    pub column: usize,
    pub read: Read,
    /// The fields that it takes the place of, if one of them was set before.
    pub rivals: Vec<usize>,
    /// What the column has if the field is absent, as it is written behind a tag; `None`
    /// is null.
    pub absent: Option<Vec<u8>>,
    /// Whether a value stands in the column.
    pub seen: bool,
    /// Where messages and the entries of a map stand: the parts of a message that is
    /// written twice are one.
    pub parts: Vec<Range<usize>>,
}

/// How a field becomes a value of a column.
#[derive(Debug)]
pub(super) enum Read {
    Scalar(Scalar),
    Text,
    Bytes,
    /// Into text, by the numbers of its values.
    Symbol(Symbols),
    Timestamp(TimeUnit),
    Row(Box<Plan>),
    List(Box<Read>),
    Map {
        value: Box<Read>,
        /// What an entry without a value has.
        absent: Vec<u8>,
    },
}

/// A number as the schema declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Float,
    Double,
}

/// The names of an enum's values.
#[derive(Debug)]
pub(super) struct Symbols {
    pub names: HashMap<i32, String>,
    /// Whether another number counts as no value at all.
    pub is_closed: bool,
}

/// What the options say about absent fields.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::formats) struct Absence {
    /// They have their default values instead of null.
    pub read_default_values: bool,
    /// A column without a field is null; else it is an error.
    pub allow_missing: bool,
}

impl Plan {
    /// How `message` becomes a row of `columns`.
    pub(in crate::formats) fn new(
        message: &MessageDescriptor,
        columns: &Fields,
        absence: Absence,
    ) -> Result<Self, String> {
        let mut plan = Self {
            low: vec![0; NUMBERS_MAX],
            high: HashMap::new(),
            fields: Vec::new(),
            missing: Vec::new(),
        };
        let mut oneofs: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, column) in columns.iter().enumerate() {
            let Some(field) = message.get_field_by_name(column.name()) else {
                if !absence.allow_missing {
                    let (message, column) = (message.full_name(), column.name());
                    return Err(format!("the message '{message}' has no field '{column}'"));
                }
                plan.missing.push(place);
                continue;
            };
            let read = read(&field, column.data_type(), absence);
            let read = read.map_err(|why| format!("column '{}': {why}", column.name()))?;
            let at = plan.fields.len();
            plan.note(field.number(), at);
            if let Some(oneof) = field.containing_oneof() {
                oneofs
                    .entry(oneof.full_name().to_owned())
                    .or_default()
                    .push(at);
            }
            plan.fields.push(FieldPlan {
                column: place,
                absent: absent(&field, column, absence),
                read,
                rivals: Vec::new(),
                seen: false,
                parts: Vec::new(),
            });
        }
        for members in oneofs.values() {
            for member in members {
                let rivals = members.iter().copied().filter(|rival| rival != member);
                if let Some(field) = plan.fields.get_mut(*member) {
                    field.rivals = rivals.collect();
                }
            }
        }
        Ok(plan)
    }

    fn note(&mut self, number: u32, place: usize) {
        let low = usize::try_from(number)
            .ok()
            .and_then(|number| self.low.get_mut(number));
        match (low, u16::try_from(place + 1)) {
            (Some(low), Ok(place)) => *low = place,
            _ => drop(self.high.insert(number, place)),
        }
    }

    /// The place of a field that is read.
    #[inline]
    pub(super) fn place(&self, number: u32) -> Option<usize> {
        match self.low.get(number as usize) {
            Some(0) if self.high.is_empty() => None,
            Some(place @ 1..) => Some(usize::from(*place) - 1),
            _ => self.high.get(&number).copied(),
        }
    }
}

impl Scalar {
    /// How numbers of a kind are declared; `None` if it is no number.
    pub(super) fn of(kind: &Kind) -> Option<Self> {
        Some(match kind {
            Kind::Bool => Self::Bool,
            Kind::Int32 => Self::Int32,
            Kind::Int64 => Self::Int64,
            Kind::Uint32 => Self::Uint32,
            Kind::Uint64 => Self::Uint64,
            Kind::Sint32 => Self::Sint32,
            Kind::Sint64 => Self::Sint64,
            Kind::Fixed32 => Self::Fixed32,
            Kind::Fixed64 => Self::Fixed64,
            Kind::Sfixed32 => Self::Sfixed32,
            Kind::Sfixed64 => Self::Sfixed64,
            Kind::Float => Self::Float,
            Kind::Double => Self::Double,
            _ => return None,
        })
    }

    pub(super) fn wire(self) -> WireType {
        match self {
            Self::Fixed32 | Self::Sfixed32 | Self::Float => WireType::Fixed32,
            Self::Fixed64 | Self::Sfixed64 | Self::Double => WireType::Fixed64,
            _ => WireType::Varint,
        }
    }

    /// Whether a column of a type can take all its values, or most of them.
    pub(super) fn fits(self, column: &DataType) -> bool {
        match self {
            Self::Bool => *column == DataType::Boolean,
            Self::Float => matches!(column, DataType::Float32 | DataType::Float64),
            Self::Double => *column == DataType::Float64,
            Self::Int64 | Self::Uint64 | Self::Sint64 | Self::Fixed64 | Self::Sfixed64 => {
                *column == DataType::Int64
            }
            _ => matches!(
                column,
                DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64
            ),
        }
    }
}

impl Read {
    /// How one value is written.
    pub(super) fn wire(&self) -> WireType {
        match self {
            Self::Scalar(scalar) => scalar.wire(),
            Self::Symbol(_) => WireType::Varint,
            _ => WireType::Length,
        }
    }
}

/// Whether an enum's unknown numbers count as absent.
pub(super) fn is_closed(of: &EnumDescriptor) -> bool {
    of.parent_file().syntax() == Syntax::Proto2
}

/// Whether a message is a point in time.
pub(super) fn is_timestamp(message: &MessageDescriptor) -> bool {
    message.full_name() == TIMESTAMP
}

fn read(field: &FieldDescriptor, column: &DataType, absence: Absence) -> Result<Read, String> {
    let refused = || {
        let column = sql_name(column);
        format!("the message has {} for {column}", name(field))
    };
    if field.is_map() {
        let (DataType::Map(entries, _), Kind::Message(entry)) = (column, field.kind()) else {
            return Err(refused());
        };
        let (key, value) = map_fields(entries).ok_or_else(refused)?;
        let (key_field, value_field) = (entry.map_entry_key_field(), entry.map_entry_value_field());
        if *key.data_type() != DataType::Utf8 || !matches!(key_field.kind(), Kind::String) {
            return Err("only maps with keys of STRING and 'string' can be read yet".to_owned());
        }
        return Ok(Read::Map {
            value: Box::new(read_one(&value_field, value.data_type(), absence)?),
            absent: default_of(&value_field),
        });
    }
    match column {
        DataType::List(element) if field.is_list() => {
            let element = read_one(field, element.data_type(), absence)?;
            Ok(Read::List(Box::new(element)))
        }
        _ if field.is_list() => Err(refused()),
        _ => read_one(field, column, absence),
    }
}

/// How one value of a field is read.
fn read_one(field: &FieldDescriptor, column: &DataType, absence: Absence) -> Result<Read, String> {
    let kind = field.kind();
    if let Some(scalar) = Scalar::of(&kind)
        && scalar.fits(column)
    {
        return Ok(Read::Scalar(scalar));
    }
    Ok(match (&kind, column) {
        (Kind::String, DataType::Utf8) => Read::Text,
        (Kind::Bytes, DataType::Binary) => Read::Bytes,
        (Kind::Enum(of), DataType::Utf8) => Read::Symbol(symbols(of)),
        (Kind::Enum(_), column) if Scalar::Int32.fits(column) => Read::Scalar(Scalar::Int32),
        (Kind::Message(message), DataType::Timestamp(..)) if is_timestamp(message) => {
            Read::Timestamp(unit_of(column))
        }
        (Kind::Message(message), DataType::Struct(columns)) if !field.is_group() => {
            Read::Row(Box::new(Plan::new(message, columns, absence)?))
        }
        _ => {
            let column = sql_name(column);
            return Err(format!("the message has {} for {column}", name(field)));
        }
    })
}

fn symbols(of: &EnumDescriptor) -> Symbols {
    let mut names = HashMap::new();
    for value in of.values() {
        // Of several names for one number the first counts.
        let name = names.entry(value.number());
        name.or_insert_with(|| value.name().to_owned());
    }
    Symbols {
        names,
        is_closed: is_closed(of),
    }
}

/// What messages call a field's type.
pub(super) fn name(field: &FieldDescriptor) -> String {
    let kind = match field.kind() {
        Kind::Message(_) if field.is_map() => return "a map".to_owned(),
        Kind::Message(message) => format!("message {}", message.full_name()),
        Kind::Enum(of) => format!("enum {}", of.full_name()),
        other => format!("{other:?}").to_lowercase(),
    };
    if field.is_list() {
        format!("repeated {kind}")
    } else {
        kind
    }
}

/// What a column has when its field is absent; `None` is null.
fn absent(field: &FieldDescriptor, column: &Column, absence: Absence) -> Option<Vec<u8>> {
    let is_collection = field.is_list() || field.is_map();
    let has_default = if is_collection {
        // Nothing is written for an empty one.
        absence.read_default_values || !column.is_nullable()
    } else {
        absence.read_default_values || !field.supports_presence()
    };
    has_default.then(|| default_of(field))
}

/// The default value of a field as it is written.
fn default_of(field: &FieldDescriptor) -> Vec<u8> {
    let mut out = Vec::new();
    match field.default_value() {
        Value::Bool(value) => write_varint(value.into(), &mut out),
        Value::I32(value) => write_number(field, value.into(), &mut out),
        Value::I64(value) => write_number(field, value, &mut out),
        Value::U32(value) => write_number(field, value.into(), &mut out),
        Value::U64(value) => write_number(field, value.cast_signed(), &mut out),
        Value::EnumNumber(value) => write_varint(i64::from(value).cast_unsigned(), &mut out),
        Value::F32(value) => out.extend_from_slice(&value.to_le_bytes()),
        Value::F64(value) => out.extend_from_slice(&value.to_le_bytes()),
        Value::String(value) => write_bytes(value.as_bytes(), &mut out),
        Value::Bytes(value) => write_bytes(&value, &mut out),
        Value::Message(_) | Value::List(_) | Value::Map(_) => write_bytes(&[], &mut out),
    }
    out
}

fn write_number(field: &FieldDescriptor, value: i64, out: &mut Vec<u8>) {
    match Scalar::of(&field.kind()) {
        Some(Scalar::Sint32 | Scalar::Sint64) => write_varint(zigzag(value), out),
        Some(scalar) if scalar.wire() == WireType::Fixed32 => {
            out.extend_from_slice(value.to_le_bytes().first_chunk::<4>().unwrap_or(&[0; 4]));
        }
        Some(scalar) if scalar.wire() == WireType::Fixed64 => {
            out.extend_from_slice(&value.to_le_bytes());
        }
        _ => write_varint(value.cast_unsigned(), out),
    }
}
