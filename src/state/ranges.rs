//! The watermark and the late rows of each task's key range, kept apart from the
//! number of tasks.

use redb::{ReadTransaction, ReadableTable, Table};

use super::Result;
use super::failure::ResultExt as _;
use super::layout::{OPERATORS, range_key};
use crate::stream::{EventTime, KeyRange, OperatorId};

/// [`OPERATORS`], open for writing.
type RangeTable<'t> = Table<'t, (u32, u16, u16), (i64, u64)>;

/// The columns of [`OPERATORS`] for one range of key groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RangeRecord {
    pub range: KeyRange,
    pub watermark: EventTime,
    pub late_records: u64,
}

/// The records of an operator's key ranges, in order. They do not overlap.
pub(super) fn range_records(
    snapshot: &ReadTransaction,
    operator: OperatorId,
) -> Result<Vec<RangeRecord>> {
    let table = snapshot.open_table(OPERATORS).doing("read")?;
    range_records_in(&table, operator)
}

/// As above, from a table that may be open for writing.
fn range_records_in(
    table: &impl ReadableTable<(u32, u16, u16), (i64, u64)>,
    operator: OperatorId,
) -> Result<Vec<RangeRecord>> {
    let first = (operator.0, 0, 0);
    let last = (operator.0, u16::MAX, u16::MAX);
    let mut records = Vec::new();
    for entry in table.range(first..=last).doing("read")? {
        let (key, value) = entry.doing("read")?;
        let (_, start, end) = key.value();
        let (watermark, late_records) = value.value();
        records.push(RangeRecord {
            range: KeyRange { start, end },
            watermark: EventTime::from_millis(watermark),
            late_records,
        });
    }
    Ok(records)
}

/// Writes a task's record over those of earlier ranges, which may be other ranges:
/// what they have beyond this one stays.
pub(super) fn put_range(
    table: &mut RangeTable<'_>,
    operator: OperatorId,
    new: RangeRecord,
) -> Result<()> {
    for old in range_records_in(table, operator)? {
        if old.range.end <= new.range.start || new.range.end <= old.range.start {
            continue;
        }
        table
            .remove(range_key(operator, old.range))
            .doing("write")?;
        if old.range.start < new.range.start {
            let mut before = old;
            before.range.end = new.range.start;
            insert_range(table, operator, before)?;
        }
        if new.range.end < old.range.end {
            let mut after = old;
            after.range.start = new.range.end;
            // The late records went with the first group of the old range.
            after.late_records = 0;
            insert_range(table, operator, after)?;
        }
    }
    insert_range(table, operator, new)
}

fn insert_range(
    table: &mut RangeTable<'_>,
    operator: OperatorId,
    record: RangeRecord,
) -> Result<()> {
    let value = (record.watermark.millis(), record.late_records);
    table
        .insert(range_key(operator, record.range), value)
        .doing("write")?;
    Ok(())
}
