//! Windows whose results change, held against a model that keeps every row: random rows,
//! watermarks, checkpoints and crashes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimestampMillisecondType};
use proptest::prelude::*;

use super::late_rows::LateRows;
use super::model_rows::{input, window_fields};
use super::{Firing, Slicing, UpdatingWindowAggregate, UpdatingWindowAggregateSpec, WindowsOfRow};
use crate::expr::{AggregateCall, AggregateFunction};
use crate::runtime::{Operator, Output, Progress};
use crate::state::{OperatorDelta, RestoredState};
use crate::stream::{
    Barrier, BarrierKind, Batch, ChangeKind, CheckpointId, DeadLetter, EventTime, KeyGroups,
    OperatorId,
};

/// Time, key and value.
type Row = (i64, i64, i64);
/// By end and key, how many rows and their sum.
type Table = BTreeMap<(i64, i64), (i64, i64)>;

const LATENESS_MS: i64 = 15;

#[derive(Clone, Debug)]
enum Step {
    Rows(Vec<Row>),
    Watermark(i64),
    /// The deadlines of what waits have come.
    Flush,
    Barrier,
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let rows = prop::collection::vec((0_i64..60, 0_i64..3, -2_i64..3), 1..6);
    let step = prop_oneof![
        5 => rows.prop_map(Step::Rows),
        3 => (1_i64..25).prop_map(Step::Watermark),
        2 => Just(Step::Flush),
        2 => Just(Step::Barrier),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..30)
}

/// How one play goes.
#[derive(Clone, Copy, Debug)]
struct Way {
    slicing: Slicing,
    early: Option<Duration>,
    late: Duration,
    emits_update_before: bool,
}

fn aggregate(way: Way) -> UpdatingWindowAggregate {
    let result = |name: &str| Field::new(name, DataType::Int64, true);
    let call = |function, argument, name| AggregateCall {
        function,
        argument,
        distinct: false,
        filter: None,
        result: Arc::new(result(name)),
    };
    let mut fields = vec![result("key"), result("rows"), result("sum")];
    fields.extend(window_fields());
    let spec = UpdatingWindowAggregateSpec {
        operator: OperatorId(7),
        range: KeyGroups::DEFAULT.all(),
        input: input(),
        schema: Arc::new(Schema::new(fields)),
        keys: 1,
        windows: WindowsOfRow::Time {
            time: 1,
            slicing: way.slicing,
        },
        firing: Firing {
            early: way.early,
            late: way.late,
            lateness_ms: LATENESS_MS,
        },
        emits_update_before: way.emits_update_before,
        calls: vec![
            call(AggregateFunction::Count, None, "rows"),
            call(AggregateFunction::Sum, Some(2), "sum"),
        ],
        late_rows: Some(LateRows {
            columns: vec![0, 1, 2],
            schema: input(),
        }),
    };
    UpdatingWindowAggregate::new(spec).unwrap()
}

/// The table that the changes come to, and the values of late rows.
#[derive(Clone, Default)]
struct Seen {
    emits_update_before: bool,
    table: Table,
    late: Vec<i64>,
    counted: usize,
}

impl Output for Seen {
    fn emit(&mut self, batch: Batch) {
        let number = |column: usize| batch.records.column(column).as_primitive::<Int64Type>();
        let ends = batch.records.column(4);
        let ends = ends.as_primitive::<TimestampMillisecondType>();
        for row in 0..batch.num_rows() {
            let key = (ends.value(row), number(0).value(row));
            let value = (number(1).value(row), number(2).value(row));
            let before = match batch.kind(row) {
                ChangeKind::Delete => panic!("a window never goes"),
                ChangeKind::UpdateBefore => {
                    assert!(self.emits_update_before);
                    assert_eq!(self.table.remove(&key), Some(value), "{key:?} was not so");
                    continue;
                }
                _ => self.table.insert(key, value),
            };
            let is_in_place =
                batch.kind(row) == ChangeKind::UpdateAfter && !self.emits_update_before;
            assert_eq!(before.is_some(), is_in_place, "{key:?}");
            assert_ne!(before, Some(value), "{key:?} is said twice");
        }
    }
    fn dead_letter(&mut self, letter: DeadLetter) {
        panic!("no row fails: {letter:?}");
    }
    fn late(&mut self, rows: usize) {
        self.counted += rows;
    }
    fn late_rows(&mut self, batch: Batch) {
        let values = batch.records.column(2).as_primitive::<Int64Type>();
        self.late.extend(values.values());
    }
}

/// The operator under test, with the state that a store would have kept.
struct Subject {
    way: Way,
    operator: UpdatingWindowAggregate,
    seen: Seen,
    seen_at_checkpoint: Seen,
    watermark: Option<EventTime>,
    late_records: u64,
    /// By end, start and key.
    kept: HashMap<(i64, i64, i64), RecordBatch>,
    checkpoint: CheckpointId,
}

impl Subject {
    fn new(way: Way) -> Self {
        let seen = Seen {
            emits_update_before: way.emits_update_before,
            ..Seen::default()
        };
        Self {
            way,
            operator: aggregate(way),
            seen_at_checkpoint: seen.clone(),
            seen,
            watermark: None,
            late_records: 0,
            kept: HashMap::new(),
            checkpoint: CheckpointId(0),
        }
    }

    fn rows(&mut self, rows: &[Row]) {
        let keys = Int64Array::from_iter_values(rows.iter().map(|row| row.1));
        let times = TimestampMillisecondArray::from_iter_values(rows.iter().map(|row| row.0));
        let values = Int64Array::from_iter_values(rows.iter().map(|row| row.2));
        let columns: Vec<ArrayRef> = vec![Arc::new(keys), Arc::new(times), Arc::new(values)];
        let batch = Batch::new(RecordBatch::try_new(input(), columns).unwrap());
        self.operator.process(batch, &mut self.seen).unwrap();
    }

    fn watermark(&mut self, at: EventTime) {
        while self.operator.watermark(at, &mut self.seen).unwrap() == Progress::More {}
    }

    fn flush(&mut self) {
        // All deadlines of a play are over as soon as they are there.
        self.operator.flush(&mut self.seen).unwrap();
    }

    fn barrier(&mut self) {
        self.checkpoint = self.checkpoint.next();
        let barrier = Barrier {
            checkpoint: self.checkpoint,
            kind: BarrierKind::Interval,
        };
        let deltas = self.operator.barrier(barrier, &mut self.seen).unwrap();
        for delta in deltas {
            self.commit(&delta);
        }
        self.seen_at_checkpoint = self.seen.clone();
    }

    fn commit(&mut self, delta: &OperatorDelta) {
        self.watermark = Some(delta.watermark);
        self.late_records = delta.late_records;
        for rows in &delta.rows {
            let number = |column: usize| rows.records.column(column).as_primitive::<Int64Type>();
            for row in 0..rows.records.num_rows() {
                let name = (
                    number(2).value(row),
                    number(1).value(row),
                    number(0).value(row),
                );
                assert_eq!(rows.time.millis(), name.0);
                self.kept.insert(name, rows.records.slice(row, 1));
            }
        }
        if let Some(closed) = delta.closed_until {
            self.kept.retain(|(end, _, _), _| *end > closed.millis());
        }
    }

    fn crash(&mut self) {
        self.operator = aggregate(self.way);
        self.seen = self.seen_at_checkpoint.clone();
        if let Some(watermark) = self.watermark {
            let rows = self.kept.iter();
            let rows = rows.map(|((end, _, _), row)| (EventTime::from_millis(*end), row.clone()));
            let restored = RestoredState {
                watermark,
                late_records: self.late_records,
                rows: rows.collect(),
            };
            self.operator.restore(restored).unwrap();
            self.watermark(watermark.saturating_sub(15));
        }
    }
}

/// Rows one by one.
#[derive(Default)]
struct Model {
    watermark: Option<i64>,
    table: Table,
    late: Vec<i64>,
}

impl Model {
    fn rows(&mut self, slicing: Slicing, rows: &[Row]) {
        for &(time, key, value) in rows {
            let least = (time - slicing.offset_ms).div_euclid(slicing.slide_ms);
            let windows = (1..=slicing.size_ms / slicing.slide_ms)
                .map(|number| (least + number) * slicing.slide_ms + slicing.offset_ms)
                .filter(|&end| end - slicing.size_ms <= time && time < end)
                .filter(|end| self.watermark.is_none_or(|at| end - 1 + LATENESS_MS > at));
            let windows: Vec<i64> = windows.collect();
            if windows.is_empty() {
                self.late.push(value);
            }
            for end in windows {
                let row = self.table.entry((end, key)).or_default();
                *row = (row.0 + 1, row.1 + value);
            }
        }
    }

    /// What must be told now of windows that are passed, or else of those that are open.
    fn part(&self, table: &Table, passed: bool) -> Table {
        let is_passed = |end: i64| self.watermark.is_some_and(|at| end - 1 <= at);
        let rows = table
            .iter()
            .filter(|((end, _), _)| is_passed(*end) == passed);
        rows.map(|(key, row)| (*key, *row)).collect()
    }
}

fn check(subject: &Subject, model: &Model, way: Way, is_flushed: bool) {
    let told = |passed| {
        let told = model.part(&subject.seen.table, passed);
        (told, model.part(&model.table, passed))
    };
    if way.late.is_zero() || is_flushed {
        let (told, due) = told(true);
        assert_eq!(told, due, "passed windows");
    }
    let (told, due) = told(false);
    match way.early {
        None => assert!(told.is_empty(), "{told:?} is told early"),
        Some(early) if early.is_zero() || is_flushed => assert_eq!(told, due, "open windows"),
        Some(_) => (),
    }
}

fn play(way: Way, steps: &[Step]) {
    let mut subject = Subject::new(way);
    let mut model = Model::default();
    let mut now = 0;
    let mut since_checkpoint: Vec<Step> = Vec::new();
    for step in steps {
        match step {
            Step::Rows(rows) => {
                let rows = rows.iter().map(|row| (now + row.0 - 40, row.1, row.2));
                let rows: Vec<Row> = rows.collect();
                subject.rows(&rows);
                model.rows(way.slicing, &rows);
                since_checkpoint.push(Step::Rows(rows));
            }
            Step::Watermark(by) => {
                now += by;
                subject.watermark(EventTime::from_millis(now));
                model.watermark = Some(now);
                since_checkpoint.push(Step::Watermark(now));
            }
            Step::Flush => subject.flush(),
            Step::Barrier => {
                subject.barrier();
                since_checkpoint.clear();
            }
            Step::Crash => {
                subject.crash();
                for step in &since_checkpoint {
                    match step {
                        Step::Rows(rows) => subject.rows(rows),
                        Step::Watermark(at) => subject.watermark(EventTime::from_millis(*at)),
                        _ => unreachable!("not played again"),
                    }
                }
            }
        }
        let is_flushed = matches!(step, Step::Flush);
        check(&subject, &model, way, is_flushed);
    }
    subject.watermark(EventTime::MAX);
    assert_eq!(subject.seen.table, model.table);
    subject.barrier();
    subject.seen.late.sort_unstable();
    model.late.sort_unstable();
    assert_eq!(subject.seen.late, model.late);
    assert_eq!(subject.seen.counted, model.late.len());
    assert!(subject.kept.is_empty(), "forgotten windows are kept");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn windows_that_change_equal_the_model(
        steps in steps(),
        slides in 1_i64..4,
        offset_ms in -9_i64..10,
        early in prop::option::of(0_u64..2),
        late in 0_u64..2,
        emits_update_before in any::<bool>(),
    ) {
        let way = Way {
            slicing: Slicing::sliding(10 * slides, 10).moved_by(offset_ms),
            early: early.map(Duration::from_nanos),
            late: Duration::from_nanos(late),
            emits_update_before,
        };
        play(way, &steps);
    }
}
