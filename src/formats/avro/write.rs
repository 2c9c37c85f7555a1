//! Rows in Avro's binary encoding, by any schema that their columns fit.

use std::collections::HashMap;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, BooleanArray, StringArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Fields, Float32Type, Float64Type, TimeUnit,
};

use super::cursor::{length, write_bytes, write_long};
use super::default;
use super::plan::Scale;
use super::schema::{Field, Logical, Schema, Type, TypeId};
use crate::formats::cells::{self, Integers, within};
use crate::formats::column::{map_fields, sql_name, unit_of};
use crate::formats::datetime::nanos_per;
use crate::formats::decimal;

/// Rows on their way out: their columns, looked at once by type and then row by row.
pub(super) struct Record<'a> {
    /// In the order of the schema.
    fields: Vec<FieldWriter<'a>>,
    /// The number of its branch, if the schema is a union.
    branch: Option<i64>,
}

enum FieldWriter<'a> {
    Column(Column<'a>),
    /// What a field has for which there is no column.
    Default(Vec<u8>),
}

struct Column<'a> {
    /// What messages call it.
    path: String,
    nulls: Option<&'a NullBuffer>,
    /// The numbers of the branches of null and of the values, if it is a union.
    union: Option<Branches>,
    values: Values<'a>,
}

struct Branches {
    null: Option<i64>,
    value: i64,
}

enum Values<'a> {
    /// Whatever is written for null alone.
    Nothing,
    Boolean(&'a BooleanArray),
    Integers(Integers<'a>),
    Float32(&'a [f32]),
    /// As doubles.
    Float64(Numbers<'a>),
    Text(&'a StringArray),
    Symbols(&'a StringArray, HashMap<String, i64>),
    Binary(&'a BinaryArray),
    Fixed(&'a BinaryArray, usize),
    Decimal(Decimals<'a>),
    /// In nanoseconds of so many.
    Time(Integers<'a>, i64, i64),
    Timestamp(&'a [i64], Scale),
    Row(Record<'a>),
    List(&'a [i32], Box<Column<'a>>),
    Map(&'a [i32], &'a StringArray, Box<Column<'a>>),
}

enum Numbers<'a> {
    Whole(Integers<'a>),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
}

struct Decimals<'a> {
    values: &'a [i128],
    /// Of the columns.
    from_scale: u32,
    /// Of the schema.
    precision: u8,
    scale: i8,
    size: Option<usize>,
}

impl<'a> Record<'a> {
    /// How `columns` are written as records of `schema`.
    ///
    /// # Errors
    /// If they do not fit it.
    pub(super) fn new(
        schema: &Schema,
        names: &Fields,
        columns: &'a [ArrayRef],
    ) -> Result<Self, String> {
        let of = |id: TypeId, branch: Option<i64>| match schema.get(id) {
            Type::Record { fields } => {
                Self::of_fields(schema, fields, names, columns, "", branch).map(Some)
            }
            _ => Ok(None),
        };
        let found = match schema.get(schema.root) {
            Type::Union(branches) => {
                let mut found = None;
                for (place, branch) in branches.iter().enumerate() {
                    found = of(*branch, Some(length(place)))?;
                    if found.is_some() {
                        break;
                    }
                }
                found
            }
            _ => of(schema.root, None)?,
        };
        found.ok_or_else(|| format!("{} is no record", schema.name(schema.root)))
    }

    fn of_fields(
        schema: &Schema,
        fields: &[Field],
        names: &Fields,
        columns: &'a [ArrayRef],
        path: &str,
        branch: Option<i64>,
    ) -> Result<Self, String> {
        let has = |name: &str| fields.iter().any(|field| field.name == name);
        if let Some(unknown) = names.iter().find(|column| !has(column.name())) {
            let name = unknown.name();
            return Err(format!(
                "the schema has no field for the column '{path}{name}'"
            ));
        }
        let writer = |field: &Field| {
            let Some(place) = names.iter().position(|column| *column.name() == field.name) else {
                let value = field.default.as_ref().ok_or_else(|| {
                    let name = &field.name;
                    format!("there is no column for the field '{path}{name}', which has no default")
                })?;
                let mut bytes = Vec::new();
                default::write(schema, field.of, value, &mut bytes)
                    .map_err(|why| format!("the default value of '{}' {why}", field.name))?;
                return Ok(FieldWriter::Default(bytes));
            };
            let column = &columns[place];
            let path = format!("{path}{}", field.name);
            Column::new(schema, field.of, column, path).map(FieldWriter::Column)
        };
        let fields = fields.iter().map(writer);
        Ok(Self {
            fields: fields.collect::<Result<_, String>>()?,
            branch,
        })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// If a value of it cannot be written; what was appended is the caller's to take back.
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
        if let Some(branch) = self.branch {
            write_long(branch, out);
        }
        for field in &self.fields {
            match field {
                FieldWriter::Column(column) => column.write(row, out)?,
                FieldWriter::Default(bytes) => out.extend_from_slice(bytes),
            }
        }
        Ok(())
    }
}

impl<'a> Column<'a> {
    fn new(schema: &Schema, of: TypeId, array: &'a ArrayRef, path: String) -> Result<Self, String> {
        let refused = || {
            let (name, column) = (schema.name(of), sql_name(array.data_type()));
            format!("column '{path}': {column} cannot be written as {name}")
        };
        let Type::Union(branches) = schema.get(of) else {
            let values = Values::new(schema, of, array, &path)?.ok_or_else(refused)?;
            return Ok(Self {
                nulls: array.nulls(),
                union: None,
                values,
                path,
            });
        };
        let mut union = Branches {
            null: None,
            value: 0,
        };
        let mut values = None;
        for (place, branch) in branches.iter().enumerate() {
            if matches!(schema.get(*branch), Type::Null) {
                union.null = Some(length(place));
            } else if values.is_none() {
                values = Values::new(schema, *branch, array, &path)?;
                union.value = length(place);
            }
        }
        Ok(Self {
            nulls: array.nulls(),
            union: Some(union),
            values: values.ok_or_else(refused)?,
            path,
        })
    }

    fn refused(&self, why: &str) -> String {
        format!("column '{}': {why}", self.path)
    }

    #[inline]
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return self.write_null(out);
        }
        if let Some(union) = &self.union {
            write_long(union.value, out);
        }
        match &self.values {
            Values::Integers(values) => write_long(values.get(row), out),
            Values::Text(values) => write_bytes(values.value(row).as_bytes(), out),
            Values::Timestamp(values, scale) => match scale.apply(values[row]) {
                Some(time) => write_long(time, out),
                None => return Err(self.refused("the time is too far away for the schema")),
            },
            _ => return self.write_other(row, out),
        }
        Ok(())
    }

    fn write_null(&self, out: &mut Vec<u8>) -> Result<(), String> {
        match self.union.as_ref().and_then(|union| union.null) {
            Some(null) => write_long(null, out),
            None if matches!(self.values, Values::Nothing) => {}
            None => return Err(self.refused("is NULL, which the schema does not allow")),
        }
        Ok(())
    }

    #[inline(never)]
    fn write_other(&self, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
        match &self.values {
            Values::Boolean(values) => out.push(u8::from(values.value(row))),
            Values::Float32(values) => out.extend_from_slice(&values[row].to_le_bytes()),
            Values::Float64(values) => out.extend_from_slice(&values.get(row).to_le_bytes()),
            Values::Symbols(values, symbols) => {
                let symbol = values.value(row);
                let place = symbols.get(symbol);
                let unknown = || self.refused(&format!("the enum has no symbol '{symbol}'"));
                write_long(*place.ok_or_else(unknown)?, out);
            }
            Values::Binary(values) => write_bytes(values.value(row), out),
            Values::Fixed(values, size) => {
                let bytes = values.value(row);
                if bytes.len() != *size {
                    let has = bytes.len();
                    return Err(
                        self.refused(&format!("has {has} bytes where the schema has {size}"))
                    );
                }
                out.extend_from_slice(bytes);
            }
            Values::Decimal(values) => {
                let written = values.write(row, out);
                written.ok_or_else(|| self.refused("the number is too large for the schema"))?;
            }
            Values::Time(values, from, to) => write_long(values.get(row) * from / to, out),
            Values::Row(record) => record.write(row, out)?,
            Values::List(ends, elements) => {
                let places = within(ends, row);
                write_count(places.len(), out);
                for place in places.clone() {
                    elements.write(place, out)?;
                }
                if !places.is_empty() {
                    out.push(0);
                }
            }
            Values::Map(ends, keys, values) => {
                let places = within(ends, row);
                write_count(places.len(), out);
                for place in places.clone() {
                    write_bytes(keys.value(place).as_bytes(), out);
                    values.write(place, out)?;
                }
                if !places.is_empty() {
                    out.push(0);
                }
            }
            Values::Nothing | Values::Integers(_) | Values::Text(_) | Values::Timestamp(..) => {
                unreachable!("what is frequent was written before")
            }
        }
        Ok(())
    }
}

/// Begins the one block of an array or map; without elements this ends it.
fn write_count(count: usize, out: &mut Vec<u8>) {
    write_long(length(count), out);
}

impl<'a> Values<'a> {
    /// `None` if values of the array's type are none of the schema's type.
    fn new(
        schema: &Schema,
        of: TypeId,
        array: &'a ArrayRef,
        path: &str,
    ) -> Result<Option<Self>, String> {
        let column = array.data_type();
        Ok(Some(match (schema.get(of), column) {
            (Type::Null, DataType::Null) => Self::Nothing,
            (Type::Boolean, DataType::Boolean) => Self::Boolean(array.as_boolean()),
            (Type::Int(None), DataType::Int8 | DataType::Int16 | DataType::Int32)
            | (
                Type::Long(None),
                DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64,
            ) => Self::Integers(Integers::new(array)),
            (Type::Int(Some(Logical::Date) | None), DataType::Date32) => {
                Self::Integers(Integers::Int32(slice::<Date32Type>(array)))
            }
            (
                Type::Int(Some(Logical::Time(unit))) | Type::Long(Some(Logical::Time(unit))),
                DataType::Time32(from) | DataType::Time64(from),
            ) => {
                let times = match column {
                    DataType::Time32(_) => Integers::Int32(cells::times32(array, *from)),
                    _ => Integers::Int64(cells::times64(array, *from)),
                };
                Self::Time(times, nanos_per(*from), nanos_per(*unit))
            }
            (
                Type::Long(logical @ (Some(Logical::Timestamp(_)) | None)),
                DataType::Timestamp(..),
            ) => {
                let unit = match logical {
                    Some(Logical::Timestamp(unit)) => *unit,
                    _ => TimeUnit::Millisecond,
                };
                let from = unit_of(column);
                Self::Timestamp(cells::timestamps(array, from), Scale::between(from, unit))
            }
            (Type::Float, DataType::Float32) => Self::Float32(slice::<Float32Type>(array)),
            (Type::Double, DataType::Float32) => {
                Self::Float64(Numbers::Float32(slice::<Float32Type>(array)))
            }
            (Type::Double, DataType::Float64) => {
                Self::Float64(Numbers::Float64(slice::<Float64Type>(array)))
            }
            (Type::Double, DataType::Int8 | DataType::Int16 | DataType::Int32) => {
                Self::Float64(Numbers::Whole(Integers::new(array)))
            }
            (Type::String, DataType::Utf8) => Self::Text(array.as_string()),
            (Type::Enum { symbols }, DataType::Utf8) => {
                let places = symbols.iter().enumerate();
                let places = places.map(|(place, symbol)| (symbol.clone(), length(place)));
                Self::Symbols(array.as_string(), places.collect())
            }
            (Type::Bytes(_), DataType::Binary) => Self::Binary(array.as_binary()),
            (Type::Fixed { size, .. }, DataType::Binary) => Self::Fixed(array.as_binary(), *size),
            (_, DataType::Decimal128(..)) => {
                return Ok(decimals(schema, of, array).map(Self::Decimal));
            }
            (Type::Record { fields }, DataType::Struct(names)) => {
                let columns = array.as_struct().columns();
                let path = format!("{path}.");
                let record = Record::of_fields(schema, fields, names, columns, &path, None);
                Self::Row(record?)
            }
            (Type::Array(items), DataType::List(_)) => {
                let list = array.as_list::<i32>();
                let path = format!("{path}[]");
                let elements = Column::new(schema, *items, list.values(), path)?;
                Self::List(list.value_offsets(), Box::new(elements))
            }
            (Type::Map(values), DataType::Map(entries, _))
                if map_fields(entries)
                    .is_some_and(|(key, _)| *key.data_type() == DataType::Utf8) =>
            {
                let map = array.as_map();
                let path = format!("{path}[]");
                let values = Column::new(schema, *values, map.values(), path)?;
                Self::Map(
                    map.value_offsets(),
                    map.keys().as_string(),
                    Box::new(values),
                )
            }
            _ => return Ok(None),
        }))
    }
}

/// Decimals by a schema of decimals.
fn decimals<'a>(schema: &Schema, of: TypeId, array: &'a ArrayRef) -> Option<Decimals<'a>> {
    let &DataType::Decimal128(_, from_scale) = array.data_type() else {
        return None;
    };
    let (logical, size) = match schema.get(of) {
        Type::Bytes(logical) => (*logical, None),
        Type::Fixed { logical, size } => (*logical, Some(*size)),
        _ => return None,
    };
    let Some(Logical::Decimal { precision, scale }) = logical else {
        return None;
    };
    Some(Decimals {
        values: slice::<Decimal128Type>(array),
        from_scale: u32::try_from(from_scale).ok()?,
        precision: u8::try_from(precision)
            .unwrap_or(u8::MAX)
            .min(decimal::PRECISION_MAX),
        scale: i8::try_from(scale).ok()?,
        size,
    })
}

fn slice<T: ArrowPrimitiveType>(array: &ArrayRef) -> &[T::Native] {
    array.as_primitive::<T>().values()
}

impl Numbers<'_> {
    fn get(&self, row: usize) -> f64 {
        match self {
            #[expect(
                clippy::cast_precision_loss,
                reason = "only integers of up to 32 bits are written as doubles"
            )]
            Self::Whole(values) => values.get(row) as f64,
            Self::Float32(values) => values[row].into(),
            Self::Float64(values) => values[row],
        }
    }
}

impl Decimals<'_> {
    /// Appends a number in as few bytes as it needs, or in as many as the schema has.
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Option<()> {
        let value = decimal::rescale(
            self.values[row],
            self.from_scale,
            self.precision,
            self.scale,
        )?;
        let whole = value.to_be_bytes();
        let sign = if value < 0 { 0xff } else { 0 };
        let is_needed = |at: usize| {
            // The first byte that is kept shows the sign.
            whole[at] != sign || (whole[at + 1] & 0x80 != 0) != (value < 0)
        };
        let start = (0..15).find(|at| is_needed(*at)).unwrap_or(15);
        let bytes = whole.get(start..)?;
        match self.size {
            None => write_bytes(bytes, out),
            Some(size) => {
                let front = size.checked_sub(bytes.len())?;
                out.extend(std::iter::repeat_n(sign, front));
                out.extend_from_slice(bytes);
            }
        }
        Some(())
    }
}
