//! Hot paths on a fixed input in one thread: `scripts/bench-check` counts their
//! instructions, which do not depend on what else the machine does.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use clap::{Args, ValueEnum};
use thalweg::expr::{AggregateCall, AggregateFunction, AggregateLayout};
use thalweg::formats::EncodedRecords;
use thalweg::operators::{Input, Slicing, WindowAggregate, WindowAggregateSpec};
use thalweg::runtime::{Operator, Output, Progress};
use thalweg::stream::{
    Barrier, BarrierKind, Batch, CheckpointId, DeadLetter, EventTime, KeyGroups, OperatorId,
};

use crate::bids::{self, Form};
use crate::generator::Generator;
use crate::json_codec::{decode_lines, json_batches, json_format};
use crate::keyed_state::{Key, KeyedState, sample};

/// Lines and rows that a path takes in.
const LINES: u64 = 100_000;
const BATCHES: i64 = 50;
const BATCH_ROWS: i64 = 8_192;
const ROWS_PER_MS: i64 = 20;

/// Runs one hot path once.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The path.
    #[arg(value_enum)]
    path: HotPath,
}

/// A path that every row takes.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum HotPath {
    /// Four of the seven columns of flat bids.
    JsonDecode,
    /// Four columns of bids inside of events.
    JsonDecodeNested,
    /// Seven columns of bids.
    JsonEncode,
    /// Two columns of the suite's bids.
    Nexmark,
    /// A count per key in tumbling windows, with checkpoints.
    Tumble,
    /// The same in overlapping windows.
    Hop,
    /// A checkpoint of 100,000 changed keys, and its folding.
    StateCommit,
}

/// Runs a path; what counts happens inside of [`counted`].
///
/// # Errors
/// If the path fails.
pub fn run(arguments: &Arguments) -> Result<()> {
    match arguments.path {
        HotPath::JsonDecode => decode(&bids::four_columns(), Form::Flat),
        HotPath::JsonDecodeNested => decode(&bids::nested_columns(), Form::Nested),
        HotPath::JsonEncode => encode(),
        HotPath::Nexmark => nexmark(),
        HotPath::Tumble => aggregate(Slicing::tumbling(10_000)),
        HotPath::Hop => aggregate(Slicing::sliding(10_000, 2_000)),
        HotPath::StateCommit => state_commit(),
    }
}

/// The counter looks for this function's name, and counts what runs under it.
#[inline(never)]
fn counted<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    std::hint::black_box(work())
}

fn decode(schema: &SchemaRef, form: Form) -> Result<()> {
    let lines = bids::lines(LINES, form);
    let mut decoder = json_format(schema)?.decoder(schema, schema);
    let rows = counted(|| decode_lines(decoder.as_mut(), &lines))?;
    ensure!(rows as u64 == LINES, "{rows} rows came of {LINES}");
    Ok(())
}

fn encode() -> Result<()> {
    let schema = bids::all_columns();
    let batches = json_batches(&schema, &bids::lines(LINES, Form::Flat))?;
    let mut encoder = json_format(&schema)?.encoder(&schema);
    let mut out = EncodedRecords::lines();
    let rows = counted(|| {
        let mut rows = 0;
        for batch in &batches {
            out.clear();
            encoder.encode(batch, &mut out)?;
            rows += out.len();
        }
        Ok(rows)
    })?;
    ensure!(rows as u64 == LINES, "{rows} rows were written");
    Ok(())
}

fn nexmark() -> Result<()> {
    let time = DataType::Timestamp(TimeUnit::Millisecond, None);
    let schema = Arc::new(Schema::new(vec![
        Field::new("auction", DataType::Int64, true),
        Field::new("dateTime", time, true),
    ]));
    let generator = Generator::new(&schema, 500_000)?;
    let rows = counted(|| generator.read())?;
    ensure!(rows == 460_000, "{rows} bids came");
    Ok(())
}

/// Counts the rows that come out.
#[derive(Default)]
struct Emitted {
    rows: usize,
}

impl Output for Emitted {
    fn emit(&mut self, batch: Batch) {
        self.rows += batch.num_rows();
    }
    fn dead_letter(&mut self, letter: DeadLetter) {
        unreachable!("every row has a time: {}", letter.reason);
    }
    fn late(&mut self, rows: usize) {
        unreachable!("{rows} rows came late");
    }
    fn late_rows(&mut self, batch: Batch) {
        unreachable!("{} rows came late", batch.num_rows());
    }
}

fn aggregate(slicing: Slicing) -> Result<()> {
    let mut operator = window_count(slicing)?;
    let batches: Vec<_> = (0..BATCHES).map(bids_of_batch).collect();
    let mut emitted = Emitted::default();
    counted(|| {
        for (batch, number) in batches.into_iter().zip(0..) {
            operator.process(Batch::new(batch), &mut emitted)?;
            // The next batch begins in this millisecond.
            let next = (number + 1) * BATCH_ROWS / ROWS_PER_MS;
            close(
                &mut operator,
                EventTime::from_millis(next - 1),
                &mut emitted,
            )?;
            if number % 10 == 9 {
                checkpoint(&mut operator, number, &mut emitted)?;
            }
        }
        close(&mut operator, EventTime::MAX, &mut emitted)
    })?;
    ensure!(emitted.rows > 10_000, "{} rows came out", emitted.rows);
    Ok(())
}

fn window_count(slicing: Slicing) -> Result<WindowAggregate> {
    let input = bids_of_batch(0).schema();
    let call = AggregateCall {
        function: AggregateFunction::Count,
        argument: None,
        distinct: false,
        filter: None,
        result: Arc::new(Field::new("bids", DataType::Int64, false)),
    };
    let layout = Arc::new(AggregateLayout::new(&input, &[0], vec![call])?);
    let time = || DataType::Timestamp(TimeUnit::Millisecond, None);
    let schema = Arc::new(Schema::new(vec![
        Field::new("auction", DataType::Int64, false),
        Field::new("bids", DataType::Int64, false),
        Field::new("window_start", time(), false),
        Field::new("window_end", time(), false),
        Field::new("window_time", time(), false),
    ]));
    Ok(WindowAggregate::new(WindowAggregateSpec {
        operator: OperatorId(0),
        range: KeyGroups::DEFAULT.all(),
        schema,
        layout,
        slicing,
        input: Input::Rows {
            keys: vec![0],
            time: 1,
        },
        start_is_last_key: false,
        late_rows: None,
    }))
}

/// Bids on ten thousand auctions.
fn bids_of_batch(batch: i64) -> RecordBatch {
    let rows = batch * BATCH_ROWS..(batch + 1) * BATCH_ROWS;
    let auctions = rows.clone().map(|row| row * 7_919 % 10_000);
    let auctions: ArrayRef = Arc::new(Int64Array::from_iter_values(auctions));
    let times = rows.map(|row| row / ROWS_PER_MS);
    let times: ArrayRef = Arc::new(TimestampMillisecondArray::from_iter_values(times));
    RecordBatch::try_from_iter([("auction", auctions), ("dateTime", times)])
        .expect("the columns have one length")
}

fn close(operator: &mut WindowAggregate, at: EventTime, emitted: &mut Emitted) -> Result<()> {
    while operator.watermark(at, emitted)? == Progress::More {}
    Ok(())
}

fn checkpoint(operator: &mut WindowAggregate, number: i64, emitted: &mut Emitted) -> Result<()> {
    let checkpoint = CheckpointId(u64::try_from(number)?);
    let barrier = Barrier {
        checkpoint,
        kind: BarrierKind::Interval,
    };
    std::hint::black_box(operator.barrier(barrier, emitted)?);
    operator.decided(checkpoint);
    while operator.background(Duration::from_millis(2))? == Progress::More {}
    Ok(())
}

fn state_commit() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut state = KeyedState::create(dir.path(), Key::Bigint)?;
    state.load(200_000, 50_000)?;
    let keys = sample(200_000, 100_000, 1)?;
    counted(|| {
        state.commit(EventTime::MAX, &keys)?;
        state.fold()?;
        Ok(())
    })
}
