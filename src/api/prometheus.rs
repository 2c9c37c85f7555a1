//! `/metrics`: the job's counters in Prometheus' text format.
//!
//! Tasks count into atomics of their own. A scrape copies them, so nothing is
//! registered, nothing outlives its task, and a task that starts again shows the
//! reset that Prometheus expects of a counter.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use indexmap::IndexMap;
use metrics::{Key, Label};
use metrics_exporter_prometheus::LabelSet;
use metrics_exporter_prometheus::formatting::{
    write_help_line, write_metric_line, write_type_line,
};

use super::vocabulary::{JobState, flink_state};
use crate::clock;
use crate::metrics::{OutboxMetrics, TaskMetrics};
use crate::pipeline::JobStatus;
use crate::stream::EventTime;

/// Answers `GET /metrics`.
pub async fn get(State(job): State<JobStatus>) -> impl IntoResponse {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, kind)], exposition(&job))
}

fn exposition(job: &JobStatus) -> String {
    let mut page = Page::new(&job.name);
    describe_process(&mut page);
    describe_job(&mut page, job);
    describe_tasks(&mut page, job);
    describe_outboxes(&mut page, job);
    page.text
}

/// Whether a figure only grows.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

/// The text of one scrape.
struct Page {
    text: String,
    job: IndexMap<String, String>,
}

impl Page {
    fn new(job: &str) -> Self {
        Self {
            text: String::new(),
            job: IndexMap::from([("job".to_owned(), job.to_owned())]),
        }
    }

    /// Writes one metric with all its samples; one without samples is left out.
    fn family(
        &mut self,
        name: &'static str,
        kind: Kind,
        help: &str,
        samples: impl IntoIterator<Item = (Vec<Label>, f64)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        write_help_line(&mut self.text, name, None, None, help);
        write_type_line(&mut self.text, name, None, None, kind);
        for (labels, value) in samples {
            let labels = LabelSet::from_key_and_global(&Key::from_parts(name, labels), &self.job);
            // Prometheus writes infinity with a sign.
            let value = if value == f64::INFINITY {
                "+Inf".to_owned()
            } else {
                value.to_string()
            };
            write_metric_line::<&str, _>(&mut self.text, name, None, &labels, None, value, None);
        }
    }

    /// Writes one metric of the whole job.
    fn single(&mut self, name: &'static str, kind: Kind, help: &str, value: f64) {
        self.family(name, kind, help, [(Vec::new(), value)]);
    }
}

fn describe_process(page: &mut Page) {
    let version = Label::new("version", env!("CARGO_PKG_VERSION"));
    page.family(
        "thalweg_build_info",
        Kind::Gauge,
        "The version of the program; always 1.",
        [(vec![version], 1.0)],
    );
}

fn describe_job(page: &mut Page, job: &JobStatus) {
    let states = [
        (JobState::Created, "created"),
        (JobState::Running, "running"),
        (JobState::Restarting, "restarting"),
        (JobState::Failing, "failing"),
        (JobState::Failed, "failed"),
        (JobState::Finished, "finished"),
        (JobState::Suspended, "stopped"),
    ];
    let current = flink_state(job.state);
    page.family(
        "thalweg_job_state",
        Kind::Gauge,
        "1 for the state that the job is in, 0 for the others.",
        states.map(|(state, name)| {
            let value = if state == current { 1.0 } else { 0.0 };
            (vec![Label::new("state", name)], value)
        }),
    );
    page.single(
        "thalweg_job_start_time_seconds",
        Kind::Gauge,
        "When this run of the job started, since the Unix epoch.",
        seconds(job.start_time_ms),
    );
    page.single(
        "thalweg_job_restarts_total",
        Kind::Counter,
        "Restarts from a checkpoint inside this process.",
        float(job.restarts),
    );
    page.single(
        "thalweg_checkpoints_completed_total",
        Kind::Counter,
        "Checkpoints that were decided.",
        float(job.checkpoints.completed),
    );
    page.single(
        "thalweg_checkpoints_failed_total",
        Kind::Counter,
        "Checkpoints that failed.",
        float(job.checkpoints.failed),
    );
    if let Some(id) = job.checkpoints.last_id {
        page.single(
            "thalweg_checkpoint_last_id",
            Kind::Gauge,
            "The number of the last decided checkpoint.",
            float(id),
        );
        page.single(
            "thalweg_checkpoint_last_duration_seconds",
            Kind::Gauge,
            "How long the last decided checkpoint took.",
            float(job.checkpoints.last_duration_ms) / 1_000.0,
        );
        page.single(
            "thalweg_checkpoint_last_size_bytes",
            Kind::Gauge,
            "What the last decided checkpoint wrote.",
            float(job.checkpoints.last_bytes),
        );
    }
}

/// A counter of a task: its name, what it means, and how to read it.
type TaskCounter = (&'static str, &'static str, fn(&TaskMetrics) -> f64);

const TASK_COUNTERS: [TaskCounter; 9] = [
    (
        "thalweg_task_records_in_total",
        "Rows that came into the task.",
        |task| float(task.records_in.load(Ordering::Relaxed)),
    ),
    (
        "thalweg_task_records_out_total",
        "Rows that went out of the task.",
        |task| float(task.records_out.load(Ordering::Relaxed)),
    ),
    (
        "thalweg_task_bytes_in_total",
        "Bytes that came into the task.",
        |task| float(task.bytes_in.load(Ordering::Relaxed)),
    ),
    (
        "thalweg_task_bytes_out_total",
        "Bytes that went out of the task.",
        |task| float(task.bytes_out.load(Ordering::Relaxed)),
    ),
    (
        "thalweg_task_late_records_total",
        "Rows dropped because every window they belong to had closed.",
        |task| float(task.late_records.load(Ordering::Relaxed)),
    ),
    (
        "thalweg_task_dead_letters_total",
        "Rows that became dead letters.",
        |task| float(task.dead_letters.load(Ordering::Relaxed)),
    ),
    (
        "thalweg_task_busy_seconds_total",
        "Time spent on rows.",
        |task| task.times().busy.as_secs_f64(),
    ),
    (
        "thalweg_task_idle_seconds_total",
        "Time spent waiting for input.",
        |task| task.times().idle.as_secs_f64(),
    ),
    (
        "thalweg_task_blocked_seconds_total",
        "Time spent waiting for room behind the task: backpressure.",
        |task| task.times().blocked.as_secs_f64(),
    ),
];

fn describe_tasks(page: &mut Page, job: &JobStatus) {
    for (name, help, value) in TASK_COUNTERS {
        let samples = job.tasks.iter().map(|task| (labels(task), value(task)));
        page.family(name, Kind::Counter, help, samples);
    }
    let paused = job.tasks.iter().filter(|task| task.is_source);
    page.family(
        "thalweg_task_paused_splits",
        Kind::Gauge,
        "Splits that wait because their watermark is far ahead of the slowest in their group.",
        paused.map(|task| {
            (
                labels(task),
                float(task.paused_splits.load(Ordering::Relaxed)),
            )
        }),
    );
    let watermarks = job.tasks.iter().filter_map(|task| {
        // A task that has no watermark yet says nothing rather than a time long ago.
        let at = match task.watermark() {
            EventTime::MIN => return None,
            EventTime::MAX => f64::INFINITY,
            at => seconds(at.millis()),
        };
        Some((labels(task), at))
    });
    page.family(
        "thalweg_task_watermark_seconds",
        Kind::Gauge,
        "The watermark that the task last sent on, since the Unix epoch; +Inf at the end of input.",
        watermarks,
    );
}

/// A figure of an outbox: its name, what it means, and how to read it.
type OutboxGauge = (&'static str, &'static str, fn(&OutboxMetrics) -> f64);

const OUTBOX_GAUGES: [OutboxGauge; 3] = [
    (
        "thalweg_outbox_bytes",
        "What waits in the outbox until Kafka has taken it.",
        |outbox| float(outbox.bytes.load(Ordering::Relaxed)),
    ),
    ("thalweg_outbox_records", "The records in it.", |outbox| {
        float(outbox.records.load(Ordering::Relaxed))
    }),
    (
        "thalweg_outbox_oldest_seconds",
        "How long the oldest decided records have waited.",
        |outbox| {
            let now = clock::now().millis();
            let waited = outbox.oldest().map_or(0, |at| now - at.millis());
            seconds(waited.max(0))
        },
    ),
];

fn describe_outboxes(page: &mut Page, job: &JobStatus) {
    for (name, help, value) in OUTBOX_GAUGES {
        let samples = job.outboxes.iter().map(|outbox| {
            let table = Label::new("table", outbox.table.clone());
            (vec![table], value(outbox))
        });
        page.family(name, Kind::Gauge, help, samples);
    }
}

fn labels(task: &TaskMetrics) -> Vec<Label> {
    vec![
        Label::new("stage", task.stage.to_string()),
        Label::new("task", task.index.to_string()),
        Label::new("name", task.name.clone()),
    ]
}

/// Prometheus has only floating point; counters are exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "the format has no integers")]
fn float(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "the format has no integers")]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::vocabulary::sample_job;

    #[test]
    fn counters_and_gauges_of_the_job_are_there() {
        let text = exposition(&sample_job());
        for line in [
            "# TYPE thalweg_task_records_in_total counter",
            "thalweg_task_records_in_total{job=\"clicks\",stage=\"0\",task=\"0\",name=\"source clicks\"} 7",
            "thalweg_job_state{job=\"clicks\",state=\"running\"} 1",
            "thalweg_job_state{job=\"clicks\",state=\"failed\"} 0",
            "thalweg_job_start_time_seconds{job=\"clicks\"} 1",
            "thalweg_checkpoints_completed_total{job=\"clicks\"} 5",
            "thalweg_checkpoint_last_duration_seconds{job=\"clicks\"} 0.012",
            "# TYPE thalweg_task_busy_seconds_total counter",
            "thalweg_outbox_bytes{job=\"clicks\",table=\"far\"} 512",
            "thalweg_outbox_records{job=\"clicks\",table=\"far\"} 3",
            "thalweg_outbox_oldest_seconds{job=\"clicks\",table=\"far\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_task_without_watermark_says_nothing() {
        let text = exposition(&sample_job());
        let watermarks: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("thalweg_task_watermark_seconds"))
            .collect();
        assert_eq!(watermarks.len(), 1, "{text}");
        assert!(watermarks[0].ends_with("} 1.5"), "{text}");
        assert!(
            watermarks[0].contains(r#"name="window \"per minute\"""#),
            "{text}"
        );
    }

    #[test]
    fn the_end_of_input_is_infinite() {
        let job = sample_job();
        job.tasks[0].set_watermark(EventTime::MAX);
        assert!(exposition(&job).contains("} +Inf\n"));
    }

    #[test]
    fn names_have_the_prefix_and_counters_end_in_total() {
        for line in exposition(&sample_job()).lines() {
            let Some(rest) = line.strip_prefix("# TYPE ") else {
                continue;
            };
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(name.starts_with("thalweg_"), "{line}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
        }
    }

    #[test]
    fn a_job_without_checkpoint_has_no_last_one() {
        let mut job = sample_job();
        job.checkpoints.last_id = None;
        assert!(!exposition(&job).contains("thalweg_checkpoint_last_"));
    }
}
