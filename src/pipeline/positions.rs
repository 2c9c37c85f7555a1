//! Tells the tools of sources how far the job has come, once that is decided.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::runtime::{PositionReporter, Split};
use crate::state::SplitRecord;
use crate::stream::OperatorId;

/// How long telling may take: it must not hold up the end of a job.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was decided and is not told yet.
pub(super) struct Positions {
    reporters: BTreeMap<OperatorId, Arc<dyn PositionReporter>>,
    /// By source and split.
    untold: BTreeMap<OperatorId, BTreeMap<String, (Split, Value)>>,
    is_telling: bool,
    has_failed: bool,
}

impl Positions {
    /// Nothing is known yet.
    pub fn new(reporters: BTreeMap<OperatorId, Arc<dyn PositionReporter>>) -> Self {
        Self {
            reporters,
            untold: BTreeMap::new(),
            is_telling: false,
            has_failed: false,
        }
    }

    /// Notes the positions of a checkpoint that is about to be decided.
    pub fn note(&mut self, splits: &[SplitRecord]) {
        for record in splits {
            let is_wanted = self.reporters.contains_key(&record.operator);
            let Some(position) = record.position.as_ref().filter(|_| is_wanted) else {
                continue;
            };
            let split = Split {
                id: record.split.clone(),
                spec: record.spec.clone(),
            };
            let untold = self.untold.entry(record.operator).or_default();
            untold.insert(record.split.clone(), (split, position.clone()));
        }
    }

    /// They are decided: what is to be done about it, if nobody is at it. Whoever does it
    /// says [`Self::told`] afterwards.
    pub fn decided(&mut self) -> Option<impl Future<Output = Option<String>> + Send + use<>> {
        if self.untold.is_empty() || self.is_telling {
            return None;
        }
        self.is_telling = true;
        let untold = std::mem::take(&mut self.untold);
        let reporters = self.reporters.clone();
        Some(async move {
            let tell = async {
                for (operator, positions) in untold {
                    let positions: Vec<_> = positions.into_values().collect();
                    reporters[&operator].report(&positions).await?;
                }
                Ok(())
            };
            match tokio::time::timeout(PATIENCE, tell).await {
                Ok(Ok(())) => None,
                Ok(Err::<(), crate::runtime::Error>(error)) => Some(error.to_string()),
                Err(_) => Some(format!("it took longer than {PATIENCE:?}")),
            }
        })
    }

    /// What was decided was told, or why not. The next checkpoint tells again.
    pub fn told(&mut self, failure: Option<String>) {
        self.is_telling = false;
        if let (Some(failure), false) = (&failure, self.has_failed) {
            tracing::warn!(
                failure,
                "the source's own tools cannot be told how far this job has come; it goes on"
            );
        }
        self.has_failed = failure.is_some();
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use parking_lot::Mutex;
    use serde_json::json;

    use super::*;
    use crate::runtime::{Error, Result};
    use crate::stream::EventTime;

    /// Keeps what it was told, and fails at the split `bad`.
    #[derive(Default)]
    struct Kept(Mutex<Vec<String>>);

    #[async_trait]
    impl PositionReporter for Kept {
        async fn report(&self, positions: &[(Split, Value)]) -> Result<()> {
            for (split, position) in positions {
                if split.id == "bad" {
                    return Err(Error::Retryable("no".to_owned()));
                }
                self.0.lock().push(format!("{}={position}", split.id));
            }
            Ok(())
        }
    }

    fn record(operator: u32, split: &str, position: Option<u32>) -> SplitRecord {
        SplitRecord {
            operator: OperatorId(operator),
            split: split.to_owned(),
            ordinal: 0,
            spec: json!(null),
            position: position.map(|position| json!(position)),
            watermark: EventTime::MIN,
            idle: false,
            finished: false,
            rows: 0,
            bytes: 0,
        }
    }

    #[tokio::test]
    async fn the_last_decided_position_of_each_split_is_told() {
        let kept = Arc::new(Kept::default());
        let reporter = Arc::clone(&kept) as Arc<dyn PositionReporter>;
        let mut positions = Positions::new(BTreeMap::from([(OperatorId(1), reporter)]));
        assert!(positions.decided().is_none());
        // Nobody listens to source 2, and a split that was not begun has no position.
        positions.note(&[
            record(1, "a", Some(1)),
            record(2, "a", Some(5)),
            record(1, "b", None),
        ]);
        let telling = positions.decided().unwrap();
        positions.note(&[record(1, "a", Some(2)), record(1, "c", Some(3))]);
        assert!(
            positions.decided().is_none(),
            "two would overtake each other"
        );
        positions.note(&[record(1, "a", Some(4))]);
        positions.told(telling.await);
        assert_eq!(*kept.0.lock(), ["a=1"]);
        let failure = positions.decided().unwrap().await;
        positions.told(failure);
        assert_eq!(*kept.0.lock(), ["a=1", "a=4", "c=3"]);
        positions.note(&[record(1, "bad", Some(1))]);
        let failure = positions.decided().unwrap().await;
        assert_eq!(failure.as_deref(), Some("no"));
        positions.told(failure);
        assert!(positions.decided().is_none());
    }
}
