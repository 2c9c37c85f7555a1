//! Plays random streams through the window operators, and compares what comes out
//! with a naive model: rows kept one by one and windows counted when they close.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{
    DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMillisecondType,
};
use proptest::prelude::*;

use super::collected::Collected;
use super::late_rows::LateRows;
use super::window::Start;
use super::window_aggregate::{Input, Spec, WindowAggregate};
use super::{Slicing, WindowPreAggregate};
use crate::expr::{AggregateCall, AggregateFunction, AggregateLayout};
use crate::runtime::{Operator, Output, Progress};
use crate::state::{OperatorDelta, RestoredState};
use crate::stream::{Barrier, BarrierKind, Batch, CheckpointId, EventTime, KeyGroups, OperatorId};

/// (window end, key) → (rows, sum).
type Windows = BTreeMap<(i64, i64), (i64, i64)>;

#[derive(Clone, Debug)]
enum Step {
    /// Rows of (time, key, value).
    Rows(Vec<(i64, i64, i64)>),
    /// Time moves on by so much.
    Watermark(i64),
    /// A checkpoint, decided at once or with the next.
    Barrier { decided: bool },
    /// The operator is thrown away and restored from the last checkpoint, and
    /// what came since is played again.
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let row = (0_i64..120, 0_i64..4, -5_i64..6);
    let step = prop_oneof![
        4 => prop::collection::vec(row, 1..12).prop_map(Step::Rows),
        2 => (1_i64..25).prop_map(Step::Watermark),
        2 => any::<bool>().prop_map(|decided| Step::Barrier { decided }),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..60)
}

fn input_schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Millisecond, None);
    Arc::new(Schema::new(vec![
        Field::new("time", time, true),
        Field::new("key", DataType::Int64, false),
        Field::new("value", DataType::Int64, false),
    ]))
}

fn calls() -> Vec<AggregateCall> {
    let result = |name: &str| Arc::new(Field::new(name, DataType::Int64, true));
    vec![
        AggregateCall {
            function: AggregateFunction::Count,
            argument: None,
            distinct: false,
            filter: None,
            result: result("rows"),
        },
        AggregateCall {
            function: AggregateFunction::Sum,
            argument: Some(2),
            distinct: false,
            filter: None,
            result: result("sum"),
        },
    ]
}

pub(super) fn batch(rows: &[(i64, i64, i64)]) -> Batch {
    let times = TimestampMillisecondArray::from_iter_values(rows.iter().map(|row| row.0));
    let keys = Int64Array::from_iter_values(rows.iter().map(|row| row.1));
    let values = Int64Array::from_iter_values(rows.iter().map(|row| row.2));
    let columns: Vec<ArrayRef> = vec![Arc::new(times), Arc::new(keys), Arc::new(values)];
    Batch::new(RecordBatch::try_new(input_schema(), columns).unwrap())
}

pub(super) fn rows_input() -> Input {
    Input::Rows {
        keys: vec![1],
        time: 0,
    }
}

fn layout() -> Arc<AggregateLayout> {
    Arc::new(AggregateLayout::new(&input_schema(), &[1], calls()).unwrap())
}

pub(super) fn aggregate(slicing: Slicing, input: Input) -> WindowAggregate {
    let time = || DataType::Timestamp(TimeUnit::Millisecond, None);
    let schema = Schema::new(vec![
        Field::new("key", DataType::Int64, false),
        Field::new("rows", DataType::Int64, true),
        Field::new("sum", DataType::Int64, true),
        Field::new("window_start", time(), false),
        Field::new("window_end", time(), false),
        Field::new("window_time", time(), false),
    ]);
    let is_whole = matches!(input, Input::Rows { .. });
    WindowAggregate::new(Spec {
        operator: OperatorId(7),
        range: KeyGroups::DEFAULT.all(),
        schema: Arc::new(schema),
        layout: layout(),
        slicing,
        input,
        start_is_last_key: false,
        late_rows: is_whole.then(|| LateRows {
            columns: vec![0, 1, 2],
            schema: input_schema(),
        }),
    })
}

/// The operators under test, with the state that a store would have kept.
struct Subject {
    slicing: Slicing,
    near: Option<WindowPreAggregate>,
    far: WindowAggregate,
    kept: Kept,
    checkpoint: CheckpointId,
    undecided: Vec<CheckpointId>,
    out: Windows,
    out_at_checkpoint: Windows,
    /// The values of late rows.
    late: Vec<i64>,
    late_at_checkpoint: Vec<i64>,
}

#[derive(Clone, Default)]
struct Kept {
    watermark: Option<EventTime>,
    late_records: u64,
    rows: Vec<(EventTime, RecordBatch)>,
}

impl Kept {
    fn commit(&mut self, delta: OperatorDelta) {
        self.watermark = Some(delta.watermark);
        self.late_records = delta.late_records;
        let rows = delta.rows.into_iter();
        self.rows.extend(rows.map(|rows| (rows.time, rows.records)));
        if let Some(closed) = delta.closed_until {
            self.rows.retain(|(time, _)| *time > closed);
        }
        self.rows.sort_by_key(|(time, _)| *time);
    }
}

impl Subject {
    fn new(slicing: Slicing, exchanged: bool) -> Self {
        let mut subject = Self {
            slicing,
            near: None,
            far: aggregate(slicing, rows_input()),
            kept: Kept::default(),
            checkpoint: CheckpointId(0),
            undecided: Vec::new(),
            out: Windows::new(),
            out_at_checkpoint: Windows::new(),
            late: Vec::new(),
            late_at_checkpoint: Vec::new(),
        };
        subject.build(exchanged);
        subject
    }

    fn build(&mut self, exchanged: bool) {
        let near = WindowPreAggregate::new(&input_schema(), calls(), self.slicing, rows_input());
        self.near = exchanged.then(|| near.unwrap());
        let input = if exchanged {
            Input::Partials
        } else {
            rows_input()
        };
        self.far = aggregate(self.slicing, input);
    }

    fn crash(&mut self) {
        self.build(self.near.is_some());
        self.undecided.clear();
        self.out = self.out_at_checkpoint.clone();
        self.late.clone_from(&self.late_at_checkpoint);
        if let Some(watermark) = self.kept.watermark {
            let restored = RestoredState {
                watermark,
                late_records: self.kept.late_records,
                rows: self.kept.rows.clone(),
            };
            self.far.restore(restored).unwrap();
            // The first split that speaks may lie behind the restored time, which
            // once opened windows that had been emitted.
            self.watermark(watermark.saturating_sub(15));
        }
    }

    fn rows(&mut self, rows: &[(i64, i64, i64)]) {
        let near = self.through_near(|near, out| {
            near.process(batch(rows), out).unwrap();
        });
        for batch in near.unwrap_or_else(|| vec![batch(rows).records]) {
            self.far(|far, out| far.process(Batch::new(batch), out).unwrap());
        }
    }

    fn watermark(&mut self, at: EventTime) {
        let near = self.through_near(|near, out| {
            assert_eq!(near.watermark(at, out).unwrap(), Progress::Done);
        });
        for batch in near.into_iter().flatten() {
            self.far(|far, out| far.process(Batch::new(batch), out).unwrap());
        }
        self.far(|far, out| while far.watermark(at, out).unwrap() == Progress::More {});
    }

    fn barrier(&mut self, decided: bool) {
        self.checkpoint = self.checkpoint.next();
        let barrier = Barrier {
            checkpoint: self.checkpoint,
            kind: BarrierKind::Interval,
        };
        let near = self.through_near(|near, out| {
            assert!(near.barrier(barrier, out).unwrap().is_empty());
        });
        for batch in near.into_iter().flatten() {
            self.far(|far, out| far.process(Batch::new(batch), out).unwrap());
        }
        let mut deltas = Vec::new();
        self.far(|far, out| deltas = far.barrier(barrier, out).unwrap());
        for delta in deltas {
            self.kept.commit(delta);
        }
        self.out_at_checkpoint = self.out.clone();
        self.late_at_checkpoint.clone_from(&self.late);
        self.undecided.push(self.checkpoint);
        if decided {
            for checkpoint in self.undecided.drain(..) {
                self.far.decided(checkpoint);
            }
            while self.far.background(Duration::ZERO).unwrap() == Progress::More {}
        }
    }

    fn through_near(
        &mut self,
        act: impl FnOnce(&mut WindowPreAggregate, &mut dyn Output),
    ) -> Option<Vec<RecordBatch>> {
        let near = self.near.as_mut()?;
        let mut out = Collected::default();
        act(near, &mut out);
        assert_eq!(out.late, 0, "a pre-aggregate judges no row late");
        Some(out.rows)
    }

    fn far(&mut self, act: impl FnOnce(&mut WindowAggregate, &mut dyn Output)) {
        let mut out = Collected::default();
        act(&mut self.far, &mut out);
        if self.near.is_some() {
            // What is left of a row behind an exchange is that it was one.
            self.late.extend(vec![0; out.late]);
        } else {
            let values = out.late_numbers(2);
            assert_eq!(values.len(), out.late);
            self.late.extend(values);
        }
        for records in out.rows {
            let number = |column: usize| records.column(column).as_primitive::<Int64Type>();
            let time = |column: usize| {
                records
                    .column(column)
                    .as_primitive::<TimestampMillisecondType>()
            };
            for row in 0..records.num_rows() {
                let end = time(4).value(row);
                assert_eq!(time(3).value(row), start_of(self.slicing, end));
                assert_eq!(time(5).value(row), end - 1);
                let key = (end, number(0).value(row));
                let value = (number(1).value(row), number(2).value(row));
                assert_eq!(self.out.insert(key, value), None, "window {key:?} twice");
            }
        }
    }
}

/// Rows one by one.
#[derive(Clone, Default)]
struct Model {
    watermark: Option<i64>,
    open: Windows,
    out: Windows,
    late: Vec<i64>,
}

impl Model {
    fn rows(&mut self, slicing: Slicing, rows: &[(i64, i64, i64)]) {
        for &(time, key, value) in rows {
            // Of all ends around, those of windows that hold the row.
            let least = (time - slicing.offset_ms).div_euclid(slicing.slide_ms);
            let windows = (1..=slicing.size_ms / slicing.slide_ms)
                .map(|number| (least + number) * slicing.slide_ms + slicing.offset_ms)
                .filter(|&end| start_of(slicing, end) <= time && time < end)
                .filter(|end| self.watermark.is_none_or(|watermark| end - 1 > watermark));
            let mut late = true;
            for end in windows.collect::<Vec<_>>() {
                late = false;
                let window = self.open.entry((end, key)).or_default();
                window.0 += 1;
                window.1 += value;
            }
            if late {
                self.late.push(value);
            }
        }
    }

    fn watermark(&mut self, at: i64) {
        self.watermark = Some(at);
        let still_open = self.open.split_off(&(at.saturating_add(2), i64::MIN));
        self.out.append(&mut self.open);
        self.open = still_open;
    }
}

/// The start of the window with this end, by the plainest way there is.
fn start_of(slicing: Slicing, end: i64) -> i64 {
    match slicing.start {
        Start::BeforeEnd => end - slicing.size_ms,
        Start::Shared => {
            let mut start = end - 1;
            while (start - slicing.offset_ms).rem_euclid(slicing.size_ms) != 0 {
                start -= 1;
            }
            start
        }
    }
}

fn play(slicing: Slicing, exchanged: bool, steps: &[Step]) {
    let mut subject = Subject::new(slicing, exchanged);
    let mut model = Model::default();
    let mut now = 0;
    // What a source would read again after a crash.
    let mut since_checkpoint: Vec<Step> = Vec::new();
    for step in steps {
        match step {
            Step::Rows(rows) => {
                // Rows lie around the watermark: some late, some far ahead.
                let rows: Vec<_> = rows
                    .iter()
                    .map(|&(time, key, value)| (now + time - 40, key, value))
                    .collect();
                subject.rows(&rows);
                model.rows(slicing, &rows);
                since_checkpoint.push(Step::Rows(rows));
            }
            Step::Watermark(by) => {
                now += by;
                subject.watermark(EventTime::from_millis(now));
                model.watermark(now);
                since_checkpoint.push(Step::Watermark(now));
            }
            Step::Barrier { decided } => {
                subject.barrier(*decided);
                since_checkpoint.clear();
            }
            Step::Crash => {
                subject.crash();
                for step in &since_checkpoint {
                    match step {
                        Step::Rows(rows) => subject.rows(rows),
                        Step::Watermark(at) => subject.watermark(EventTime::from_millis(*at)),
                        Step::Barrier { .. } | Step::Crash => unreachable!("not played again"),
                    }
                }
            }
        }
    }
    subject.watermark(EventTime::MAX);
    model.watermark(i64::MAX - 2);
    assert_eq!(subject.out, model.out);
    subject.barrier(true);
    if exchanged {
        model.late.fill(0);
    } else {
        subject.late.sort_unstable();
        model.late.sort_unstable();
    }
    assert_eq!(subject.late, model.late);
    assert!(
        subject.kept.rows.is_empty(),
        "rows of closed windows are kept"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn windows_equal_the_model(
        steps in steps(),
        exchanged in any::<bool>(),
        slides in 1_i64..4,
        cumulates in any::<bool>(),
        offset_ms in -9_i64..10,
    ) {
        let slicing = if cumulates {
            Slicing::cumulating(10 * slides, 10)
        } else {
            Slicing::sliding(10 * slides, 10)
        };
        let slicing = slicing.moved_by(offset_ms);
        play(slicing, exchanged, &steps);
    }
}
