//! Plays random changes through the aggregates, and compares what becomes of the results with a
//! naive model: all rows of a key in a list, looked at anew each time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;

use super::*;
use crate::expr::AggregateFunction;

/// A row: key, value, whether the filtered aggregates count it.
type Row = (i64, Option<i64>, bool);

#[derive(Clone, Debug)]
enum Step {
    /// Rows that come, and places of rows that go, among those that are there.
    Change(Vec<(Row, Option<usize>)>),
    /// What has become of the results is taken.
    Emit,
    /// A checkpoint.
    Checkpoint,
    /// Everything is thrown away and restored, and what came since is played again.
    Crash,
    /// A key's row is taken back that is not there.
    TakeUnknown(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Which of two equal values goes is not known, so they are equal in everything.
    let row = (0_i64..4, prop::option::weighted(0.8, -3_i64..4));
    let row = row.prop_map(|(key, value)| (key, value, value.is_none_or(|value| value % 2 == 0)));
    let change = (row, prop::option::weighted(0.4, 0_usize..20));
    let step = prop_oneof![
        6 => prop::collection::vec(change, 1..8).prop_map(Step::Change),
        3 => Just(Step::Emit),
        2 => Just(Step::Checkpoint),
        1 => Just(Step::Crash),
        1 => (10_i64..12).prop_map(Step::TakeUnknown),
    ];
    prop::collection::vec(step, 1..60)
}

fn input() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("key", DataType::Int64, false),
        Field::new("value", DataType::Int64, true),
        Field::new("counts", DataType::Boolean, false),
    ]))
}

fn spec(retracts: bool) -> UpdatingSpec {
    use AggregateFunction as Function;
    let list = DataType::List(Arc::new(Field::new("element", DataType::Int64, true)));
    let number = DataType::Int64;
    let call = |function, argument, distinct, filter, result: &DataType| AggregateCall {
        function,
        argument,
        distinct,
        filter,
        result: Arc::new(Field::new("result", result.clone(), true)),
    };
    UpdatingSpec {
        input: input(),
        keys: vec![0],
        calls: vec![
            call(Function::Count, None, false, None, &number),
            call(Function::Count, Some(1), false, Some(2), &number),
            call(Function::Sum, Some(1), false, None, &number),
            call(Function::Min, Some(1), false, None, &number),
            call(Function::Max, Some(1), false, Some(2), &number),
            call(Function::Count, Some(1), true, None, &number),
            call(Function::Sum, Some(1), true, Some(2), &number),
            call(Function::First, Some(1), false, None, &number),
            call(Function::Last, Some(1), false, None, &number),
            call(Function::Array, Some(1), false, None, &list),
        ],
        retracts,
        time_to_live_ms: None,
        tells: Tells::Changes,
    }
}

/// The results of the calls over rows, in words.
fn expected(rows: &[Row]) -> Vec<String> {
    let values = || rows.iter().filter_map(|row| row.1);
    let counted = || rows.iter().filter(|row| row.2).filter_map(|row| row.1);
    let text = |value: Option<i64>| value.map_or_else(String::new, |value| value.to_string());
    let sum = |values: Vec<i64>| (!values.is_empty()).then(|| values.iter().sum::<i64>());
    let distinct: BTreeSet<i64> = values().collect();
    let counted_once: BTreeSet<i64> = counted().collect();
    let all = rows.iter().map(|row| text(row.1)).collect::<Vec<_>>();
    vec![
        rows.len().to_string(),
        counted().count().to_string(),
        text(sum(values().collect())),
        text(values().min()),
        text(counted().max()),
        distinct.len().to_string(),
        text(sum(counted_once.into_iter().collect())),
        text(values().next()),
        text(values().next_back()),
        format!("[{}]", all.join(", ")),
    ]
}

/// Rows of a state by what tells them apart.
type Kept = Vec<BTreeMap<Vec<String>, RecordBatch>>;

/// What has gone out: the results of each key.
type Table = BTreeMap<i64, Vec<String>>;

struct Subject {
    spec: UpdatingSpec,
    aggregates: UpdatingAggregates,
    table: Table,
    /// The last checkpoint: states, and what had gone out.
    kept: Kept,
    published: Table,
}

impl Subject {
    fn new(retracts: bool) -> Self {
        let spec = spec(retracts);
        let mut aggregates = UpdatingAggregates::new(spec.clone()).unwrap();
        let states = aggregates.states().len();
        Self {
            spec,
            aggregates,
            table: Table::new(),
            kept: vec![BTreeMap::new(); states],
            published: Table::new(),
        }
    }

    fn change(&mut self, rows: &[(Row, bool)]) {
        let keys = Int64Array::from_iter_values(rows.iter().map(|(row, _)| row.0));
        let values: Int64Array = rows.iter().map(|(row, _)| row.1).collect();
        let counts: BooleanArray = rows.iter().map(|(row, _)| Some(row.2)).collect();
        let columns: Vec<ArrayRef> = vec![Arc::new(keys), Arc::new(values), Arc::new(counts)];
        let records = RecordBatch::try_new(input(), columns).unwrap();
        let adds: Vec<bool> = rows.iter().map(|(_, adds)| *adds).collect();
        let adds = self.spec.retracts.then_some(adds.as_slice());
        self.aggregates.update(&records, adds, 0).unwrap();
    }

    fn emit(&mut self) {
        let changes = self.aggregates.take_changes().unwrap();
        let keys = changes.keys[0].as_primitive::<Int64Type>();
        let row_of = |columns: &[ArrayRef], row| -> Vec<String> {
            let cells = columns.iter();
            cells
                .map(|column| array_value_to_string(column, row).unwrap())
                .collect()
        };
        for (row, change) in changes.changes.iter().enumerate() {
            let (key, old) = (keys.value(row), row_of(&changes.old, row));
            let new = row_of(&changes.new, row);
            match change {
                KeyChange::None => {}
                KeyChange::Inserted => assert_eq!(self.table.insert(key, new), None),
                KeyChange::Updated => assert_eq!(self.table.insert(key, new), Some(old)),
                KeyChange::Deleted => assert_eq!(self.table.remove(&key), Some(old)),
            }
        }
    }

    fn checkpoint(&mut self) {
        self.emit();
        let states = self.aggregates.states();
        let deltas = self.aggregates.drain_deltas().unwrap();
        for ((kept, state), parts) in self.kept.iter_mut().zip(states).zip(deltas) {
            for part in parts {
                assert_eq!(part.schema(), state.schema);
                let exists = part.columns().last().unwrap().as_boolean().clone();
                for row in 0..part.num_rows() {
                    let identity = (0..state.identity_columns)
                        .map(|column| array_value_to_string(part.column(column), row).unwrap());
                    let identity = identity.collect();
                    if exists.value(row) {
                        kept.insert(identity, part.slice(row, 1));
                    } else {
                        kept.remove(&identity);
                    }
                }
            }
        }
        self.published = self.table.clone();
    }

    fn crash(&mut self) {
        self.aggregates = UpdatingAggregates::new(self.spec.clone()).unwrap();
        for (place, state) in self.aggregates.states().iter().enumerate() {
            let rows: Vec<_> = self.kept[place].values().cloned().collect();
            let rows = concat_batches(&state.schema, &rows).unwrap();
            self.aggregates.restore(place, &rows).unwrap();
        }
        self.table = self.published.clone();
    }
}

fn play(retracts: bool, steps: &[Step]) {
    let mut subject = Subject::new(retracts);
    let mut rows: Vec<Row> = Vec::new();
    let mut since_checkpoint: Vec<Vec<(Row, bool)>> = Vec::new();
    for step in steps {
        match step {
            Step::Change(changes) => {
                let mut batch = Vec::new();
                for (row, gone) in changes {
                    if let Some(gone) = gone.filter(|gone| retracts && *gone < rows.len()) {
                        // Of equal rows the first goes.
                        let place = rows.iter().position(|own| *own == rows[gone]).unwrap();
                        batch.push((rows.remove(place), false));
                    } else {
                        rows.push(*row);
                        batch.push((*row, true));
                    }
                }
                subject.change(&batch);
                since_checkpoint.push(batch);
            }
            Step::TakeUnknown(key) => {
                if retracts {
                    let batch = vec![((*key, Some(1), true), false)];
                    subject.change(&batch);
                    since_checkpoint.push(batch);
                }
            }
            Step::Emit => subject.emit(),
            Step::Checkpoint => {
                subject.checkpoint();
                since_checkpoint.clear();
            }
            Step::Crash => {
                subject.crash();
                for batch in &since_checkpoint {
                    subject.change(batch);
                }
            }
        }
    }
    subject.emit();
    let mut by_key = BTreeMap::<i64, Vec<Row>>::new();
    for row in rows {
        by_key.entry(row.0).or_default().push(row);
    }
    let keys = by_key.len();
    let results = by_key.into_iter().map(|(key, rows)| (key, expected(&rows)));
    assert_eq!(subject.table, results.collect::<Table>());
    subject.checkpoint();
    assert_eq!(
        subject.kept[0].len(),
        keys,
        "the state has a row for each key"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn results_equal_the_model(steps in steps(), retracts in any::<bool>()) {
        play(retracts, &steps);
    }
}

#[test]
fn a_key_is_forgotten_after_its_time() {
    let spec = UpdatingSpec {
        time_to_live_ms: Some(100),
        ..spec(false)
    };
    let mut aggregates = UpdatingAggregates::new(spec.clone()).unwrap();
    let row = |key: i64| {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![key])),
            Arc::new(Int64Array::from(vec![5])),
            Arc::new(BooleanArray::from(vec![true])),
        ];
        RecordBatch::try_new(input(), columns).unwrap()
    };
    let counts = |aggregates: &mut UpdatingAggregates, key, now| {
        aggregates.update(&row(key), None, now).unwrap();
        let changes = aggregates.take_changes().unwrap();
        let rows = changes.new[0].as_primitive::<Int64Type>().value(0);
        (changes.changes[0], rows)
    };
    assert_eq!(counts(&mut aggregates, 1, 0), (KeyChange::Inserted, 1));
    assert_eq!(counts(&mut aggregates, 1, 99), (KeyChange::Updated, 2));
    assert_eq!(counts(&mut aggregates, 2, 150), (KeyChange::Inserted, 1));
    assert_eq!(
        counts(&mut aggregates, 1, 198),
        (KeyChange::Updated, 3),
        "each row counts anew"
    );
    assert_eq!(
        counts(&mut aggregates, 2, 250),
        (KeyChange::Inserted, 1),
        "it was forgotten"
    );
    let kept = aggregates.drain_deltas().unwrap();
    assert_eq!(counts(&mut aggregates, 1, 298), (KeyChange::Inserted, 1));

    // What is restored goes on from where it was: key 1 was touched at 198, key 2 at 250.
    let mut restored = UpdatingAggregates::new(spec).unwrap();
    for (place, parts) in kept.iter().enumerate() {
        let there = parts.iter().filter(|part| {
            part.columns().last().unwrap().as_boolean().true_count() == part.num_rows()
        });
        for part in there {
            restored.restore(place, part).unwrap();
        }
    }
    assert_eq!(counts(&mut restored, 1, 298), (KeyChange::Inserted, 1));
    assert_eq!(counts(&mut restored, 2, 349), (KeyChange::Updated, 2));

    // A key that nobody asks for again goes too, and the state is told.
    aggregates.drain_deltas().unwrap();
    aggregates.update(&row(3), None, 10_000).unwrap();
    let deltas = aggregates.drain_deltas().unwrap();
    let gone = deltas[0].first().unwrap();
    assert_eq!(gone.columns().last().unwrap().as_boolean().false_count(), 2);
    assert_eq!(gone.num_rows() - gone.column(0).null_count(), 2);
}
