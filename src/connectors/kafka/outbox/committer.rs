//! Gives segments their visible names once their checkpoint is decided.

use std::fs;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::KafkaOutbox;
use super::journal::Journal;
use super::segment::Segment;
use crate::clock;
use crate::connectors::directories::{create_directory, sync_directory};
use crate::failpoint::{self, Step};
use crate::runtime::{Committer, Error, Result};
use crate::stream::{CheckpointId, EventTime};

/// The committer of an outbox.
pub(super) struct OutboxCommitter(pub Arc<KafkaOutbox>);

#[async_trait]
impl Committer for OutboxCommitter {
    async fn publish(&self, decided: &[Value]) -> Result<()> {
        let outbox = Arc::clone(&self.0);
        let segments = segments_of(decided)?;
        blocking(move || outbox.publish(segments)).await
    }

    async fn recover(&self, decided: &[Value], _: &[Value]) -> Result<()> {
        let outbox = Arc::clone(&self.0);
        let segments = segments_of(decided)?;
        blocking(move || outbox.recover(segments)).await
    }
}

async fn blocking(work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::Fatal(error.to_string()))?
}

fn segments_of(values: &[Value]) -> Result<Vec<Segment>> {
    let segment = |value: &Value| {
        let no_segment = |_| Error::Fatal(format!("the output {value} is no segment of an outbox"));
        serde_json::from_value(value.clone()).map_err(no_segment)
    };
    values.iter().map(segment).collect()
}

impl KafkaOutbox {
    /// Publishes what was decided while the job runs. Of a call that is repeated, as another
    /// sink has failed, everything may be sent and deleted.
    pub(super) fn publish(&self, mut segments: Vec<Segment>) -> Result<()> {
        failpoint::reach(Step::BeforeOutbox).map_err(Error::Retryable)?;
        segments.retain(|segment| self.contents.borrow().prepared.contains_key(segment));
        let named = self.name(&segments);
        named.map_err(|error| self.disk_failed("publish in", &error))?;
        failpoint::reach(Step::AfterOutbox).map_err(Error::Retryable)?;
        self.decided(segments);
        Ok(())
    }

    /// Gives segments their visible names; a crash may have come behind that.
    fn name(&self, segments: &[Segment]) -> io::Result<()> {
        for segment in segments {
            let from = segment.prepared_path(&self.directory);
            match fs::rename(from, segment.decided_path(&self.directory)) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                renamed => renamed?,
            }
        }
        sync_directory(&self.directory)
    }

    /// Settles an earlier life: publishes what was decided, and discards all that was not.
    fn recover(&self, segments: Vec<Segment>) -> Result<()> {
        let found = self.find(&segments);
        let found = found.map_err(|error| self.disk_failed("recover", &error))?;
        let begun = Journal::read(&self.directory);
        let begun = begun.map_err(|error| self.disk_failed("read the journal of", &error))?;
        let is_there = |one: &Segment| found.iter().any(|(segment, _)| segment == one);
        let mut missing = segments.iter().filter(|segment| !is_there(segment));
        // One that was sent is deleted, and it was begun before.
        if let Some(lost) = missing.find(|one| CheckpointId(one.checkpoint) > begun.begun) {
            return Err(Error::Fatal(format!(
                "segment '{}' of the outbox was decided but is missing; put it back, or start \
                 anew with --fresh --abandon",
                lost.decided_path(&self.directory).display()
            )));
        }
        self.found(found);
        Ok(())
    }

    /// The decided segments on disk, which nothing else is left beside.
    fn find(&self, decided: &[Segment]) -> io::Result<Vec<(Segment, EventTime)>> {
        create_directory(&self.directory)?;
        self.name(decided)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            if name.starts_with('.') {
                fs::remove_file(entry.path())?;
            } else if let Some(segment) = Segment::parse(name) {
                let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
                let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
                let made = clock::now().millis().saturating_sub(age);
                found.push((segment, EventTime::from_millis(made)));
            }
        }
        Ok(found)
    }
}
