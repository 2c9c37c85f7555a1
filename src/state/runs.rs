//! Runs of rows of one unit, oldest first, and how they become one.

use std::cmp::Reverse;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
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

/// The rows without those that are deleted; nothing older must be left below them.
pub(super) fn without_deletions(schema: &StateSchema, records: RecordBatch) -> Result<RecordBatch> {
    if !schema.has_deletions {
        return Ok(records);
    }
    let last = records.columns().last();
    let exists = last.and_then(|column| column.as_boolean_opt());
    let exists = exists.ok_or_else(|| Error::Corrupt("rows lack what tells deletions".into()))?;
    filter_record_batch(&records, exists).map_err(foreign)
}

/// Sorts rows by their key.
pub(super) fn sort(schema: &StateSchema, records: &RecordBatch) -> Result<Sorted> {
    let converter = converter(schema)?;
    let keys = key_rows(&converter, schema, records)?;
    let mut order: Vec<u32> = (0..row_number(records.num_rows())).collect();
    order.sort_unstable_by_key(|row| keys.row(*row as usize));
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

/// Of each key the last row that has it.
fn keep_last(schema: &StateSchema, batches: &[RecordBatch]) -> Result<RecordBatch> {
    let all = concat(schema, batches)?;
    if batches.len() == 1 {
        return Ok(all);
    }
    let keys = key_rows(&converter(schema)?, schema, &all)?;
    let mut order: Vec<u32> = (0..row_number(all.num_rows())).collect();
    order.sort_unstable_by_key(|row| (keys.row(*row as usize), Reverse(*row)));
    order.dedup_by_key(|row| keys.row(*row as usize));
    take(&all, order)
}

fn converter(schema: &StateSchema) -> Result<RowConverter> {
    let fields = schema.schema.fields().iter().take(schema.identity_columns);
    let fields = fields
        .map(|field| SortField::new(field.data_type().clone()))
        .collect();
    RowConverter::new(fields).map_err(foreign)
}

fn key_rows(converter: &RowConverter, schema: &StateSchema, records: &RecordBatch) -> Result<Rows> {
    let columns: &[ArrayRef] = records
        .columns()
        .get(..schema.identity_columns)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;
    use arrow::datatypes::Int64Type;

    use super::*;
    use crate::state::Fold;
    use crate::stream::OperatorId;

    /// Adds the values of rows with equal keys; the value is the last column.
    struct Sum(usize);

    impl Fold for Sum {
        fn fold(&self, runs: &[RecordBatch]) -> Result<RecordBatch> {
            let mut sums = std::collections::BTreeMap::<Vec<i64>, i64>::new();
            for (key, value) in runs.iter().flat_map(|run| rows_of(self.0, run)) {
                *sums.entry(key).or_default() += value;
            }
            let rows: Vec<_> = sums.into_iter().collect();
            Ok(records(self.0, &rows))
        }
    }

    fn schema(key_columns: usize) -> StateSchema {
        let columns = records(key_columns, &[]).schema();
        StateSchema::new(
            OperatorId(0),
            columns,
            key_columns,
            Arc::new(Sum(key_columns)),
        )
    }

    fn records(key_columns: usize, rows: &[(Vec<i64>, i64)]) -> RecordBatch {
        let keys = (0..key_columns).map(|key| rows.iter().map(|row| row.0[key]).collect());
        let columns = keys.chain([rows.iter().map(|row| row.1).collect()]);
        let columns = columns.enumerate().map(|(place, values): (_, Vec<i64>)| {
            let values: ArrayRef = Arc::new(Int64Array::from(values));
            (format!("c{place}"), values)
        });
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn rows_of(key_columns: usize, records: &RecordBatch) -> Vec<(Vec<i64>, i64)> {
        let value = |column: usize, row| {
            let values = records.column(column).as_primitive::<Int64Type>();
            values.value(row)
        };
        (0..records.num_rows())
            .map(|row| {
                let key = (0..key_columns).map(|key| value(key, row)).collect();
                (key, value(key_columns, row))
            })
            .collect()
    }

    /// Folds runs of (kind, rows of one-column keys) and sorts them; also with
    /// the puts settled first, which must make no difference.
    fn check(runs: &[(DeltaKind, &[(i64, i64)])], expected: &[(i64, i64)]) {
        let schema = schema(1);
        let keyed = |rows: &[(i64, i64)]| -> Vec<(Vec<i64>, i64)> {
            rows.iter()
                .map(|(key, value)| (vec![*key], *value))
                .collect()
        };
        let runs = || -> Vec<Run> {
            let run = |(kind, rows): &(DeltaKind, &[(i64, i64)])| Run {
                kind: *kind,
                records: records(1, &keyed(rows)),
            };
            runs.iter().map(run).collect()
        };
        let folded = fold(&schema, runs()).unwrap();
        let sorted = sort(&schema, &folded).unwrap();
        assert_eq!(rows_of(1, &sorted.records), keyed(expected));
        let settled = settle_puts(&schema, runs()).unwrap();
        let folded = Sum(1).fold(&settled).unwrap();
        assert_eq!(rows_of(1, &folded), keyed(expected));
    }

    #[test]
    fn puts_replace_and_merges_add() {
        use DeltaKind::{Merge, Put};
        check(&[], &[]);
        check(&[(Put, &[(2, 1), (-1, 1)])], &[(-1, 1), (2, 1)]);
        check(
            &[(Put, &[(1, 1)]), (Put, &[(2, 2), (1, 3)])],
            &[(1, 3), (2, 2)],
        );
        check(
            &[(Put, &[(1, 1)]), (Merge, &[(1, 3), (2, 2)])],
            &[(1, 4), (2, 2)],
        );
        check(&[(Merge, &[(1, 1)]), (Merge, &[(1, 3)])], &[(1, 4)]);
        let runs: &[(DeltaKind, &[(i64, i64)])] = &[
            (Put, &[(1, 1), (2, 1)]),
            (Merge, &[(1, 10)]),
            (Put, &[(1, 5), (3, 7)]),
            (Merge, &[(1, 2), (2, 2)]),
            (Merge, &[(3, 1)]),
        ];
        check(runs, &[(1, 7), (2, 3), (3, 8)]);
    }

    #[test]
    fn rows_are_told_apart_by_more_than_their_key_and_may_be_deleted() {
        let columns = |rows: &[(i64, i64, bool)]| {
            let key: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0)));
            let id: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.1)));
            let exists = rows.iter().map(|r| r.2).collect::<Vec<_>>();
            let exists: ArrayRef = Arc::new(arrow::array::BooleanArray::from(exists));
            RecordBatch::try_from_iter([("key", key), ("id", id), ("exists", exists)]).unwrap()
        };
        let schema = StateSchema::of_rows(OperatorId(0), columns(&[]).schema(), 1, 2);
        let runs = [
            &[(1, 1, true), (1, 2, true), (2, 1, true)][..],
            &[(1, 2, false), (2, 2, true)],
            &[(2, 1, false), (2, 2, false)],
            &[(2, 1, true), (1, 3, true)],
        ];
        let runs = runs.into_iter().map(|rows| Run {
            kind: DeltaKind::Put,
            records: columns(rows),
        });
        let folded = fold(&schema, runs.collect()).unwrap();
        let left = without_deletions(&schema, folded).unwrap();
        let sorted = sort(&schema, &left).unwrap().records;
        assert_eq!(sorted, columns(&[(1, 1, true), (1, 3, true), (2, 1, true)]));
    }

    #[test]
    fn state_without_key_is_one_row() {
        let schema = schema(0);
        let row = |value| records(0, &[(vec![], value)]);
        for (kind, expected) in [(DeltaKind::Put, 3), (DeltaKind::Merge, 6)] {
            let runs = (1..=3).map(|value| Run {
                kind,
                records: row(value),
            });
            let folded = fold(&schema, runs.collect()).unwrap();
            let sorted = sort(&schema, &folded).unwrap();
            assert_eq!(sorted.records, row(expected));
            assert_eq!(sorted.keys.row(0).as_ref(), b"");
        }
    }
}
