//! JSON records to rows and back on one core, without a pipeline around it.

use std::sync::Arc;

use anyhow::{Result, anyhow, ensure};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use clap::Args;
use indexmap::IndexMap;
use serde_json::json;
use thalweg::connectors::{self, JobContext, TableOptions};
use thalweg::formats::{
    Decoder, EncodedRecords, FormatRef, Framing, LineBounds, Options, format, line_length,
};
use thalweg::runtime::SourceEvent;
use thalweg::stream::OperatorId;

use crate::bids::{self, Form};
use crate::cost::{measure, median, ratio};
use crate::recorder::Recorder;

/// Rows of a batch, as a source makes them.
pub const BATCH_ROWS: usize = 8_192;

/// Events per CPU-second of reading bids of JSON: lines of a block, single records,
/// and a whole file from a warm page cache.
#[derive(Args, Debug)]
pub struct DecodeArguments {
    #[command(flatten)]
    pub size: Size,
}

/// Events per CPU-second of writing bids as JSON.
#[derive(Args, Debug)]
pub struct EncodeArguments {
    #[command(flatten)]
    pub size: Size,
}

/// How much is measured.
#[derive(Args, Clone, Copy, Debug)]
pub struct Size {
    /// Records.
    #[arg(long, default_value_t = 1_000_000)]
    pub rows: u64,
    /// Runs of each case, of which the one in the middle counts.
    #[arg(long, default_value_t = 7)]
    runs: usize,
}

/// Decodes bids in each of their forms.
///
/// # Errors
/// If a record is refused.
pub fn decode(arguments: &DecodeArguments, recorder: &mut Recorder) -> Result<()> {
    let size = arguments.size;
    let flat = bids::lines(size.rows, Form::Flat);
    let nested = bids::lines(size.rows, Form::Nested);
    let (all, four) = (bids::all_columns(), bids::four_columns());
    for (case, schema, bytes) in [
        ("4 of 7 columns", &four, &flat),
        ("all 7 columns", &all, &flat),
        ("4 columns in a row", &bids::nested_columns(), &nested),
    ] {
        let mut decoder = json_format(schema)?.decoder(schema, schema);
        let work = || decode_lines(decoder.as_mut(), bytes);
        note(recorder, (case, "lines"), size, bytes.len(), work)?;
        let work = || decode_records(decoder.as_mut(), bytes);
        note(recorder, (case, "records"), size, bytes.len(), work)?;
    }
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("bids.json");
    std::fs::write(&path, &flat)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let work = || runtime.block_on(read_file(&path.to_string_lossy(), &all, &four));
    note(recorder, ("4 of 7 columns", "file"), size, flat.len(), work)
}

/// Encodes bids.
///
/// # Errors
/// If a row is refused.
pub fn encode(arguments: &EncodeArguments, recorder: &mut Recorder) -> Result<()> {
    let size = arguments.size;
    let (schema, lines) = (bids::all_columns(), bids::lines(size.rows, Form::Flat));
    let batches = json_batches(&schema, &lines)?;
    let mut encoder = json_format(&schema)?.encoder(&schema);
    let mut out = EncodedRecords::lines();
    let work = || {
        let mut rows = 0;
        for batch in &batches {
            out.clear();
            encoder.encode(batch, &mut out)?;
            rows += out.len();
        }
        Ok(rows)
    };
    note(recorder, ("7 columns", "encoded"), size, lines.len(), work)
}

/// Runs `work` several times and notes what is typical.
///
/// # Errors
/// If it fails, or gives other than so many rows.
pub fn note(
    recorder: &mut Recorder,
    (case, how): (&str, &str),
    size: Size,
    bytes: usize,
    mut work: impl FnMut() -> Result<usize>,
) -> Result<()> {
    let mut costs = Vec::with_capacity(size.runs);
    for _ in 0..size.runs {
        let (rows, cost) = measure(&mut work)?;
        ensure!(
            rows as u64 == size.rows,
            "{rows} rows came of {}",
            size.rows
        );
        costs.push(cost.cpu_seconds);
    }
    let cpu = median(costs);
    let bytes = ratio(bytes as u64);
    let parameters = json!({
        "case": case,
        "how": how,
        "rows": size.rows,
        "bytes_per_row": bytes / ratio(size.rows),
        "runs": size.runs,
    });
    let events = ratio(size.rows) / cpu;
    recorder.figure("events per core", events, "events/CPU-s", &parameters)?;
    recorder.figure("bytes per core", bytes / cpu / 1e9, "GB/CPU-s", &parameters)
}

/// The rows of lines of JSON.
///
/// # Errors
/// If a line is refused.
pub fn json_batches(schema: &SchemaRef, lines: &[u8]) -> Result<Vec<RecordBatch>> {
    let mut decoder = json_format(schema)?.decoder(schema, schema);
    let (mut batches, mut rest) = (Vec::new(), lines);
    while let Some(rows) = next_lines(decoder.as_mut(), &mut rest)? {
        batches.push(rows);
    }
    Ok(batches)
}

/// The format `json` as it is without options.
///
/// # Errors
/// If it does not take a column.
pub fn json_format(schema: &SchemaRef) -> Result<FormatRef> {
    let given = IndexMap::from([("format".to_owned(), "json".to_owned())]);
    format(&mut Options::new(&given), schema).ok_or_else(|| anyhow!("there is no such format"))
}

/// Decodes lines, a batch at a time; returns how many rows they are.
///
/// # Errors
/// If a line is refused.
pub fn decode_lines(decoder: &mut dyn Decoder, mut rest: &[u8]) -> Result<usize> {
    let mut rows = 0;
    while let Some(batch) = next_lines(decoder, &mut rest)? {
        rows += batch.num_rows();
    }
    Ok(rows)
}

/// The next batch of lines.
fn next_lines(decoder: &mut dyn Decoder, rest: &mut &[u8]) -> Result<Option<RecordBatch>> {
    let bounds = LineBounds {
        records_max: BATCH_ROWS,
        record_bytes_max: 1 << 20,
    };
    let mut refused = Vec::new();
    let taken = decoder.push_lines(rest, bounds, &mut refused);
    ensure!(refused.is_empty(), "a bid was refused: {refused:?}");
    *rest = rest.get(taken.bytes..).unwrap_or_default();
    Ok((taken.records > 0).then(|| decoder.finish()))
}

/// One record at a time, as a message broker hands them over.
fn decode_records(decoder: &mut dyn Decoder, mut rest: &[u8]) -> Result<usize> {
    let mut rows = 0;
    while let Some(length) = line_length(rest) {
        let (line, behind) = rest.split_at(length);
        decoder.push(Framing::trim_line_end(line))?;
        rest = behind;
        if decoder.num_rows() == BATCH_ROWS {
            rows += decoder.finish().num_rows();
        }
    }
    Ok(rows + decoder.finish().num_rows())
}

/// Reads a file as a source table does.
async fn read_file(path: &str, table: &SchemaRef, schema: &SchemaRef) -> Result<usize> {
    let options = [
        ("connector", "filesystem"),
        ("path", path),
        ("format", "json"),
    ];
    let table = TableOptions {
        name: "bids".to_owned(),
        options: options
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        schema: Arc::clone(table),
        metadata: IndexMap::new(),
        primary_key: Vec::new(),
        partition_keys: Vec::new(),
    };
    let job = JobContext::for_inspection("bids".to_owned(), OperatorId(0));
    let source = connectors::source("filesystem", &table, &job)
        .map_err(|errors| anyhow!("the table is wrong: {errors:?}"))?;
    let mut reader = source.reader(schema)?;
    for split in source.enumerator().discover(&[]).await?.found {
        reader.add_split(&split, None).await?;
    }
    let mut rows = 0;
    loop {
        match reader.next().await? {
            SourceEvent::Rows { records, .. } => rows += records.num_rows(),
            SourceEvent::Finished { .. } => return Ok(rows),
            _ => {}
        }
    }
}
