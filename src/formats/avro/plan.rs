//! How values of a writer's schema become rows: which field goes into which column,
//! and what is done with the others.
//!
//! The schema that the rows are read by is that of the columns, so Avro's rules of
//! resolution are worked out here once for each writer's schema. Where Avro compares
//! names of records, nothing is compared: a row has no name.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field as ColumnField, FieldRef, Fields, TimeUnit};

use super::default;
use super::schema::{Field, Logical, Schema, Type, TypeId};
use crate::formats::column::{map_fields, sql_name, unit_of};
use crate::formats::datetime::nanos_per;

/// The way of whole records.
#[derive(Debug)]
pub(in crate::formats) struct Plan {
    pub(super) schema: Arc<Schema>,
    pub(super) root: Root,
}

/// What stands outermost.
#[derive(Debug)]
pub(super) enum Root {
    Record(RowPlan),
    /// One for each branch; why there is none, if it holds no row.
    Union(Vec<Result<RowPlan, String>>),
}

/// The way of a record into the columns of a row.
#[derive(Debug)]
pub(super) struct RowPlan {
    /// In the order in which they are written.
    pub fields: Vec<FieldPlan>,
    pub missing: Vec<Missing>,
}

/// What is done with a field.
#[derive(Debug)]
pub(super) enum FieldPlan {
    Into(usize, Read),
    Skip(TypeId),
}

/// A column that the writer does not know.
#[derive(Debug)]
pub(super) struct Missing {
    pub column: usize,
    /// What it has then; else it is null.
    pub default: Option<Default>,
}

/// A value as if it had been written.
#[derive(Debug)]
pub(super) struct Default {
    pub schema: Arc<Schema>,
    pub bytes: Vec<u8>,
    pub read: Read,
}

/// How a written value becomes one of a column.
#[derive(Debug)]
pub(super) enum Read {
    Null,
    Boolean,
    /// An `int`, into any number.
    Int,
    /// A `long`, into any number.
    Long,
    Float,
    Double,
    /// Bytes, into bytes.
    Bytes,
    /// A string or bytes, into text.
    Text,
    Fixed(usize),
    /// 16 bytes, into text.
    Uuid,
    Symbol(Arc<[String]>),
    /// Of so many bytes, or behind their length.
    Decimal {
        size: Option<usize>,
        scale: u32,
    },
    Date,
    /// Of so many nanoseconds each.
    Time {
        is_long: bool,
        nanos: i64,
    },
    Timestamp(Scale),
    Row(RowPlan),
    List(Box<Read>),
    Map(Box<Read>),
    /// A union of null and another type, null at this place.
    Optional {
        null: i64,
        read: Box<Read>,
    },
    /// One for each branch; why there is none, if the column cannot take it.
    Union(Vec<Result<Read, String>>),
}

/// From one unit of time to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    Times(i64),
    By(i64),
}

impl Scale {
    pub(super) fn between(from: TimeUnit, to: TimeUnit) -> Self {
        let (from, to) = (nanos_per(from), nanos_per(to));
        if from >= to {
            Self::Times(from / to)
        } else {
            Self::By(to / from)
        }
    }

    /// A time in the other unit; what does not count there is cut off towards the past.
    #[inline]
    pub(super) fn apply(self, time: i64) -> Option<i64> {
        match self {
            Self::Times(1) => Some(time),
            Self::Times(factor) => time.checked_mul(factor),
            Self::By(divisor) => Some(time.div_euclid(divisor)),
        }
    }
}

impl Plan {
    /// How records of `schema` become rows of `columns`. Aliases and default values
    /// are those of `reader`, if one is given.
    pub(in crate::formats) fn new(
        schema: Arc<Schema>,
        columns: &Fields,
        reader: Option<&Arc<Schema>>,
    ) -> Result<Self, String> {
        let resolver = Resolver {
            writer: &schema,
            reader,
        };
        let reader_root = reader.map(|reader| reader.root);
        let record = |id: TypeId| match schema.get(id) {
            Type::Record { fields } => resolver.row(fields, columns, reader_root),
            _ => Err(format!("{} is no record", schema.name(id))),
        };
        let root = match schema.get(schema.root) {
            Type::Union(branches) => {
                let rows: Vec<_> = branches.iter().map(|branch| record(*branch)).collect();
                if rows.iter().all(Result::is_err) {
                    return Err(format!("{} has no record", schema.name(schema.root)));
                }
                Root::Union(rows)
            }
            _ => Root::Record(record(schema.root)?),
        };
        Ok(Self { schema, root })
    }
}

struct Resolver<'a> {
    writer: &'a Schema,
    reader: Option<&'a Arc<Schema>>,
}

impl Resolver<'_> {
    fn row(
        &self,
        written: &[Field],
        columns: &Fields,
        reader: Option<TypeId>,
    ) -> Result<RowPlan, String> {
        let reader_field = |column: &ColumnField| self.reader_field(reader, column.name());
        let mut targets = vec![None; written.len()];
        let mut missing = Vec::new();
        for (place, column) in columns.iter().enumerate() {
            let known = reader_field(column);
            let aliases = known.map_or(&[][..], |field| &field.aliases);
            let names = std::iter::once(column.name()).chain(aliases);
            let mut found = names.filter_map(|name| written.iter().position(|f| f.name == *name));
            match found.next().and_then(|at| targets.get_mut(at)) {
                Some(target) => *target = Some((place, column)),
                None => missing.push(Missing {
                    column: place,
                    default: self.default_of(column, known)?,
                }),
            }
        }
        let field = |(field, target): (&Field, Option<(usize, &FieldRef)>)| {
            let Some((place, column)) = target else {
                return Ok(FieldPlan::Skip(field.of));
            };
            let reader = reader_field(column).map(|field| field.of);
            let read = self.value(field.of, column.data_type(), reader);
            let read = read.map_err(|why| format!("column '{}': {why}", column.name()))?;
            Ok(FieldPlan::Into(place, read))
        };
        let fields = written.iter().zip(targets).map(field);
        Ok(RowPlan {
            fields: fields.collect::<Result<_, String>>()?,
            missing,
        })
    }

    fn reader_field(&self, record: Option<TypeId>, name: &str) -> Option<&Field> {
        let reader = self.reader?;
        let fields = record_fields(reader, record?)?;
        fields.iter().find(|field| field.name == name)
    }

    fn default_of(
        &self,
        column: &ColumnField,
        known: Option<&Field>,
    ) -> Result<Option<Default>, String> {
        let (Some(reader), Some(field)) = (self.reader, known) else {
            return Ok(None);
        };
        let Some(value) = &field.default else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        default::write(reader, field.of, value, &mut bytes)
            .map_err(|why| format!("the default value of '{}' {why}", field.name))?;
        let itself = Resolver {
            writer: reader,
            reader: Some(reader),
        };
        Ok(Some(Default {
            schema: Arc::clone(reader),
            bytes,
            read: itself.value(field.of, column.data_type(), Some(field.of))?,
        }))
    }

    /// How a value of the writer's type `written` becomes one of a column.
    fn value(
        &self,
        written: TypeId,
        column: &DataType,
        reader: Option<TypeId>,
    ) -> Result<Read, String> {
        let refused = || {
            let name = self.writer.name(written);
            format!("the writer has {name} for {}", sql_name(column))
        };
        Ok(match (self.writer.get(written), column) {
            (Type::Union(branches), _) => self.union(branches, column, reader)?,
            (Type::Null, _) => Read::Null,
            (Type::Boolean, DataType::Boolean) => Read::Boolean,
            (
                Type::Int(Some(Logical::Time(_)) | None),
                DataType::Time32(_) | DataType::Time64(_),
            ) => Read::Time {
                is_long: false,
                nanos: nanos_per(TimeUnit::Millisecond),
            },
            (Type::Long(Some(Logical::Time(unit))), DataType::Time32(_) | DataType::Time64(_)) => {
                Read::Time {
                    is_long: true,
                    nanos: nanos_per(*unit),
                }
            }
            (Type::Int(Some(Logical::Date) | None), DataType::Date32) => Read::Date,
            (Type::Long(Some(Logical::Timestamp(unit))), DataType::Timestamp(..)) => {
                Read::Timestamp(Scale::between(*unit, unit_of(column)))
            }
            // Without a logical type it is what Flink's own schema would say.
            (Type::Long(None), DataType::Timestamp(..)) => {
                Read::Timestamp(Scale::between(TimeUnit::Millisecond, unit_of(column)))
            }
            (Type::Int(_), column) if is_number(column) => Read::Int,
            (Type::Long(_), column) if is_number(column) => Read::Long,
            (Type::Float, DataType::Float32 | DataType::Float64) => Read::Float,
            (Type::Double, DataType::Float64) => Read::Double,
            (Type::Bytes(Some(Logical::Decimal { scale, .. })), DataType::Decimal128(..)) => {
                Read::Decimal {
                    size: None,
                    scale: *scale,
                }
            }
            (
                Type::Fixed {
                    size,
                    logical: Some(Logical::Decimal { scale, .. }),
                },
                DataType::Decimal128(..),
            ) => Read::Decimal {
                size: Some(*size),
                scale: *scale,
            },
            (Type::String | Type::Bytes(_), DataType::Binary) => Read::Bytes,
            (Type::String | Type::Bytes(None), DataType::Utf8) => Read::Text,
            (
                Type::Fixed {
                    size: 16,
                    logical: Some(Logical::Uuid),
                },
                DataType::Utf8,
            ) => Read::Uuid,
            (Type::Fixed { size, .. }, DataType::Binary) => Read::Fixed(*size),
            (Type::Enum { symbols }, DataType::Utf8) => Read::Symbol(Arc::clone(symbols)),
            (Type::Record { fields }, DataType::Struct(columns)) => {
                Read::Row(self.row(fields, columns, reader)?)
            }
            (Type::Array(items), DataType::List(element)) => {
                let reader = self.reader_inner(reader);
                Read::List(Box::new(self.value(*items, element.data_type(), reader)?))
            }
            (Type::Map(values), DataType::Map(entries, _)) => {
                let (_, value) = map_fields(entries).ok_or_else(refused)?;
                let reader = self.reader_inner(reader);
                Read::Map(Box::new(self.value(*values, value.data_type(), reader)?))
            }
            _ => return Err(refused()),
        })
    }

    fn union(
        &self,
        branches: &[TypeId],
        column: &DataType,
        reader: Option<TypeId>,
    ) -> Result<Read, String> {
        let is_null = |branch: &TypeId| matches!(self.writer.get(*branch), Type::Null);
        match branches {
            [first, second] if is_null(first) || is_null(second) => {
                let (null, other) = if is_null(first) {
                    (0, second)
                } else {
                    (1, first)
                };
                return Ok(Read::Optional {
                    null,
                    read: Box::new(self.value(*other, column, reader)?),
                });
            }
            _ => {}
        }
        let reads = branches
            .iter()
            .map(|branch| self.value(*branch, column, reader));
        let reads: Vec<_> = reads.collect();
        if reads
            .iter()
            .any(|read| matches!(read, Ok(read) if !matches!(read, Read::Null)))
        {
            return Ok(Read::Union(reads));
        }
        let why = reads.into_iter().find_map(Result::err);
        Err(why.unwrap_or_else(|| "the writer has an empty union".to_owned()))
    }

    /// The type of the elements of the reader's array or map.
    fn reader_inner(&self, reader: Option<TypeId>) -> Option<TypeId> {
        let schema = self.reader?;
        match schema.get(not_null(schema, reader?)) {
            Type::Array(inner) | Type::Map(inner) => Some(*inner),
            _ => None,
        }
    }
}

fn record_fields(schema: &Schema, id: TypeId) -> Option<&[Field]> {
    match schema.get(not_null(schema, id)) {
        Type::Record { fields } => Some(fields),
        _ => None,
    }
}

/// The first branch of a union that is not null, or the type itself.
pub(super) fn not_null(schema: &Schema, id: TypeId) -> TypeId {
    match schema.get(id) {
        Type::Union(branches) => {
            let mut others = branches.iter().copied();
            let other = others.find(|branch| !matches!(schema.get(*branch), Type::Null));
            other.unwrap_or(id)
        }
        _ => id,
    }
}

fn is_number(column: &DataType) -> bool {
    matches!(
        column,
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Float32
            | DataType::Float64
    )
}
