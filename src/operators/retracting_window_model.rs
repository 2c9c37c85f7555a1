//! Windows of rows that may be taken back, held against a model that keeps every row: random
//! changes, watermarks, checkpoints and crashes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, TimestampMillisecondArray};
use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimestampMillisecondType};
use arrow::row::{OwnedRow, RowConverter, SortField};
use proptest::prelude::*;

use super::collected::Collected;
use super::model_rows::{input, window_fields};
use super::{RetractingWindowAggregate, RetractingWindowAggregateSpec, Slicing, WindowsOfRow};
use crate::expr::{AggregateCall, AggregateFunction};
use crate::runtime::{Operator, Output, Progress};
use crate::state::{OperatorDelta, RestoredState};
use crate::stream::{
    Barrier, BarrierKind, Batch, ChangeKind, CheckpointId, EventTime, KeyGroups, OperatorId,
};

/// Time, key and value.
type Row = (i64, i64, i64);
/// By end and key: how many rows, their sum, the least value, how many different ones.
type Results = BTreeMap<(i64, i64), (i64, i64, i64, i64)>;
/// Rows that are added, or taken back.
type Changes = Vec<(bool, Row)>;

#[derive(Clone, Debug)]
enum Step {
    /// Rows that come, with the place of one to take back before each, among those that are there.
    Change(Vec<(Row, Option<usize>)>),
    Watermark(i64),
    Barrier,
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let row = (0_i64..60, 0_i64..3, -2_i64..3);
    let change = (row, prop::option::of(0_usize..100));
    let step = prop_oneof![
        5 => prop::collection::vec(change, 1..8).prop_map(Step::Change),
        3 => (1_i64..25).prop_map(Step::Watermark),
        2 => Just(Step::Barrier),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..40)
}

fn aggregate(slicing: Slicing) -> RetractingWindowAggregate {
    let result = |name: &str| Field::new(name, DataType::Int64, true);
    let call = |function, argument, distinct| AggregateCall {
        function,
        argument,
        distinct,
        filter: None,
        result: Arc::new(result("result")),
    };
    let fields = ["key", "rows", "sum", "least", "different"].map(result);
    let spec = RetractingWindowAggregateSpec {
        operator: OperatorId(7),
        range: KeyGroups::DEFAULT.all(),
        input: input(),
        schema: Arc::new(Schema::new([&fields[..], &window_fields()[..]].concat())),
        keys: 1,
        windows: WindowsOfRow::Time { time: 1, slicing },
        calls: vec![
            call(AggregateFunction::Count, None, false),
            call(AggregateFunction::Sum, Some(2), false),
            call(AggregateFunction::Min, Some(2), false),
            call(AggregateFunction::Count, Some(2), true),
        ],
    };
    RetractingWindowAggregate::new(spec).unwrap()
}

/// The operator under test, with the states that a store would have kept.
struct Subject {
    slicing: Slicing,
    operator: RetractingWindowAggregate,
    out: Results,
    late: usize,
    at_checkpoint: (Results, usize),
    watermark: Option<EventTime>,
    late_records: u64,
    /// By state: the row, with the time under which it stands, by what tells it from others.
    kept: Vec<HashMap<OwnedRow, (EventTime, RecordBatch)>>,
    checkpoint: CheckpointId,
}

impl Subject {
    fn new(slicing: Slicing) -> Self {
        let operator = aggregate(slicing);
        Self {
            slicing,
            kept: vec![HashMap::new(); operator.states().len()],
            operator,
            out: Results::new(),
            late: 0,
            at_checkpoint: (Results::new(), 0),
            watermark: None,
            late_records: 0,
            checkpoint: CheckpointId(0),
        }
    }

    fn act<T>(
        &mut self,
        act: impl FnOnce(&mut RetractingWindowAggregate, &mut dyn Output) -> T,
    ) -> T {
        let mut out = Collected::default();
        let done = act(&mut self.operator, &mut out);
        self.late += out.late;
        for records in out.rows {
            let number = |column: usize| records.column(column).as_primitive::<Int64Type>();
            let ends = records.column(6).as_primitive::<TimestampMillisecondType>();
            for row in 0..records.num_rows() {
                let value = |column| number(column).value(row);
                let key = (ends.value(row), value(0));
                let result = (value(1), value(2), value(3), value(4));
                let before = self.out.insert(key, result);
                assert_eq!(before, None, "{key:?} twice");
            }
        }
        done
    }

    fn change(&mut self, changes: &Changes) {
        let rows = || changes.iter().map(|(_, row)| row);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(rows().map(|row| row.1))),
            Arc::new(TimestampMillisecondArray::from_iter_values(
                rows().map(|row| row.0),
            )),
            Arc::new(Int64Array::from_iter_values(rows().map(|row| row.2))),
        ];
        let kinds = changes.iter().map(|(adds, _)| {
            if *adds {
                ChangeKind::Insert
            } else {
                ChangeKind::Delete
            }
        });
        let records = RecordBatch::try_new(input(), columns).unwrap();
        let batch = Batch::with_kinds(records, Some(kinds.collect()));
        self.act(|operator, out| operator.process(batch, out))
            .unwrap();
    }

    fn watermark(&mut self, at: EventTime) {
        let mut step = || {
            self.act(|operator, out| operator.watermark(at, out))
                .unwrap()
        };
        while step() == Progress::More {}
    }

    fn barrier(&mut self) {
        self.checkpoint = self.checkpoint.next();
        let barrier = Barrier {
            checkpoint: self.checkpoint,
            kind: BarrierKind::Interval,
        };
        let deltas = self
            .act(|operator, out| operator.barrier(barrier, out))
            .unwrap();
        let states: Vec<_> = self
            .operator
            .states()
            .iter()
            .map(|state| state.operator)
            .collect();
        for (place, state) in states.into_iter().enumerate() {
            for delta in deltas.iter().filter(|delta| delta.operator == state) {
                self.commit(place, delta);
            }
        }
        self.at_checkpoint = (self.out.clone(), self.late);
    }

    fn commit(&mut self, state: usize, delta: &OperatorDelta) {
        self.watermark = Some(delta.watermark);
        if state == 0 {
            self.late_records = delta.late_records;
        }
        let identity = self.operator.states()[state].identity_columns;
        for rows in &delta.rows {
            let columns = &rows.records.columns()[..identity];
            let fields = columns
                .iter()
                .map(|column| SortField::new(column.data_type().clone()));
            let converter = RowConverter::new(fields.collect()).unwrap();
            let names = converter.convert_columns(columns).unwrap();
            let exist = rows.records.columns().last().unwrap();
            let exist: &BooleanArray = exist.as_boolean();
            for row in 0..rows.records.num_rows() {
                let name = names.row(row).owned();
                if exist.value(row) {
                    let kept = (rows.time, rows.records.slice(row, 1));
                    self.kept[state].insert(name, kept);
                } else {
                    self.kept[state].remove(&name);
                }
            }
        }
        if let Some(closed) = delta.closed_until {
            self.kept[state].retain(|_, (time, _)| *time > closed);
        }
    }

    fn crash(&mut self) {
        self.operator = aggregate(self.slicing);
        (self.out, self.late) = self.at_checkpoint.clone();
        let Some(watermark) = self.watermark else {
            return;
        };
        for (place, kept) in self.kept.iter().enumerate() {
            let restored = RestoredState {
                watermark,
                late_records: self.late_records,
                rows: kept.values().cloned().collect(),
            };
            self.operator.restore_state(place, &restored).unwrap();
        }
        self.watermark(watermark.saturating_sub(15));
    }
}

/// All rows that are there, in a list.
#[derive(Default)]
struct Model {
    watermark: Option<i64>,
    /// By end and key, the values of rows.
    open: BTreeMap<(i64, i64), Vec<i64>>,
    out: Results,
    late: usize,
}

impl Model {
    fn change(&mut self, slicing: Slicing, changes: &Changes) {
        for &(adds, (time, key, value)) in changes {
            let windows = slicing.windows_of(EventTime::from_millis(time));
            let ends = windows.map(|(_, end)| end.millis());
            let ends = ends.filter(|end| self.watermark.is_none_or(|at| end - 1 > at));
            let ends: Vec<i64> = ends.collect();
            if ends.is_empty() {
                self.late += 1;
            }
            for end in ends {
                let values = self.open.entry((end, key)).or_default();
                if adds {
                    values.push(value);
                } else {
                    let place = values.iter().position(|own| *own == value);
                    values.swap_remove(place.expect("only what is there is taken back"));
                }
            }
        }
    }

    fn close(&mut self, at: i64) {
        self.watermark = Some(at);
        while let Some(first) = self.open.first_entry()
            && first.key().0 - 1 <= at
        {
            let (name, values) = first.remove_entry();
            let Some(&least) = values.iter().min() else {
                continue;
            };
            let count = |count: usize| i64::try_from(count).unwrap();
            let different = values.iter().collect::<BTreeSet<_>>().len();
            let sum = values.iter().sum();
            let result = (count(values.len()), sum, least, count(different));
            self.out.insert(name, result);
        }
    }
}

fn play(slicing: Slicing, steps: &[Step]) {
    let mut subject = Subject::new(slicing);
    let mut model = Model::default();
    let mut there: Vec<Row> = Vec::new();
    let mut now = 0;
    let mut since_checkpoint: Vec<Result<Changes, i64>> = Vec::new();
    for step in steps {
        match step {
            Step::Change(rows) => {
                let mut changes = Vec::new();
                for (row, gone) in rows {
                    if let Some(place) = gone.filter(|_| !there.is_empty()) {
                        changes.push((false, there.swap_remove(place % there.len())));
                    }
                    let row = (now + row.0 - 40, row.1, row.2);
                    there.push(row);
                    changes.push((true, row));
                }
                subject.change(&changes);
                model.change(slicing, &changes);
                since_checkpoint.push(Ok(changes));
            }
            Step::Watermark(by) => {
                now += by;
                subject.watermark(EventTime::from_millis(now));
                model.close(now);
                since_checkpoint.push(Err(now));
            }
            Step::Barrier => {
                subject.barrier();
                since_checkpoint.clear();
            }
            Step::Crash => {
                subject.crash();
                for step in &since_checkpoint {
                    match step {
                        Ok(changes) => subject.change(changes),
                        Err(at) => subject.watermark(EventTime::from_millis(*at)),
                    }
                }
            }
        }
        assert_eq!(subject.out, model.out, "behind {step:?}");
        assert_eq!(subject.late, model.late, "behind {step:?}");
    }
    subject.watermark(EventTime::MAX);
    model.close(i64::MAX);
    assert_eq!(subject.out, model.out);
    subject.barrier();
    let kept = subject.kept.iter().map(HashMap::len).sum::<usize>();
    assert_eq!(kept, 0, "windows that have left are kept");
    assert_eq!(subject.late_records, subject.late as u64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn windows_of_changes_equal_the_model(
        steps in steps(),
        slides in 1_i64..4,
        offset_ms in -9_i64..10,
        cumulates in any::<bool>(),
    ) {
        let slicing = if cumulates {
            Slicing::cumulating(10 * slides, 10)
        } else {
            Slicing::sliding(10 * slides, 10)
        };
        play(slicing.moved_by(offset_ms), &steps);
    }
}
