//! Rows as Protobuf messages, their fields in the order of their numbers.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray, StringArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Fields, Float32Type, Float64Type, TimeUnit};
use protox::prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::plan::{Scalar, is_timestamp, name};
use super::wire::{WireType, put_length, write_bytes, write_varint, zigzag};
use crate::formats::cells::{Integers, timestamps, within};
use crate::formats::column::{sql_name, unit_of};
use crate::formats::datetime::nanos_per;

/// Rows on their way out: their columns, looked at once by type and then row by row.
pub(in crate::formats) struct Message<'a> {
    fields: Vec<Field<'a>>,
}

struct Field<'a> {
    /// What messages call it.
    path: String,
    tag: Vec<u8>,
    nulls: Option<&'a NullBuffer>,
    /// Whether a default value is written too, as it is told from none.
    has_presence: bool,
    is_required: bool,
    /// The columns behind this one that take its place if they are not null.
    rivals: Vec<Option<&'a NullBuffer>>,
    values: Values<'a>,
}

enum Values<'a> {
    One(One<'a>),
    /// Elements of numbers stand together.
    Packed(&'a [i32], Option<&'a NullBuffer>, One<'a>),
    List(&'a [i32], Option<&'a NullBuffer>, One<'a>),
    Map {
        ends: &'a [i32],
        keys: &'a StringArray,
        nulls: Option<&'a NullBuffer>,
        value_tag: Vec<u8>,
        values: One<'a>,
    },
}

/// What stands behind a tag.
enum One<'a> {
    Bool(&'a BooleanArray),
    Integer(Scalar, Integers<'a>),
    Float(&'a [f32]),
    Double(Doubles<'a>),
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
    Symbol(&'a StringArray, Symbols),
    Timestamp(&'a [i64], TimeUnit),
    Message(Message<'a>),
}

/// The values of an enum by name.
struct Symbols {
    numbers: HashMap<String, i32>,
    /// The one that stands for nothing.
    first: i32,
}

enum Doubles<'a> {
    Float32(&'a [f32]),
    Float64(&'a [f64]),
}

impl<'a> Message<'a> {
    /// How `columns` are written as messages of a kind.
    ///
    /// # Errors
    /// If they do not fit it.
    pub(in crate::formats) fn new(
        message: &MessageDescriptor,
        names: &Fields,
        columns: &'a [ArrayRef],
    ) -> Result<Self, String> {
        Self::inside(message, names, columns, "")
    }

    fn inside(
        message: &MessageDescriptor,
        names: &Fields,
        columns: &'a [ArrayRef],
        path: &str,
    ) -> Result<Self, String> {
        let mut fields = Vec::with_capacity(columns.len());
        for (column, array) in names.iter().zip(columns) {
            let field = message.get_field_by_name(column.name()).ok_or_else(|| {
                let name = column.name();
                format!(
                    "the message '{}' has no field '{path}{name}'",
                    message.full_name()
                )
            })?;
            fields.push((
                Field::new(&field, array, format!("{path}{}", column.name()))?,
                field,
            ));
        }
        let required = message
            .fields()
            .find(|field| field.is_required() && !fields.iter().any(|(_, known)| known == field));
        if let Some(missing) = required {
            let name = missing.name();
            return Err(format!(
                "there is no column for the required field '{path}{name}'"
            ));
        }
        let oneof = |field: &FieldDescriptor| {
            field
                .containing_oneof()
                .map(|oneof| oneof.full_name().to_owned())
        };
        let groups: Vec<_> = fields
            .iter()
            .map(|(field, of)| (oneof(of), field.nulls))
            .collect();
        for (place, (field, of)) in fields.iter_mut().enumerate() {
            let group = oneof(of);
            let behind = groups.get(place + 1..).unwrap_or_default().iter();
            let rivals = behind.filter(|(other, _)| group.is_some() && *other == group);
            field.rivals = rivals.map(|(_, nulls)| *nulls).collect();
        }
        fields.sort_by_key(|(_, of)| of.number());
        Ok(Self {
            fields: fields.into_iter().map(|(field, _)| field).collect(),
        })
    }

    /// Appends a row; `null_text` is written for a null text in a list or map.
    ///
    /// # Errors
    /// If a value of it cannot be written; what was appended is the caller's to take back.
    pub(in crate::formats) fn write(
        &self,
        row: usize,
        null_text: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        self.fields
            .iter()
            .try_for_each(|field| field.write(row, null_text, out))
    }
}

fn is_null(nulls: Option<&NullBuffer>, row: usize) -> bool {
    nulls.is_some_and(|nulls| nulls.is_null(row))
}

impl<'a> Field<'a> {
    fn new(field: &FieldDescriptor, array: &'a ArrayRef, path: String) -> Result<Self, String> {
        let refused = |of: &DataType| {
            let (of, written) = (sql_name(of), name(field));
            format!("column '{path}': {of} cannot be written as {written}")
        };
        let kind = field.kind();
        let one = |of: &FieldDescriptor, array: &'a ArrayRef, path: String| {
            One::new(of, array, &path)?.ok_or_else(|| refused(array.data_type()))
        };
        let mut wire = None;
        let values = match array.data_type() {
            DataType::List(_) if field.is_list() => {
                let list = array.as_list::<i32>();
                let (ends, elements) = (list.value_offsets(), list.values());
                let values = one(field, elements, format!("{path}[]"))?;
                if field.is_packed() {
                    wire = Some(WireType::Length);
                    Values::Packed(ends, elements.nulls(), values)
                } else {
                    Values::List(ends, elements.nulls(), values)
                }
            }
            DataType::Map(..) if field.is_map() => {
                wire = Some(WireType::Length);
                let map = array.as_map();
                let Kind::Message(entry) = &kind else {
                    return Err(refused(array.data_type()));
                };
                let has_text_keys = matches!(entry.map_entry_key_field().kind(), Kind::String)
                    && *map.keys().data_type() == DataType::Utf8;
                if !has_text_keys {
                    return Err(refused(array.data_type()));
                }
                let value = entry.map_entry_value_field();
                Values::Map {
                    ends: map.value_offsets(),
                    keys: map.keys().as_string(),
                    nulls: map.values().nulls(),
                    value_tag: tag(2, wire_of(&value)),
                    values: one(&value, map.values(), format!("{path}[]"))?,
                }
            }
            _ if field.is_list() || field.is_map() => return Err(refused(array.data_type())),
            _ => Values::One(one(field, array, path.clone())?),
        };
        Ok(Self {
            tag: tag(field.number(), wire.unwrap_or_else(|| wire_of(field))),
            nulls: array.nulls(),
            has_presence: field.supports_presence(),
            is_required: field.is_required(),
            rivals: Vec::new(),
            values,
            path,
        })
    }

    fn write(&self, row: usize, null_text: &str, out: &mut Vec<u8>) -> Result<(), String> {
        if is_null(self.nulls, row) {
            if self.is_required {
                return Err(format!(
                    "column '{}': is NULL, but the field is required",
                    self.path
                ));
            }
            return Ok(());
        }
        if self.rivals.iter().any(|nulls| !is_null(*nulls, row)) {
            return Ok(());
        }
        let named = |why: String| format!("column '{}': {why}", self.path);
        match &self.values {
            Values::One(one) => {
                if self.has_presence || !one.is_default(row) {
                    out.extend_from_slice(&self.tag);
                    one.write(row, null_text, out).map_err(named)?;
                }
            }
            Values::Packed(ends, nulls, one) => {
                let places = within(ends, row);
                if !places.is_empty() {
                    out.extend_from_slice(&self.tag);
                    let start = out.len();
                    for place in places {
                        one.write_or_default(place, *nulls, null_text, out)
                            .map_err(named)?;
                    }
                    put_length(start, out);
                }
            }
            Values::List(ends, nulls, one) => {
                for place in within(ends, row) {
                    out.extend_from_slice(&self.tag);
                    one.write_or_default(place, *nulls, null_text, out)
                        .map_err(named)?;
                }
            }
            Values::Map {
                ends,
                keys,
                nulls,
                value_tag,
                values,
            } => {
                for place in within(ends, row) {
                    out.extend_from_slice(&self.tag);
                    let start = out.len();
                    out.push(KEY_TAG);
                    write_bytes(keys.value(place).as_bytes(), out);
                    out.extend_from_slice(value_tag);
                    values
                        .write_or_default(place, *nulls, null_text, out)
                        .map_err(named)?;
                    put_length(start, out);
                }
            }
        }
        Ok(())
    }
}

/// Field 1, behind its length: the key of a map's entry.
const KEY_TAG: u8 = 0x0a;

fn tag(number: u32, wire: WireType) -> Vec<u8> {
    let mut tag = Vec::new();
    write_varint(u64::from(number) << 3 | wire as u64, &mut tag);
    tag
}

/// How one value of a field is written.
fn wire_of(field: &FieldDescriptor) -> WireType {
    let kind = field.kind();
    match &kind {
        Kind::Enum(_) => WireType::Varint,
        _ => Scalar::of(&kind).map_or(WireType::Length, Scalar::wire),
    }
}

impl<'a> One<'a> {
    /// `None` if values of the array's type are none of the field's.
    fn new(
        field: &FieldDescriptor,
        array: &'a ArrayRef,
        path: &str,
    ) -> Result<Option<Self>, String> {
        let column = array.data_type();
        let kind = field.kind();
        if let Some(scalar) = Scalar::of(&kind) {
            return Ok(Self::number(scalar, array));
        }
        Ok(Some(match (&kind, column) {
            (Kind::String, DataType::Utf8) => Self::Text(array.as_string()),
            (Kind::Bytes, DataType::Binary) => Self::Bytes(array.as_binary()),
            (Kind::Enum(of), DataType::Utf8) => {
                let numbers = of.values();
                let numbers = numbers.map(|value| (value.name().to_owned(), value.number()));
                let symbols = Symbols {
                    numbers: numbers.collect(),
                    first: of.default_value().number(),
                };
                Self::Symbol(array.as_string(), symbols)
            }
            (Kind::Enum(_), column) if Scalar::Int32.fits(column) => {
                Self::Integer(Scalar::Int32, Integers::new(array))
            }
            (Kind::Message(message), DataType::Timestamp(..)) if is_timestamp(message) => {
                let unit = unit_of(column);
                Self::Timestamp(timestamps(array, unit), unit)
            }
            (Kind::Message(message), DataType::Struct(names)) if !field.is_group() => {
                let columns = array.as_struct().columns();
                let path = format!("{path}.");
                Self::Message(Message::inside(message, names, columns, &path)?)
            }
            _ => return Ok(None),
        }))
    }

    fn number(scalar: Scalar, array: &'a ArrayRef) -> Option<Self> {
        let column = array.data_type();
        let is_short = matches!(column, DataType::Int8 | DataType::Int16 | DataType::Int32);
        let is_whole = match scalar {
            Scalar::Bool | Scalar::Float | Scalar::Double => false,
            Scalar::Int32 | Scalar::Sint32 | Scalar::Sfixed32 => is_short,
            _ => is_short || *column == DataType::Int64,
        };
        Some(match (scalar, column) {
            _ if is_whole => Self::Integer(scalar, Integers::new(array)),
            (Scalar::Bool, DataType::Boolean) => Self::Bool(array.as_boolean()),
            (Scalar::Float, DataType::Float32) => {
                Self::Float(array.as_primitive::<Float32Type>().values())
            }
            (Scalar::Double, DataType::Float32) => {
                let values = array.as_primitive::<Float32Type>().values();
                Self::Double(Doubles::Float32(values))
            }
            (Scalar::Double, DataType::Float64) => {
                let values = array.as_primitive::<Float64Type>().values();
                Self::Double(Doubles::Float64(values))
            }
            _ => return None,
        })
    }

    /// Whether a value is the one that an absent field stands for.
    fn is_default(&self, row: usize) -> bool {
        match self {
            Self::Bool(values) => !values.value(row),
            Self::Integer(_, values) => values.get(row) == 0,
            Self::Float(values) => values[row].to_bits() == 0,
            Self::Double(values) => values.get(row).to_bits() == 0,
            Self::Text(values) => values.value(row).is_empty(),
            Self::Bytes(values) => values.value(row).is_empty(),
            Self::Symbol(values, symbols) => symbols.numbers.get(values.value(row)) == Some(&0),
            Self::Timestamp(..) | Self::Message(_) => false,
        }
    }

    /// Appends a value without its tag.
    fn write(&self, row: usize, null_text: &str, out: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Self::Bool(values) => out.push(u8::from(values.value(row))),
            Self::Integer(scalar, values) => write_integer(*scalar, values.get(row), out)?,
            Self::Float(values) => out.extend_from_slice(&values[row].to_le_bytes()),
            Self::Double(values) => out.extend_from_slice(&values.get(row).to_le_bytes()),
            Self::Text(values) => write_bytes(values.value(row).as_bytes(), out),
            Self::Bytes(values) => write_bytes(values.value(row), out),
            Self::Symbol(values, symbols) => {
                let symbol = values.value(row);
                let number = symbols.numbers.get(symbol);
                let number = number.ok_or_else(|| format!("the enum has no value '{symbol}'"))?;
                write_varint(i64::from(*number).cast_unsigned(), out);
            }
            Self::Timestamp(values, unit) => {
                let start = out.len();
                write_timestamp(values[row], *unit, out);
                put_length(start, out);
            }
            Self::Message(message) => {
                let start = out.len();
                message
                    .fields
                    .iter()
                    .try_for_each(|field| field.write(row, null_text, out))?;
                put_length(start, out);
            }
        }
        Ok(())
    }

    /// The same inside a list or a map, which have no nulls.
    fn write_or_default(
        &self,
        place: usize,
        nulls: Option<&NullBuffer>,
        null_text: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        if !is_null(nulls, place) {
            return self.write(place, null_text, out);
        }
        match self {
            // A boolean, or the length of nothing.
            Self::Bool(_) | Self::Bytes(_) | Self::Timestamp(..) | Self::Message(_) => out.push(0),
            Self::Symbol(_, symbols) => {
                write_varint(i64::from(symbols.first).cast_unsigned(), out);
            }
            Self::Integer(scalar, _) => write_integer(*scalar, 0, out)?,
            Self::Float(_) => out.extend_from_slice(&[0; 4]),
            Self::Double(_) => out.extend_from_slice(&[0; 8]),
            Self::Text(_) => write_bytes(null_text.as_bytes(), out),
        }
        Ok(())
    }
}

impl Doubles<'_> {
    fn get(&self, row: usize) -> f64 {
        match self {
            Self::Float32(values) => values[row].into(),
            Self::Float64(values) => values[row],
        }
    }
}

fn write_integer(scalar: Scalar, value: i64, out: &mut Vec<u8>) -> Result<(), String> {
    let too_large = || format!("{value} has more than 32 bits");
    match scalar {
        Scalar::Sint32 | Scalar::Sint64 => write_varint(zigzag(value), out),
        Scalar::Fixed64 | Scalar::Sfixed64 => out.extend_from_slice(&value.to_le_bytes()),
        Scalar::Uint32 | Scalar::Fixed32 | Scalar::Sfixed32 => {
            // As Java has it, an INT has the bits of an unsigned number.
            let signed = i32::try_from(value).map(i32::cast_unsigned);
            let bits = signed
                .or_else(|_| u32::try_from(value))
                .map_err(|_| too_large())?;
            if scalar == Scalar::Uint32 {
                write_varint(bits.into(), out);
            } else {
                out.extend_from_slice(&bits.to_le_bytes());
            }
        }
        _ => write_varint(value.cast_unsigned(), out),
    }
    Ok(())
}

/// The fields of a point in time.
fn write_timestamp(time: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    let per_second = nanos_per(TimeUnit::Second) / nanos_per(unit);
    let (seconds, rest) = (time.div_euclid(per_second), time.rem_euclid(per_second));
    for (tag, value) in [(0x08, seconds), (0x10, rest * nanos_per(unit))] {
        if value != 0 {
            out.push(tag);
            write_varint(value.cast_unsigned(), out);
        }
    }
}
