//! CPU time of whole pipelines between topics of a real broker: of the node alone, as the
//! broker is another process.

use anyhow::{Result, ensure};
use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::json;

use crate::bids::{self, Form};
use crate::broker::Broker;
use crate::cost::{median, ratio};
use crate::job;
use crate::recorder::Recorder;

/// Keys of the windows.
const AUCTIONS: u64 = 10_000;

/// CPU seconds of the node for a million events: topics of a broker of its own, read and
/// written exactly once with default settings.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The pipelines; all of them without this.
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(PIPELINES.iter().map(|pipeline| pipeline.name)))]
    pipeline: Vec<String>,
    /// Events in the topic.
    #[arg(long, default_value_t = 4_000_000)]
    rows: u64,
    /// Runs of each pipeline, of which the one in the middle counts.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Threads of the engine, and tasks of a stage.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Fail if a pipeline takes more than it may; only an idle machine can tell.
    #[arg(long)]
    check: bool,
}

/// A pipeline between topics.
struct Pipeline {
    name: &'static str,
    form: Form,
    /// What it does with the table `event`; `{sink}` are the options of its sink.
    program: &'static str,
    /// CPU seconds of a million events.
    target: f64,
}

const FILTER: &str = "CREATE TABLE large (auction BIGINT, price BIGINT) WITH ({sink});
    INSERT INTO large SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0;";

const TUMBLE: &str =
    "CREATE TABLE counts (start_at TIMESTAMP(3), auction BIGINT, bids BIGINT) WITH ({sink});
    INSERT INTO counts SELECT window_start, auction, COUNT(*)
    FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
    GROUP BY window_start, window_end, auction;";

const TUMBLE_SHORT: &str =
    "CREATE TABLE counts (start_at TIMESTAMP(3), auction BIGINT, bids BIGINT) WITH ({sink});
    INSERT INTO counts SELECT window_start, auction, COUNT(*)
    FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '1' SECOND))
    GROUP BY window_start, window_end, auction;";

const COPY: &str =
    "CREATE TABLE copy (auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING,
       `dateTime` TIMESTAMP(3), extra STRING) WITH ({sink});
    INSERT INTO copy SELECT * FROM bid;";

/// Reads and decodes, and writes next to nothing: what the rest is measured by.
const READ: &str = "CREATE TABLE nowhere (auction BIGINT) WITH ('connector' = 'blackhole');
    INSERT INTO nowhere SELECT auction FROM bid;";

const PIPELINES: [Pipeline; 7] = [
    Pipeline {
        name: "kafka-read",
        form: Form::Flat,
        program: READ,
        target: f64::INFINITY,
    },
    Pipeline {
        name: "kafka-filter",
        form: Form::Flat,
        program: FILTER,
        target: 0.40,
    },
    Pipeline {
        name: "kafka-tumble",
        form: Form::Flat,
        program: TUMBLE,
        target: 0.45,
    },
    Pipeline {
        name: "kafka-tumble-short",
        form: Form::Flat,
        program: TUMBLE_SHORT,
        target: 0.70,
    },
    Pipeline {
        name: "kafka-copy",
        form: Form::Flat,
        program: COPY,
        target: 2.5,
    },
    Pipeline {
        name: "kafka-nested-filter",
        form: Form::Nested,
        program: FILTER,
        target: 0.55,
    },
    Pipeline {
        name: "kafka-nested-tumble",
        form: Form::Nested,
        program: TUMBLE,
        target: 0.60,
    },
];

/// Runs each pipeline several times.
///
/// # Errors
/// If there is no broker, a run fails or does not read all rows, or one takes more than it may.
pub fn run(arguments: &Arguments, recorder: &mut Recorder) -> Result<()> {
    let broker = Broker::start()?;
    let mut slow = Vec::new();
    for form in [Form::Flat, Form::Nested] {
        let named = |pipeline: &&Pipeline| {
            let all = arguments.pipeline.is_empty();
            let is_wanted = all || arguments.pipeline.iter().any(|name| name == pipeline.name);
            pipeline.form == form && is_wanted
        };
        let pipelines: Vec<_> = PIPELINES.iter().filter(named).collect();
        if pipelines.is_empty() {
            continue;
        }
        let topic = format!("{form:?}");
        let bytes = load(&broker, &topic, form, arguments.rows)?;
        for pipeline in pipelines {
            let cpu = measured(pipeline, &broker, arguments)?;
            let parameters = json!({
                "pipeline": pipeline.name,
                "events": arguments.rows,
                "bytes_per_event": ratio(bytes) / ratio(arguments.rows),
                "workers": arguments.workers,
                "runs": arguments.runs,
            });
            recorder.figure("CPU for a million events", cpu, "CPU-s", &parameters)?;
            if cpu > pipeline.target {
                slow.push(format!(
                    "{} ({cpu:.2} of {})",
                    pipeline.name, pipeline.target
                ));
            }
        }
    }
    ensure!(
        slow.is_empty() || !arguments.check,
        "slower than they must be: {}",
        slow.join(", ")
    );
    Ok(())
}

/// CPU seconds of a million events, in the middle of several runs.
fn measured(pipeline: &Pipeline, broker: &Broker, arguments: &Arguments) -> Result<f64> {
    let mut costs = Vec::with_capacity(arguments.runs);
    for run in 0..arguments.runs {
        let sink = format!("{}-{run}", pipeline.name);
        broker.make_topic(&sink)?;
        let topic = format!("{:?}", pipeline.form);
        let source = broker.options(&topic);
        let columns = match pipeline.form {
            Form::Flat => bids::COLUMNS,
            Form::Nested => bids::NESTED_COLUMNS,
        };
        let table = format!(
            "CREATE TABLE event ({columns}) WITH ({source},
               'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');"
        );
        let view = match pipeline.form {
            Form::Flat => "CREATE VIEW bid AS SELECT * FROM event;",
            Form::Nested => bids::NESTED_VIEW,
        };
        let program = pipeline.program.replace("{sink}", &broker.options(&sink));
        let dir = tempfile::tempdir()?;
        let text = format!("{table}\n{view}\n{program}");
        let (read, cost) = job::run(text, dir.path(), arguments.workers)?;
        let expected = arguments.rows;
        ensure!(read == expected, "{read} rows were read of {expected}");
        costs.push(cost.cpu_seconds);
    }
    Ok(median(costs) / ratio(arguments.rows) * 1e6)
}

/// Makes a topic and writes events into it; how many bytes they have.
fn load(broker: &Broker, topic: &str, form: Form, rows: u64) -> Result<u64> {
    broker.make_topic(topic)?;
    let producer = broker.producer("50")?;
    let mut bytes = 0;
    for (row, line) in (0..rows).zip(bids::records(AUCTIONS, form)) {
        bytes += line.len() as u64;
        producer.send(topic, row, &line)?;
    }
    producer.flush()?;
    Ok(bytes)
}
