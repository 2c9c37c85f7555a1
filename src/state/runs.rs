//! Runs of rows of one unit, oldest first, and how they become one.

use std::collections::HashMap;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat_batches, interleave_record_batch, take_record_batch};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};

use super::{DeltaKind, Error, Result, StateSchema};

/// One batch of rows, each key at most once.
pub(super) struct Run {
    pub kind: DeltaKind,
    pub records: RecordBatch,
}

/// Rows in the order of their keys, and the keys as bytes that sort alike.
pub(super) struct Sorted {
    pub records: RecordBatch,
    pub keys: Rows,
}

/// Folds runs into one batch in which each key stands once.
pub(super) fn fold(schema: &StateSchema, runs: Vec<Run>) -> Result<RecordBatch> {
    let mut whole: Vec<RecordBatch> = Vec::new();
    let mut runs = runs.into_iter().peekable();
    while let Some(run) = runs.next() {
        let kind = run.kind;
        whole.push(run.records);
        while let Some(next) = runs.next_if(|next| next.kind == kind) {
            whole.push(next.records);
        }
        let folded = match kind {
            DeltaKind::Put => keep_last(schema, &whole)?,
            DeltaKind::Merge => schema.fold.fold(&whole)?,
        };
        whole = vec![folded];
    }
    Ok(whole
        .pop()
        .unwrap_or_else(|| RecordBatch::new_empty(schema.schema.clone())))
}

/// Runs that may be folded whatever their kind: rows that a later put replaces
/// are gone from the earlier runs.
pub(super) fn settle_puts(schema: &StateSchema, runs: Vec<Run>) -> Result<Vec<RecordBatch>> {
    // The first run has nothing below it that it could replace.
    let Some(last_put) = runs.iter().rposition(|run| run.kind == DeltaKind::Put) else {
        return Ok(runs.into_iter().map(|run| run.records).collect());
    };
    let mut runs = runs;
    let after = runs.split_off(last_put + 1);
    let mut settled = vec![fold(schema, runs)?];
    settled.extend(after.into_iter().map(|run| run.records));
    Ok(settled)
}

/// Sorts rows by their key.
pub(super) fn sort(schema: &StateSchema, records: &RecordBatch) -> Result<Sorted> {
    let converter = converter(schema)?;
    let keys = key_rows(&converter, schema, records)?;
    let mut order: Vec<u32> = (0..row_number(records.num_rows())).collect();
    order.sort_unstable_by(|left, right| keys.row(*left as usize).cmp(&keys.row(*right as usize)));
    let records = take(records, order)?;
    let keys = key_rows(&converter, schema, &records)?;
    Ok(Sorted { records, keys })
}

/// The rows of `records` at `order`.
pub(super) fn take(records: &RecordBatch, order: Vec<u32>) -> Result<RecordBatch> {
    if records.num_columns() == 0 {
        let options = RecordBatchOptions::new().with_row_count(Some(order.len()));
        return RecordBatch::try_new_with_options(records.schema(), vec![], &options)
            .map_err(foreign);
    }
    take_record_batch(records, &UInt32Array::from(order)).map_err(foreign)
}

/// One batch of all rows.
pub(super) fn concat(schema: &StateSchema, batches: &[RecordBatch]) -> Result<RecordBatch> {
    match batches {
        [one] => Ok(one.clone()),
        many => concat_batches(&schema.schema, many).map_err(foreign),
    }
}

/// The row number of a batch, which has far fewer than 2³² of them.
pub(super) fn row_number(row: usize) -> u32 {
    u32::try_from(row).expect("a batch of the state has less than 2^32 rows")
}

/// Of each key the row of the last batch that has it.
fn keep_last(schema: &StateSchema, batches: &[RecordBatch]) -> Result<RecordBatch> {
    let [first, .., _] = batches else {
        return concat(schema, batches);
    };
    if schema.key_columns == 0 {
        let last = batches.iter().rfind(|batch| batch.num_rows() > 0);
        return Ok(last.unwrap_or(first).clone());
    }
    let converter = converter(schema)?;
    let mut place_of_key: HashMap<Box<[u8]>, usize> = HashMap::new();
    let mut places: Vec<(usize, usize)> = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        let keys = key_rows(&converter, schema, batch)?;
        for (row, key) in keys.iter().enumerate() {
            if let Some(&place) = place_of_key.get(key.as_ref()) {
                places[place] = (number, row);
            } else {
                place_of_key.insert(key.as_ref().into(), places.len());
                places.push((number, row));
            }
        }
    }
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    interleave_record_batch(&batches, &places).map_err(foreign)
}

fn converter(schema: &StateSchema) -> Result<RowConverter> {
    let fields = schema.schema.fields().iter().take(schema.key_columns);
    let fields = fields
        .map(|field| SortField::new(field.data_type().clone()))
        .collect();
    RowConverter::new(fields).map_err(foreign)
}

fn key_rows(converter: &RowConverter, schema: &StateSchema, records: &RecordBatch) -> Result<Rows> {
    let columns: &[ArrayRef] = records
        .columns()
        .get(..schema.key_columns)
        .ok_or_else(|| Error::Corrupt("rows of the state lack their key".to_owned()))?;
    if columns.is_empty() {
        // The converter cannot tell how many empty keys are meant.
        let mut rows = converter.empty_rows(0, 0);
        let parser = converter.parser();
        for _ in 0..records.num_rows() {
            rows.push(parser.parse(&[]));
        }
        return Ok(rows);
    }
    converter.convert_columns(columns).map_err(foreign)
}

/// Arrow refuses only rows that are not of the operator's making.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` calls")]
fn foreign(error: ArrowError) -> Error {
    Error::Corrupt(format!("cannot combine rows of the state: {error}"))
}
