//! The store against a naive model, through reopening, rescaling and folding.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};

use super::*;
use crate::stream::{CheckpointId, EventTime, KeyGroups, KeyRange, OperatorId};

/// Adds the values of equal keys.
struct Sum;

impl Fold for Sum {
    fn fold(&self, runs: &[RecordBatch]) -> Result<RecordBatch> {
        let mut sums = std::collections::BTreeMap::<String, i64>::new();
        for run in runs {
            let keys = run.column(0).as_string::<i32>();
            let values = run.column(1).as_primitive::<Int64Type>();
            for row in 0..run.num_rows() {
                *sums.entry(keys.value(row).to_owned()).or_default() += values.value(row);
            }
        }
        Ok(rows(&sums.into_iter().collect::<Vec<_>>()))
    }
}

fn schema(operator: u32) -> StateSchema {
    StateSchema {
        operator: OperatorId(operator),
        schema: rows(&[]).schema(),
        key_columns: 1,
        fold: Arc::new(Sum),
    }
}

fn rows(pairs: &[(String, i64)]) -> RecordBatch {
    let schema = Arc::new(Schema::new(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Int64, false),
    ]));
    let keys: StringArray = pairs.iter().map(|(key, _)| Some(key)).collect();
    let values: Int64Array = pairs.iter().map(|(_, value)| *value).collect();
    RecordBatch::try_new(schema, vec![Arc::new(keys), Arc::new(values)]).unwrap()
}

fn all() -> KeyRange {
    KeyGroups::DEFAULT.all()
}

fn delta(operator: u32, kind: DeltaKind, time: i64, pairs: &[(String, i64)]) -> OperatorDelta {
    OperatorDelta {
        operator: OperatorId(operator),
        range: all(),
        watermark: EventTime::from_millis(7),
        late_records: 3,
        closed_until: None,
        rows: vec![DeltaRows {
            kind,
            time: EventTime::from_millis(time),
            records: rows(pairs),
        }],
    }
}

fn open(dir: &Path) -> Store {
    let mut store = Store::open(dir, OpenOptions::default()).unwrap();
    if store.job().is_none() {
        let plan = "plan".to_owned();
        let header = Header::new("test".to_owned(), plan, KeyGroups::DEFAULT, EventTime::MIN);
        store.create_job(header).unwrap();
    }
    store.register(schema(1)).unwrap();
    store
}

fn pairs(of: impl IntoIterator<Item = (usize, i64)>) -> Vec<(String, i64)> {
    of.into_iter()
        .map(|(key, value)| (format!("key-{key}"), value))
        .collect()
}

/// What the store holds of operator 1 at `time`, by key.
fn loaded(store: &mut Store, range: KeyRange, time: i64) -> Vec<(String, i64)> {
    let Some(state) = store.load(&schema(1), range).unwrap() else {
        return vec![];
    };
    let runs: Vec<_> = state
        .rows
        .into_iter()
        .filter(|(at, _)| at.millis() == time)
        .map(|(_, records)| records)
        .collect();
    let folded = Sum.fold(&runs).unwrap();
    let keys = folded.column(0).as_string::<i32>();
    let values = folded.column(1).as_primitive::<Int64Type>();
    (0..folded.num_rows())
        .map(|row| (keys.value(row).to_owned(), values.value(row)))
        .collect()
}

#[test]
fn merged_rows_come_back_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    for id in 1..=3 {
        let mut checkpoint = Checkpoint::new(CheckpointId(id));
        let rows = pairs((0..50).map(|key| (key, 1)));
        checkpoint.deltas = vec![delta(1, DeltaKind::Merge, 100, &rows)];
        store.commit(checkpoint).unwrap();
    }
    drop(store);
    let mut store = open(dir.path());
    let mut expected = pairs((0..50).map(|key| (key, 3)));
    expected.sort();
    assert_eq!(loaded(&mut store, all(), 100), expected);
    assert_eq!(store.job().unwrap().progress.committed, CheckpointId(3));
}
