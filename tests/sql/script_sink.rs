//! A sink whose rows become visible with their checkpoint, as JSON.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use thalweg::connectors::{OptionError, TableOptions};
use thalweg::formats::{EncodedRecords, Encoder, FormatRef, row_to_json};
use thalweg::runtime::{Committer, Error, Prepared, Result, Sink, SinkFactory, SinkTask, Written};
use thalweg::stream::{Barrier, Batch, ChangelogMode, DeadLetter};

use crate::script_source::json_format;
use crate::world::{Publication, World};

/// The sink of one table.
pub struct ScriptSink {
    world: Arc<World>,
    table: TableOptions,
    format: FormatRef,
}

impl ScriptSink {
    pub fn new(
        world: &Arc<World>,
        table: &TableOptions,
    ) -> std::result::Result<Self, Vec<OptionError>> {
        Ok(Self {
            world: Arc::clone(world),
            table: table.clone(),
            format: json_format(&table.schema)?,
        })
    }
}

impl SinkFactory for ScriptSink {
    fn sink(&self, _: SinkTask) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Writer {
            world: Arc::clone(&self.world),
            table: self.table.name.clone(),
            key: self.table.primary_key.clone(),
            encoder: self.format.encoder(&self.table.schema),
            rows: Vec::new(),
        }))
    }

    /// With a key it goes by that, as most sinks do.
    fn changelog_mode(&self) -> ChangelogMode {
        if self.table.primary_key.is_empty() {
            ChangelogMode::Retract
        } else {
            ChangelogMode::Upsert
        }
    }

    fn committer(&self) -> Option<Arc<dyn Committer>> {
        Some(Arc::new(Publisher(Arc::clone(&self.world))))
    }
}

struct Writer {
    world: Arc<World>,
    table: String,
    key: Vec<String>,
    encoder: Box<dyn Encoder>,
    /// Since the last barrier.
    rows: Vec<(bool, String)>,
}

#[async_trait]
impl Sink for Writer {
    async fn write(&mut self, batch: Batch) -> Result<Written> {
        let records = &batch.records;
        let mut written = Written::default();
        let mut next = 0;
        while next < records.num_rows() {
            let mut out = EncodedRecords::default();
            let rest = records.slice(next, records.num_rows() - next);
            let encoded = self.encoder.encode(&rest, &mut out);
            for (place, row) in out.iter().enumerate() {
                let row = String::from_utf8(row.to_vec());
                let adds = batch.kind(next + place).adds();
                self.rows.push((adds, row.expect("JSON is UTF-8")));
            }
            next += out.len();
            if let Err(error) = encoded {
                written.dead_letters.push(DeadLetter {
                    origin: self.table.clone(),
                    reason: error.0,
                    position: None,
                    bytes: row_to_json(records, next),
                });
                next += 1;
            }
        }
        Ok(written)
    }

    async fn prepare(&mut self, _: Barrier) -> Result<Prepared> {
        let rows = std::mem::take(&mut self.rows);
        let output = json!([self.world.next_output(), self.table, self.key, rows]);
        Ok(Prepared {
            dead_letters: Vec::new(),
            publish: if rows.is_empty() {
                vec![]
            } else {
                vec![output]
            },
            ..Prepared::default()
        })
    }
}

struct Publisher(Arc<World>);

#[async_trait]
impl Committer for Publisher {
    async fn publish(&self, decided: &[Value]) -> Result<()> {
        for output in decided {
            let (number, publication) = publication(output)?;
            self.0.may_publish(number)?;
            self.0.publish(number, publication)?;
        }
        Ok(())
    }

    async fn recover(&self, decided: &[Value], open: &[Value]) -> Result<()> {
        assert!(open.is_empty(), "this sink leaves nothing open");
        for output in decided {
            let (number, publication) = publication(output)?;
            self.0.publish(number, publication)?;
        }
        Ok(())
    }
}

/// An output as `prepare` has put it into the checkpoint, with its number.
fn publication(output: &Value) -> Result<(u64, Publication)> {
    let parsed = serde_json::from_value(output.clone());
    let (number, table, key, rows) =
        parsed.map_err(|error| Error::Fatal(format!("{output}: {error}")))?;
    Ok((number, Publication { table, key, rows }))
}
