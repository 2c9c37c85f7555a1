//! Makes records of rows: keys, values, and what else they are written with.

use std::convert::Infallible;

use arrow::array::{RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::datatypes::{Field, Schema};

use super::metadata::WrittenMetadata;
use super::parts::{Part, Parts, TableKind};
use crate::connectors::lines;
use crate::formats::{EncodedRecords, Encoder, row_to_json};
use crate::runtime::{Error, Result};
use crate::stream::{Batch, ChangeKind, DeadLetter};

/// Records of some rows.
pub(super) struct Encoded {
    keys: Option<EncodedRecords>,
    values: EncodedRecords,
    /// What becomes of each row; without it each is written.
    effects: Option<Vec<Effect>>,
    /// Time and headers of each row.
    pub metadata: WrittenMetadata,
}

/// What becomes of a row of a table whose key decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// It is the value of its key.
    Write,
    /// Its key has no value any more: a tombstone.
    Delete,
    /// The next row takes its place.
    Nothing,
}

impl Encoded {
    /// Row, key and value of each record.
    pub fn records(&self) -> impl Iterator<Item = (usize, Option<&[u8]>, Option<&[u8]>)> {
        let mut keys = self.keys.as_ref().map(EncodedRecords::iter);
        let values = self.values.iter().enumerate();
        values.filter_map(move |(row, value)| {
            let key = keys.as_mut().and_then(Iterator::next);
            let effects = self.effects.as_ref();
            match effects.map_or(Effect::Write, |effects| effects[row]) {
                Effect::Write => Some((row, key, Some(value))),
                Effect::Delete => Some((row, key, None)),
                Effect::Nothing => None,
            }
        })
    }

    /// How long all of it is.
    pub fn bytes(&self) -> usize {
        let keys = self.keys.as_ref().map_or(0, |keys| keys.bytes().len());
        keys + self.values.bytes().len() + self.metadata.bytes()
    }
}

/// What becomes of rows whose keys are these. A row that is replaced under its own key is
/// not deleted first.
fn effects(batch: &Batch, keys: &EncodedRecords) -> Vec<Effect> {
    let keys: Vec<_> = keys.iter().collect();
    let is_replaced = |row: usize| {
        let next = row + 1;
        batch.kind(row) == ChangeKind::UpdateBefore
            && next < keys.len()
            && batch.kind(next) == ChangeKind::UpdateAfter
            && keys[row] == keys[next]
    };
    let effect = |row| match batch.kind(row) {
        kind if kind.adds() => Effect::Write,
        _ if is_replaced(row) => Effect::Nothing,
        _ => Effect::Delete,
    };
    (0..keys.len()).map(effect).collect()
}

/// Turns rows into keys, values and metadata.
pub(super) struct RecordEncoder {
    pub table: String,
    value: HalfEncoder,
    key: Option<HalfEncoder>,
    is_upsert: bool,
    /// The keys of the metadata.
    metadata: Vec<String>,
}

/// Turns some columns of rows into keys, or into values.
struct HalfEncoder {
    encoder: Box<dyn Encoder>,
    part: Part,
}

impl HalfEncoder {
    fn new(part: &Part) -> Self {
        Self {
            encoder: part.format.encoder(&part.schema),
            part: part.clone(),
        }
    }

    /// The records of rows, and the rows that have none.
    fn encode(&mut self, batch: &Batch, table: &str) -> Result<(EncodedRecords, Vec<DeadLetter>)> {
        let mut encoded = EncodedRecords::default();
        let columns = self.columns(&batch.records);
        let columns = columns.map_err(|error| Error::Fatal(error.to_string()))?;
        let columns = Batch::with_kinds(columns, batch.kinds.clone());
        let refused = lines::encode(self.encoder.as_mut(), &columns, table, &mut encoded);
        Ok((encoded, refused))
    }

    /// The columns by the names that they have in records.
    fn columns(&self, records: &RecordBatch) -> arrow::error::Result<RecordBatch> {
        let columns = records.project(&self.part.columns)?;
        if !self.part.is_renamed {
            return Ok(columns);
        }
        let own = columns.schema();
        let names = self.part.schema.fields().iter().map(|field| field.name());
        let fields = own.fields().iter().zip(names);
        let fields = fields.map(|(field, name)| Field::clone(field).with_name(name));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        let rows = RecordBatchOptions::new().with_row_count(Some(columns.num_rows()));
        RecordBatch::try_new_with_options(schema.into(), columns.columns().to_vec(), &rows)
    }
}

impl RecordEncoder {
    /// The encoder of a table; its columns are followed by the metadata of these keys.
    pub fn new(table: &str, parts: &Parts, metadata: &[String]) -> Self {
        Self {
            table: table.to_owned(),
            value: HalfEncoder::new(&parts.value),
            key: parts.key.as_ref().map(HalfEncoder::new),
            is_upsert: parts.kind == TableKind::Upsert,
            metadata: metadata.to_vec(),
        }
    }

    /// Gets what has to be had before rows can be encoded. Waiting here is backpressure.
    pub async fn be_ready(&mut self) -> Result<()> {
        for half in std::iter::once(&mut self.value).chain(&mut self.key) {
            if let Some(missing) = half.encoder.missing() {
                let fetched = missing.await;
                fetched.map_err(|error| Error::Fatal(error.to_string()))?;
            }
        }
        Ok(())
    }

    /// The records of rows, and the rows that have none.
    pub fn encode(&mut self, batch: &Batch) -> Result<(Encoded, Vec<DeadLetter>)> {
        let (encoded, refused) = self.encode_all(batch)?;
        let is_plain = self.key.is_none() && self.metadata.is_empty();
        if refused.is_empty() || is_plain {
            return Ok((encoded, refused));
        }
        self.encode_each(batch)
    }

    /// The records of rows, and the rows that lack a part of one.
    fn encode_all(&mut self, batch: &Batch) -> Result<(Encoded, Vec<DeadLetter>)> {
        let (values, mut refused) = self.value.encode(batch, &self.table)?;
        let mut keys = None;
        if let Some(key) = &mut self.key {
            let (encoded, refused_keys) = key.encode(batch, &self.table)?;
            refused.extend(refused_keys);
            keys = Some(encoded);
        }
        let encoded = self.encoded(batch, keys, values);
        if let Some(reason) = encoded.metadata.refused() {
            refused.push(DeadLetter {
                origin: self.table.clone(),
                reason: reason.to_owned(),
                position: None,
                bytes: Vec::new(),
            });
        }
        Ok((encoded, refused))
    }

    /// Row by row, so that the parts of a record stay together where some row lacks one
    /// of them.
    fn encode_each(&mut self, batch: &Batch) -> Result<(Encoded, Vec<DeadLetter>)> {
        let (mut keys, mut values) = (EncodedRecords::default(), EncodedRecords::default());
        let (mut whole, mut dead_letters) = (Vec::new(), Vec::new());
        for row in 0..batch.num_rows() {
            let (one, refused) = self.encode_all(&batch.slice(row, 1))?;
            if let Some(mut letter) = refused.into_iter().next() {
                letter.bytes = row_to_json(&batch.records, row);
                dead_letters.push(letter);
                continue;
            }
            if let Some(key) = &one.keys {
                copy(key, &mut keys);
            }
            copy(&one.values, &mut values);
            whole.push(u32::try_from(row).unwrap_or(u32::MAX));
        }
        let whole = batch.take(&UInt32Array::from(whole));
        let whole = whole.map_err(|error| Error::Fatal(error.to_string()))?;
        let keys = self.key.is_some().then_some(keys);
        Ok((self.encoded(&whole, keys, values), dead_letters))
    }

    fn encoded(
        &self,
        batch: &Batch,
        keys: Option<EncodedRecords>,
        values: EncodedRecords,
    ) -> Encoded {
        let keyed = keys.as_ref().filter(|_| self.is_upsert);
        Encoded {
            effects: keyed.map(|keys| effects(batch, keys)),
            metadata: WrittenMetadata::of(&batch.records, &self.metadata),
            keys,
            values,
        }
    }
}

/// Appends the records of one to another.
fn copy(from: &EncodedRecords, to: &mut EncodedRecords) {
    for record in from.iter() {
        let pushed: std::result::Result<(), Infallible> = to.push(|bytes| {
            bytes.extend_from_slice(record);
            Ok(())
        });
        let Ok(()) = pushed;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};

    use super::*;
    use crate::connectors::kafka::options::SinkOptions;
    use crate::connectors::testing;
    use ChangeKind::{Delete, Insert, UpdateAfter, UpdateBefore};

    #[test]
    fn a_deletion_is_a_tombstone_and_an_update_one_record() {
        let schema = Schema::new(vec![
            Field::new("k_id", arrow::datatypes::DataType::Int64, false),
            Field::new("v", arrow::datatypes::DataType::Int64, true),
        ]);
        let mut table = testing::table(
            &Arc::new(schema),
            &[
                ("topic", "t"),
                ("properties.bootstrap.servers", "localhost:9092"),
                ("key.format", "json"),
                ("key.fields-prefix", "k_"),
                ("value.format", "json"),
                ("value.fields-include", "EXCEPT_KEY"),
            ],
        );
        table.primary_key = vec!["k_id".to_owned()];
        let options = SinkOptions::new(&table, TableKind::Upsert).unwrap();
        let mut encoder = RecordEncoder::new("t", &options.parts, &[]);
        for (rows, expected) in [
            (&[(Insert, 1, 7)][..], "1=7"),
            (&[(UpdateBefore, 1, 7), (UpdateAfter, 1, 8)], "1=8"),
            // It has moved to another key.
            (&[(UpdateBefore, 1, 7), (UpdateAfter, 2, 7)], "1! 2=7"),
            // A filter let only one half pass.
            (&[(UpdateBefore, 1, 7), (UpdateBefore, 2, 7)], "1! 2!"),
            (&[(UpdateAfter, 1, 7)], "1=7"),
            (&[(Delete, 1, 7), (Insert, 1, 8)], "1! 1=8"),
        ] {
            let column = |value: fn(&(ChangeKind, i64, i64)) -> i64| -> ArrayRef {
                Arc::new(Int64Array::from_iter_values(rows.iter().map(value)))
            };
            let columns = [("k_id", column(|row| row.1)), ("v", column(|row| row.2))];
            let records = RecordBatch::try_from_iter(columns).unwrap();
            let kinds = rows.iter().map(|row| row.0).collect();
            let batch = Batch::with_kinds(records, Some(kinds));
            let (written, refused) = encoder.encode(&batch).unwrap();
            assert!(refused.is_empty(), "{refused:?}");
            let number = |json: &[u8], name: &str| {
                let value: serde_json::Value = serde_json::from_slice(json).unwrap();
                value[name].to_string()
            };
            let records = written.records().map(|(_, key, value)| {
                let key = number(key.unwrap(), "id");
                value.map_or(format!("{key}!"), |value| {
                    format!("{key}={}", number(value, "v"))
                })
            });
            assert_eq!(records.collect::<Vec<_>>().join(" "), expected, "{rows:?}");
        }
    }
}
