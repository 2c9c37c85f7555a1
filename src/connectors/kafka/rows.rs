//! Makes rows of records: the columns of their values and keys, and behind them the
//! metadata.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema, SchemaRef};
use indexmap::IndexMap;

use super::metadata::MetadataBuilder;
use super::parts::{Part, Parts, TableKind};
use crate::connectors::split_metadata;
use crate::formats::{Decoder, Fetch, RowError};
use crate::kafka::Message;
use crate::runtime::{Error, Result};
use crate::stream::{Batch, ChangeKind};

/// Makes rows of records.
pub(super) struct RowBuilder {
    /// The columns without the metadata.
    schema: SchemaRef,
    value: Half,
    /// Without it a row is its value.
    key: Option<KeyedRows>,
    metadata: Option<MetadataBuilder>,
}

/// A decoder of some columns.
struct Half {
    decoder: Box<dyn Decoder>,
    /// Their places among the decoded columns.
    places: Vec<usize>,
}

/// What a row has of its record's key.
struct KeyedRows {
    half: Half,
    is_upsert: bool,
    /// The decoded value and key of each row. A value whose key is no row is left out; a row
    /// without a value is deleted.
    picks: Vec<(Option<u32>, Option<u32>)>,
}

impl Half {
    /// The decoder of those of the `decoded` columns that `is_own`.
    fn new(
        part: &Part,
        table: &SchemaRef,
        decoded: &SchemaRef,
        is_own: impl Fn(usize) -> bool,
    ) -> Self {
        let (mut places, mut fields) = (Vec::new(), Vec::new());
        for (place, field) in decoded.fields().iter().enumerate() {
            let column = table.index_of(field.name()).ok();
            let of_part = part.columns.iter().position(|own| Some(*own) == column);
            if let (Some(of_part), true) = (of_part, is_own(place)) {
                // A deletion has nulls where a value may have none.
                let own = part.schema.field(of_part);
                let field = Field::clone(field).with_name(own.name());
                fields.push(field.with_nullable(own.is_nullable()));
                places.push(place);
            }
        }
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        Self {
            decoder: part.format.decoder(&part.schema, &schema),
            places,
        }
    }

    /// Appends the rows of a record; their numbers.
    fn push(&mut self, record: &[u8]) -> std::result::Result<Range<u32>, RowError> {
        let number = |rows: usize| u32::try_from(rows).unwrap_or(u32::MAX);
        let before = number(self.decoder.num_rows());
        self.decoder.push(record)?;
        Ok(before..number(self.decoder.num_rows()))
    }
}

impl RowBuilder {
    /// A builder of rows of `schema`, some columns of `table`, whose columns `metadata` has by
    /// name with their keys, if they are metadata.
    pub fn new(
        schema: &SchemaRef,
        table: &SchemaRef,
        metadata: &IndexMap<String, String>,
        parts: &Parts,
    ) -> Result<Self> {
        let (decoded, keys) = split_metadata(schema, metadata);
        let is_upsert = parts.kind == TableKind::Upsert;
        // What the value has, too, is read there; but a deletion has the key alone.
        let of_key = |place: usize| {
            let column = table.index_of(decoded.field(place).name()).ok();
            let has = |part: &Part| part.columns.iter().any(|own| Some(*own) == column);
            let key = parts.key.as_ref();
            key.is_some_and(|key| has(key) && (is_upsert || !has(&parts.value)))
        };
        let key = parts.key.as_ref().map(|part| KeyedRows {
            half: Half::new(part, table, &decoded, of_key),
            is_upsert,
            picks: Vec::new(),
        });
        Ok(Self {
            value: Half::new(&parts.value, table, &decoded, |place| !of_key(place)),
            key: key.filter(|key| is_upsert || !key.half.places.is_empty()),
            metadata: MetadataBuilder::new(schema, &keys).map_err(Error::Fatal)?,
            schema: decoded,
        })
    }

    /// Appends the rows of a record, if it holds any. A record without a value is none of an
    /// append-only table.
    pub fn push(&mut self, message: Message<'_>) -> std::result::Result<(), RowError> {
        let rows = match (&mut self.key, message.payload()) {
            (None, None) => 0,
            (None, Some(value)) => self.value.push(value)?.len(),
            (Some(key), payload) => key.push(&mut self.value, message.key(), payload)?,
        };
        if let Some(metadata) = &mut self.metadata {
            (0..rows).for_each(|_| metadata.push(message));
        }
        Ok(())
    }

    /// What has to be had before the record can be judged that was refused last.
    pub fn missing(&mut self) -> Option<Fetch> {
        let key = self.key.as_mut().map(|key| &mut key.half);
        let mut halves = std::iter::once(&mut self.value).chain(key);
        halves.find_map(|half| half.decoder.missing())
    }

    /// Takes the rows since the last call.
    pub fn finish(&mut self) -> Batch {
        let values = self.value.decoder.finish_changes();
        let mut rows = match &mut self.key {
            Some(key) => key.finish(&values, &self.value.places, &self.schema),
            None => values,
        };
        if let Some(metadata) = &mut self.metadata {
            rows.records = metadata.finish(&rows.records);
        }
        rows
    }
}

impl KeyedRows {
    /// Decodes key and value; how many rows they make.
    fn push(
        &mut self,
        values: &mut Half,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> std::result::Result<usize, RowError> {
        let rows: Vec<_> = match value {
            Some(value) => values.push(value)?.map(Some).collect(),
            None if self.is_upsert => vec![None],
            None => Vec::new(),
        };
        if rows.is_empty() {
            return Ok(0);
        }
        let key = match key {
            Some(key) => self.half.push(key)?.last(),
            None if self.is_upsert => {
                let why = "the record has no key, so that nobody knows which row it is";
                return Err(RowError(why.to_owned()));
            }
            None => None,
        };
        self.picks.extend(rows.iter().map(|row| (*row, key)));
        Ok(rows.len())
    }

    fn finish(&mut self, values: &Batch, of_value: &[usize], schema: &SchemaRef) -> Batch {
        let picks = std::mem::take(&mut self.picks);
        let keys = self.half.decoder.finish();
        let of_rows: UInt32Array = picks.iter().map(|(row, _)| *row).collect();
        let of_keys: UInt32Array = picks.iter().map(|(_, key)| *key).collect();
        let mut columns: Vec<Option<ArrayRef>> = vec![None; schema.fields().len()];
        for (half, places, rows) in [
            (&values.records, of_value, &of_rows),
            (&keys, &*self.half.places, &of_keys),
        ] {
            for (column, &place) in half.columns().iter().zip(places) {
                columns[place] = Some(picked(column, rows));
            }
        }
        let columns: Option<Vec<_>> = columns.into_iter().collect();
        let columns = columns.expect("each column is of the key or of the value");
        let kind = |(row, _): &(Option<u32>, _)| match *row {
            None => ChangeKind::Delete,
            Some(_) if self.is_upsert => ChangeKind::UpdateAfter,
            Some(row) => values.kind(row as usize),
        };
        let has_kinds = self.is_upsert || values.kinds.is_some();
        let kinds = has_kinds.then(|| picks.iter().map(kind).collect());
        let rows = RecordBatchOptions::new().with_row_count(Some(picks.len()));
        let records = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &rows);
        Batch::with_kinds(records.expect("columns of the schema"), kinds)
    }
}

/// The values of these rows; null where there is no row.
fn picked(column: &ArrayRef, rows: &UInt32Array) -> ArrayRef {
    if column.is_empty() {
        return new_null_array(column.data_type(), rows.len());
    }
    take(column, rows, None).expect("rows of the column")
}
