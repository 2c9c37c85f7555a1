//! Turns a stream that says what keys have come to into one that says what has become of
//! rows.
//!
//! It keeps the row of every key. A new row of a known key goes out behind the row whose
//! place it takes, one that changes nothing not at all, and a deletion as the row that is
//! gone: so whoever comes behind needs no state to take an old row back. Flink has a node
//! of the same name for this.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

use crate::runtime::{Error, Operator, Output, Progress, Result};
use crate::state::{DeltaKind, DeltaRows, OperatorDelta, RestoredState, StateSchema};
use crate::stream::{Barrier, Batch, ChangeKind, EventTime, KeyRange, OperatorId};

/// The last column of the state: whether the key has a row.
const EXISTS: &str = "exists";

/// Keeps the last row of each key, in one task.
pub struct ChangelogNormalize {
    operator: OperatorId,
    range: KeyRange,
    schema: SchemaRef,
    state: SchemaRef,
    key_columns: usize,
    keys: RowConverter,
    rows: RowConverter,
    /// From keys to rows, both as the converters write them.
    known: HashMap<Box<[u8]>, Box<[u8]>>,
    /// Keys whose rows the state has otherwise, or not.
    changed: HashSet<Box<[u8]>>,
    watermark: EventTime,
}

impl ChangelogNormalize {
    /// The operator of a plan node for rows of `schema`, of which the first `key_columns` are
    /// the key.
    ///
    /// # Errors
    /// If rows of this schema cannot be compared; see [`Self::supports`].
    pub fn new(
        operator: OperatorId,
        range: KeyRange,
        schema: SchemaRef,
        key_columns: usize,
    ) -> Result<Self> {
        let all = sort_fields(&schema);
        let state = Self::state(operator, &schema, key_columns).schema;
        Ok(Self {
            operator,
            range,
            keys: RowConverter::new(all[..key_columns].to_vec()).map_err(failed)?,
            rows: RowConverter::new(all).map_err(failed)?,
            schema,
            state,
            key_columns,
            known: HashMap::new(),
            changed: HashSet::new(),
            watermark: EventTime::MIN,
        })
    }

    /// Whether rows of this schema can be kept.
    pub fn supports(schema: &SchemaRef) -> bool {
        RowConverter::supports_fields(&sort_fields(schema))
    }

    /// What the operator keeps: the row of each key, and whether there is one.
    pub fn state(operator: OperatorId, schema: &SchemaRef, key_columns: usize) -> StateSchema {
        let fields = schema.fields().iter().enumerate();
        let fields = fields.map(|(place, field)| {
            // Of a key that is gone there is nothing else.
            let nullable = field.is_nullable() || place >= key_columns;
            Field::clone(field).with_nullable(nullable)
        });
        let exists = Field::new(EXISTS, DataType::Boolean, false);
        let fields: Vec<_> = fields.chain([exists]).collect();
        let schema = Arc::new(Schema::new(fields));
        StateSchema::of_rows(operator, schema, key_columns, key_columns)
    }

    /// What a row of a key changes, its old row first.
    fn change(&mut self, key: &[u8], row: &[u8], adds: bool, out: &mut Changes) {
        let old = match self.known.get(key) {
            Some(old) if adds && **old == *row => return,
            old => old.cloned(),
        };
        match (old, adds) {
            (None, false) => return,
            (None, true) => out.push(ChangeKind::Insert, row),
            (Some(old), false) => out.push(ChangeKind::Delete, &old),
            (Some(old), true) => {
                out.push(ChangeKind::UpdateBefore, &old);
                out.push(ChangeKind::UpdateAfter, row);
            }
        }
        if adds {
            self.known.insert(key.into(), row.into());
        } else {
            self.known.remove(key);
        }
        self.changed.insert(key.into());
    }

    fn take_rows(&mut self, batch: &Batch) -> Result<Changes, ArrowError> {
        let columns = batch.records.columns();
        let keys = self.keys.convert_columns(&columns[..self.key_columns])?;
        let rows = self.rows.convert_columns(columns)?;
        let mut changes = Changes::default();
        for row in 0..batch.num_rows() {
            let adds = batch.kind(row).adds();
            let (key, row) = (keys.row(row), rows.row(row));
            self.change(key.as_ref(), row.as_ref(), adds, &mut changes);
        }
        Ok(changes)
    }

    /// The changes as a batch.
    fn batch(&self, changes: &Changes) -> Result<Batch, ArrowError> {
        let parser = self.rows.parser();
        let rows = changes.rows.iter().map(|row| parser.parse(row));
        let columns = self.rows.convert_rows(rows)?;
        let records = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let kinds = changes.kinds.iter().copied().collect();
        Ok(Batch::with_kinds(records, Some(kinds)))
    }

    /// What the state is told: the rows of keys that have one, or that there is none.
    fn delta(&mut self) -> Result<Vec<RecordBatch>, ArrowError> {
        let changed = std::mem::take(&mut self.changed);
        let (there, gone): (Vec<_>, Vec<_>) = changed
            .iter()
            .partition(|key| self.known.contains_key(&***key));
        let mut parts = Vec::new();
        if !there.is_empty() {
            let parser = self.rows.parser();
            let rows = there.iter().map(|key| parser.parse(&self.known[&***key]));
            let columns = self.rows.convert_rows(rows)?;
            parts.push(self.states(columns, there.len(), true)?);
        }
        if !gone.is_empty() {
            let parser = self.keys.parser();
            let keys = gone.iter().map(|key| parser.parse(key));
            let mut columns = self.keys.convert_rows(keys)?;
            let others = self.schema.fields().iter().skip(self.key_columns);
            columns.extend(others.map(|field| new_null_array(field.data_type(), gone.len())));
            parts.push(self.states(columns, gone.len(), false)?);
        }
        Ok(parts)
    }

    fn states(
        &self,
        mut columns: Vec<ArrayRef>,
        rows: usize,
        exists: bool,
    ) -> Result<RecordBatch, ArrowError> {
        columns.push(Arc::new(BooleanArray::from(vec![exists; rows])));
        RecordBatch::try_new(Arc::clone(&self.state), columns)
    }

    fn take_back(&mut self, states: &RecordBatch) -> Result<(), ArrowError> {
        let (exists, columns) = states
            .columns()
            .split_last()
            .ok_or_else(|| ArrowError::SchemaError("the state has no columns".to_owned()))?;
        let keys = self.keys.convert_columns(&columns[..self.key_columns])?;
        let rows = self.rows.convert_columns(columns)?;
        let exists = BooleanArray::from(exists.to_data());
        for row in 0..states.num_rows() {
            let key = keys.row(row);
            if exists.value(row) {
                let row = rows.row(row);
                self.known.insert(key.as_ref().into(), row.as_ref().into());
            } else {
                self.known.remove(key.as_ref());
            }
        }
        Ok(())
    }
}

/// Changes that go out together.
#[derive(Default)]
struct Changes {
    kinds: Vec<ChangeKind>,
    rows: Vec<Box<[u8]>>,
}

impl Changes {
    fn push(&mut self, kind: ChangeKind, row: &[u8]) {
        self.kinds.push(kind);
        self.rows.push(row.into());
    }
}

impl Operator for ChangelogNormalize {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn restore(&mut self, state: RestoredState) -> Result<()> {
        self.watermark = state.watermark;
        for (_, states) in &state.rows {
            self.take_back(states).map_err(failed)?;
        }
        Ok(())
    }

    fn process(&mut self, batch: Batch, out: &mut dyn Output) -> Result<()> {
        let changes = self.take_rows(&batch).map_err(failed)?;
        if !changes.kinds.is_empty() {
            out.emit(self.batch(&changes).map_err(failed)?);
        }
        Ok(())
    }

    fn watermark(&mut self, at: EventTime, _: &mut dyn Output) -> Result<Progress> {
        self.watermark = self.watermark.max(at);
        Ok(Progress::Done)
    }

    fn barrier(&mut self, _: Barrier, _: &mut dyn Output) -> Result<Vec<OperatorDelta>> {
        let parts = self.delta().map_err(failed)?;
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let rows = parts.into_iter().map(|records| DeltaRows {
            kind: DeltaKind::Put,
            time: EventTime::MAX,
            records,
        });
        Ok(vec![OperatorDelta {
            operator: self.operator,
            range: self.range,
            watermark: self.watermark,
            late_records: 0,
            closed_until: None,
            rows: rows.collect(),
        }])
    }
}

fn sort_fields(schema: &SchemaRef) -> Vec<SortField> {
    let types = schema.fields().iter().map(|field| field.data_type());
    types
        .map(|data_type| SortField::new(data_type.clone()))
        .collect()
}

fn failed(error: ArrowError) -> Error {
    Error::Fatal(format!("cannot normalize changes: {error}"))
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;

    use super::*;
    use crate::stream::{BarrierKind, CheckpointId, DeadLetter, KeyGroups};

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("name", DataType::Utf8, false),
        ]))
    }

    fn operator() -> ChangelogNormalize {
        let range = KeyGroups::DEFAULT.all();
        ChangelogNormalize::new(OperatorId(0), range, schema(), 1).unwrap()
    }

    #[derive(Default)]
    struct Seen(Vec<String>);

    impl Output for Seen {
        fn emit(&mut self, batch: Batch) {
            let ids = batch.records.column(0).as_primitive::<Int64Type>();
            let names = batch.records.column(1).as_string::<i32>();
            for row in 0..batch.num_rows() {
                let (kind, id, name) = (batch.kind(row), ids.value(row), names.value(row));
                self.0.push(format!("{kind}{id}{name}"));
            }
        }
        fn dead_letter(&mut self, letter: DeadLetter) {
            panic!("no row fails: {letter:?}");
        }
        fn late(&mut self, _: usize) {}
        fn late_rows(&mut self, _: Batch) {}
    }

    /// What comes out for keys and what they have come to.
    fn run(operator: &mut ChangelogNormalize, rows: &[(i64, Option<&str>)]) -> String {
        let ids = Int64Array::from_iter_values(rows.iter().map(|(id, _)| *id));
        let names: StringArray = rows.iter().map(|(_, name)| *name).collect();
        let columns: [(&str, ArrayRef); 2] = [("id", Arc::new(ids)), ("name", Arc::new(names))];
        let records = RecordBatch::try_from_iter(columns).unwrap();
        let kinds = rows.iter().map(|(_, name)| match name {
            Some(_) => ChangeKind::UpdateAfter,
            None => ChangeKind::Delete,
        });
        let batch = Batch::with_kinds(records, Some(kinds.collect()));
        let mut seen = Seen::default();
        operator.process(batch, &mut seen).unwrap();
        seen.0.join(" ")
    }

    fn checkpoint(operator: &mut ChangelogNormalize) -> Vec<OperatorDelta> {
        let barrier = Barrier {
            checkpoint: CheckpointId(1),
            kind: BarrierKind::Interval,
        };
        operator.barrier(barrier, &mut Seen::default()).unwrap()
    }

    #[test]
    fn what_keys_have_come_to_becomes_what_has_become_of_rows() {
        let mut operator = operator();
        for (rows, expected) in [
            (&[(1, Some("a")), (2, Some("b"))][..], "+I1a +I2b"),
            (&[(1, Some("a"))], ""),
            (&[(1, Some("c")), (1, Some("d"))], "-U1a +U1c -U1c +U1d"),
            (&[(1, None), (1, None), (3, None)], "-D1d"),
            (&[(1, Some("e"))], "+I1e"),
        ] {
            assert_eq!(run(&mut operator, rows), expected, "{rows:?}");
        }
    }

    #[test]
    fn the_state_has_the_last_row_of_each_key() {
        let mut first = operator();
        let mut states = Vec::new();
        for rows in [
            &[(1, Some("a")), (2, Some("b")), (3, Some("c"))][..],
            &[(1, None), (2, Some("d")), (4, Some("e")), (4, None)],
            &[(1, Some("f"))],
        ] {
            run(&mut first, rows);
            let deltas = checkpoint(&mut first);
            assert_eq!(deltas.len(), 1, "one task has one delta");
            states.extend(deltas.into_iter().flat_map(|delta| delta.rows));
        }
        assert!(checkpoint(&mut first).is_empty(), "nothing has changed");

        let mut second = operator();
        let rows = states.into_iter().map(|rows| (rows.time, rows.records));
        let restored = RestoredState {
            watermark: EventTime::MIN,
            late_records: 0,
            rows: rows.collect(),
        };
        second.restore(restored).unwrap();
        let gone = [(1, None), (2, None), (3, None), (4, None)];
        assert_eq!(run(&mut second, &gone), "-D1f -D2d -D3c");
    }
}
