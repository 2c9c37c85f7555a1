//! Plays random streams through the session aggregate, and compares what comes out with a naive
//! model: a list of sessions to which rows are added one by one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimestampMillisecondType};
use proptest::prelude::*;

use super::collected::Collected;
use super::late_rows::LateRows;
use super::model_rows::{input, window_fields};
use super::session_aggregate::{SessionAggregate, Spec};
use crate::expr::{AggregateCall, AggregateFunction};
use crate::runtime::{Operator, Output, Progress};
use crate::state::{OperatorDelta, RestoredState};
use crate::stream::{Barrier, BarrierKind, Batch, CheckpointId, EventTime, KeyGroups, OperatorId};

const GAP_MS: i64 = 10;

/// (key, start, end) → (rows, sum).
type Sessions = BTreeMap<(Option<i64>, i64, i64), (i64, i64)>;

/// Key, time and value.
type Row = (Option<i64>, i64, i64);

#[derive(Clone, Debug)]
enum Step {
    Rows(Vec<Row>),
    /// Time moves on by so much.
    Watermark(i64),
    Barrier,
    /// The operator is thrown away and restored from the last checkpoint, and what came since
    /// is played again.
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let row = (prop::option::of(0_i64..3), 0_i64..120, -5_i64..6);
    let step = prop_oneof![
        4 => prop::collection::vec(row, 1..12).prop_map(Step::Rows),
        2 => (1_i64..25).prop_map(Step::Watermark),
        2 => Just(Step::Barrier),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..60)
}

fn aggregate(keyed: bool) -> SessionAggregate {
    let result = |name: &str| Field::new(name, DataType::Int64, true);
    let call = |function, argument, name| AggregateCall {
        function,
        argument,
        distinct: false,
        filter: None,
        result: Arc::new(result(name)),
    };
    let mut fields = vec![result("rows"), result("sum")];
    fields.extend(window_fields());
    if keyed {
        fields.insert(0, result("key"));
    }
    let aggregate = SessionAggregate::new(Spec {
        operator: OperatorId(7),
        range: KeyGroups::DEFAULT.all(),
        input: input(),
        schema: Arc::new(Schema::new(fields)),
        keys: usize::from(keyed),
        time: 1,
        gap_ms: GAP_MS,
        late_rows: Some(LateRows {
            columns: vec![0, 1, 2],
            schema: input(),
        }),
        calls: vec![
            call(AggregateFunction::Count, None, "rows"),
            call(AggregateFunction::Sum, Some(2), "sum"),
        ],
    });
    aggregate.unwrap()
}

/// The operator under test, with the state that a store would have kept.
struct Subject {
    keyed: bool,
    operator: SessionAggregate,
    watermark: Option<EventTime>,
    late_records: u64,
    /// By key and start; what is there of a session in the state.
    kept: HashMap<(Option<i64>, i64), RecordBatch>,
    checkpoint: CheckpointId,
    out: Sessions,
    out_at_checkpoint: Sessions,
    /// The values of late rows.
    late: Vec<i64>,
    late_at_checkpoint: Vec<i64>,
}

impl Subject {
    fn new(keyed: bool) -> Self {
        Self {
            keyed,
            operator: aggregate(keyed),
            watermark: None,
            late_records: 0,
            kept: HashMap::new(),
            checkpoint: CheckpointId(0),
            out: Sessions::new(),
            out_at_checkpoint: Sessions::new(),
            late: Vec::new(),
            late_at_checkpoint: Vec::new(),
        }
    }

    fn act(&mut self, act: impl FnOnce(&mut SessionAggregate, &mut dyn Output)) {
        let mut out = Collected::default();
        act(&mut self.operator, &mut out);
        let values = out.late_numbers(2);
        assert_eq!(values.len(), out.late);
        self.late.extend(values);
        for records in out.rows {
            let (keys, others) = self.keys_and_others(&records);
            let number = |column: usize| others[column].as_primitive::<Int64Type>();
            let time = |column: usize| others[column].as_primitive::<TimestampMillisecondType>();
            for (row, key) in keys.into_iter().enumerate() {
                let (start, end) = (time(2).value(row), time(3).value(row));
                assert_eq!(time(4).value(row), end - 1);
                let value = (number(0).value(row), number(1).value(row));
                let before = self.out.insert((key, start, end), value);
                assert_eq!(before, None, "{key:?} {start} to {end} twice");
            }
        }
    }

    fn keys_and_others(&self, records: &RecordBatch) -> (Vec<Option<i64>>, Vec<ArrayRef>) {
        let mut columns = records.columns().to_vec();
        if !self.keyed {
            return (vec![None; records.num_rows()], columns);
        }
        let keys = columns.remove(0);
        (keys.as_primitive::<Int64Type>().iter().collect(), columns)
    }

    fn rows(&mut self, rows: &[Row]) {
        let keys: Int64Array = rows.iter().map(|row| row.0).collect();
        let times = TimestampMillisecondArray::from_iter_values(rows.iter().map(|row| row.1));
        let values = Int64Array::from_iter_values(rows.iter().map(|row| row.2));
        let columns: Vec<ArrayRef> = vec![Arc::new(keys), Arc::new(times), Arc::new(values)];
        let records = RecordBatch::try_new(input(), columns).unwrap();
        self.act(|operator, out| operator.process(Batch::new(records), out).unwrap());
    }

    fn watermark(&mut self, at: EventTime) {
        self.act(|operator, out| while operator.watermark(at, out).unwrap() == Progress::More {});
    }

    fn barrier(&mut self) {
        self.checkpoint = self.checkpoint.next();
        let barrier = Barrier {
            checkpoint: self.checkpoint,
            kind: BarrierKind::Interval,
        };
        let mut deltas = Vec::new();
        self.act(|operator, out| deltas = operator.barrier(barrier, out).unwrap());
        for delta in deltas {
            self.commit(&delta);
        }
        self.out_at_checkpoint = self.out.clone();
        self.late_at_checkpoint.clone_from(&self.late);
    }

    /// Does to the state what a store does.
    fn commit(&mut self, delta: &OperatorDelta) {
        self.watermark = Some(delta.watermark);
        self.late_records = delta.late_records;
        let mut seen = Vec::new();
        for rows in &delta.rows {
            let (keys, others) = self.keys_and_others(&rows.records);
            let starts = others[0].as_primitive::<Int64Type>();
            let exists = others[others.len() - 1].as_boolean();
            for (row, key) in keys.into_iter().enumerate() {
                let identity = (key, starts.value(row));
                assert!(!seen.contains(&identity), "{identity:?} is told twice");
                seen.push(identity);
                if exists.value(row) {
                    self.kept.insert(identity, rows.records.slice(row, 1));
                } else {
                    let before = self.kept.remove(&identity);
                    assert!(before.is_some(), "{identity:?} was never there");
                }
            }
        }
    }

    fn crash(&mut self) {
        self.operator = aggregate(self.keyed);
        self.out = self.out_at_checkpoint.clone();
        self.late.clone_from(&self.late_at_checkpoint);
        if let Some(watermark) = self.watermark {
            let rows = self.kept.values();
            let restored = RestoredState {
                watermark,
                late_records: self.late_records,
                rows: rows.map(|row| (EventTime::MAX, row.clone())).collect(),
            };
            self.operator.restore(restored).unwrap();
            // The first split that speaks may lie behind the restored time.
            self.watermark(watermark.saturating_sub(15));
        }
    }
}

/// Rows one by one.
#[derive(Default)]
struct Model {
    watermark: Option<i64>,
    open: Vec<(Row, i64, i64)>,
    out: Sessions,
    late: Vec<i64>,
}

impl Model {
    fn rows(&mut self, rows: &[Row]) {
        for &(key, time, value) in rows {
            // Key, start and sum; end; rows.
            let mut session = ((key, time, value), time + GAP_MS, 1);
            let touches = |other: &(Row, i64, i64)| {
                other.0.0 == key && other.0.1 <= time + GAP_MS && time <= other.1
            };
            let (joined, apart) = self.open.drain(..).partition(touches);
            self.open = apart;
            let joined: Vec<(Row, i64, i64)> = joined;
            for other in joined {
                session.0.1 = session.0.1.min(other.0.1);
                session.0.2 += other.0.2;
                session.1 = session.1.max(other.1);
                session.2 += other.2;
            }
            if self
                .watermark
                .is_some_and(|watermark| session.1 - 1 <= watermark)
            {
                self.late.push(value);
            } else {
                self.open.push(session);
            }
        }
    }

    fn watermark(&mut self, at: i64) {
        self.watermark = Some(at);
        let is_closed = |session: &(Row, i64, i64)| session.1 - 1 <= at;
        let (closed, open) = self.open.drain(..).partition(is_closed);
        self.open = open;
        let closed: Vec<(Row, i64, i64)> = closed;
        for ((key, start, sum), end, rows) in closed {
            self.out.insert((key, start, end), (rows, sum));
        }
    }
}

fn play(keyed: bool, steps: &[Step]) {
    let mut subject = Subject::new(keyed);
    let mut model = Model::default();
    let mut now = 0;
    // What a source would read again after a crash.
    let mut since_checkpoint: Vec<Step> = Vec::new();
    for step in steps {
        match step {
            Step::Rows(rows) => {
                // Rows lie around the watermark: some late, some far ahead.
                let key = |key| if keyed { key } else { None };
                let rows = rows.iter();
                let rows = rows.map(|row| (key(row.0), now + row.1 - 40, row.2));
                let rows: Vec<Row> = rows.collect();
                subject.rows(&rows);
                model.rows(&rows);
                since_checkpoint.push(Step::Rows(rows));
            }
            Step::Watermark(by) => {
                now += by;
                subject.watermark(EventTime::from_millis(now));
                model.watermark(now);
                since_checkpoint.push(Step::Watermark(now));
            }
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
                        Step::Barrier | Step::Crash => unreachable!("not played again"),
                    }
                }
            }
        }
    }
    subject.watermark(EventTime::MAX);
    model.watermark(i64::MAX);
    assert_eq!(subject.out, model.out);
    subject.barrier();
    subject.late.sort_unstable();
    model.late.sort_unstable();
    assert_eq!(subject.late, model.late);
    assert!(subject.kept.is_empty(), "closed sessions are kept");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn sessions_equal_the_model(steps in steps(), keyed in any::<bool>()) {
        play(keyed, &steps);
    }
}
