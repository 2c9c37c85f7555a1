//! The changes of a table as Debezium writes them: a JSON object with the row `before` and
//! `after` a change, and what was done in `op`.
//!
//! Source: the envelope of Debezium's connectors (<https://debezium.io/documentation/>,
//! "change event values"), read and written as Flink's format of the name does.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{Json, JsonDecoder, JsonEncoder, json_docs};
use super::{
    Decoder, EncodedRecords, Encoder, FormatFactory, FormatRef, Framing, OptionDefault, OptionDoc,
    Options, RowError,
};
use crate::stream::{Batch, ChangeKind, ChangeKinds, ChangelogMode};

const SCHEMA_INCLUDE: &str = "debezium-json.schema-include";

macro_rules! with_schema_include {
    ($format:literal, $($doc:expr),* $(,)?) => {
        &[
            OptionDoc {
                key: SCHEMA_INCLUDE,
                default: OptionDefault::Value("false"),
                doc: "Whether records are read that hold their schema, too, and the change in 'payload'.",
            },
            $($doc),*
        ]
    };
}

/// Its options, for people.
pub(super) const DOCS: &[OptionDoc] = json_docs!(with_schema_include, "debezium-json");

struct Debezium {
    json: Json,
    has_schema: bool,
}

/// Reads the options that begin with `debezium-json.`.
pub(super) fn from_options(options: &mut Options) -> FormatRef {
    Arc::new(Debezium {
        json: Json::read(options, "debezium-json"),
        has_schema: options.boolean(SCHEMA_INCLUDE, false),
    })
}

impl FormatFactory for Debezium {
    fn decoder(&self, _table: &SchemaRef, schema: &SchemaRef) -> Box<dyn Decoder> {
        Box::new(DebeziumDecoder {
            rows: JsonDecoder::new(self.json, schema),
            has_schema: self.has_schema,
            kinds: Vec::new(),
            halves: 0,
        })
    }

    fn encoder(&self, _schema: &SchemaRef) -> Box<dyn Encoder> {
        Box::new(DebeziumEncoder {
            rows: JsonEncoder::new(self.json),
            row: EncodedRecords::default(),
        })
    }

    fn framing(&self) -> Option<Framing> {
        Some(Framing::Lines)
    }

    fn extension(&self) -> &'static str {
        "json"
    }

    fn changelog_mode(&self) -> ChangelogMode {
        ChangelogMode::Retract
    }
}

/// A change, its rows not yet looked at.
#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow, default)]
    before: Option<&'a RawValue>,
    #[serde(borrow, default)]
    after: Option<&'a RawValue>,
    #[serde(borrow)]
    op: Cow<'a, str>,
}

/// A change behind its schema.
#[derive(Deserialize)]
struct WithSchema<'a> {
    #[serde(borrow)]
    payload: Change<'a>,
}

struct DebeziumDecoder {
    rows: JsonDecoder,
    has_schema: bool,
    /// What each decoded row does; `None` where the other half of its change is no row.
    kinds: Vec<Option<ChangeKind>>,
    /// How many of them are `None`.
    halves: usize,
}

impl DebeziumDecoder {
    fn row(&mut self, row: &RawValue, kind: ChangeKind) -> Result<(), RowError> {
        self.rows.push(row.get().as_bytes())?;
        self.kinds.resize(self.rows.num_rows(), Some(kind));
        Ok(())
    }

    fn change(&mut self, change: &Change<'_>) -> Result<(), RowError> {
        let missing = |field: &str, why: &str| {
            RowError(format!("the change '{}' has no '{field}'{why}", change.op))
        };
        let after = || change.after.ok_or_else(|| missing("after", ""));
        let before = || {
            let why = ", the row as it was; for PostgreSQL set REPLICA IDENTITY FULL on the table";
            change.before.ok_or_else(|| missing("before", why))
        };
        match &*change.op {
            "c" | "r" => self.row(after()?, ChangeKind::Insert),
            "d" => self.row(before()?, ChangeKind::Delete),
            "u" => {
                let (before, after) = (before()?, after()?);
                self.row(before, ChangeKind::UpdateBefore)?;
                let whole = self.row(after, ChangeKind::UpdateAfter);
                if whole.is_err()
                    && let Some(before) = self.kinds.last_mut()
                {
                    *before = None;
                    self.halves += 1;
                }
                whole
            }
            other => Err(RowError(format!(
                "'op' is '{other}', and the changes are 'c', 'r', 'u' and 'd'"
            ))),
        }
    }
}

impl Decoder for DebeziumDecoder {
    /// An empty record is a tombstone behind a deletion, for Kafka's own use.
    fn push(&mut self, record: &[u8]) -> Result<(), RowError> {
        if record.is_empty() {
            return Ok(());
        }
        let no_change = |error: serde_json::Error| {
            let hint = if self.has_schema {
                "with 'debezium-json.schema-include' the change is in 'payload'"
            } else {
                "a change in 'payload' needs 'debezium-json.schema-include' = 'true'"
            };
            RowError(format!(
                "the record is no change of Debezium: {error} ({hint})"
            ))
        };
        let change = if self.has_schema {
            let found: WithSchema<'_> = serde_json::from_slice(record).map_err(no_change)?;
            found.payload
        } else {
            serde_json::from_slice(record).map_err(no_change)?
        };
        self.change(&change)
    }

    fn num_rows(&self) -> usize {
        self.rows.num_rows() - self.halves
    }

    fn finish(&mut self) -> RecordBatch {
        self.finish_changes().records
    }

    fn finish_changes(&mut self) -> Batch {
        let rows = self.rows.finish();
        let kinds = std::mem::take(&mut self.kinds);
        let whole: ChangeKinds = kinds.iter().flatten().copied().collect();
        if std::mem::take(&mut self.halves) == 0 {
            return Batch::with_kinds(rows, Some(whole));
        }
        let kept: BooleanArray = kinds.iter().map(|kind| Some(kind.is_some())).collect();
        let rows = filter_record_batch(&rows, &kept).expect("there is a kind for each row");
        Batch::with_kinds(rows, Some(whole))
    }
}

/// Writes a change of a row as a creation or a deletion, as Flink does.
struct DebeziumEncoder {
    rows: JsonEncoder,
    row: EncodedRecords,
}

impl Encoder for DebeziumEncoder {
    fn encode(&mut self, records: &RecordBatch, out: &mut EncodedRecords) -> Result<(), RowError> {
        self.encode_changes(&Batch::new(records.clone()), out)
    }

    fn encode_changes(&mut self, batch: &Batch, out: &mut EncodedRecords) -> Result<(), RowError> {
        self.row.clear();
        let encoded = self.rows.encode(&batch.records, &mut self.row);
        for (number, row) in self.row.iter().enumerate() {
            let parts: [&[u8]; 3] = if batch.kind(number).adds() {
                [br#"{"before":null,"after":"#, row, br#","op":"c"}"#]
            } else {
                [br#"{"before":"#, row, br#","after":null,"op":"d"}"#]
            };
            let pushed: Result<(), Infallible> = out.push(|bytes| {
                for part in parts {
                    bytes.extend_from_slice(part);
                }
                Ok(())
            });
            let Ok(()) = pushed;
        }
        encoded
    }
}
