//! A source that reads the scripts of a golden.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use indexmap::IndexMap;
use serde_json::{Value, json};
use thalweg::connectors::{OptionError, TableOptions};
use thalweg::formats::{Decoder, FormatRef, Options, format};
use thalweg::metrics::TaskMetrics;
use thalweg::runtime::{
    Discovery, Enumerator, Error, Result, SourceEvent, SourceFactory, SourceReader, Split,
};
use thalweg::stream::{ChangelogMode, DeadLetter, Position};
use tokio::time::Instant;

use crate::golden::{Input, Item, Script};
use crate::world::World;

/// How often a reader looks whether what it waits for has come.
const LOOK: Duration = Duration::from_millis(1);
/// Idle splits are shown at their end so many times, so far apart; the timeout
/// of their tables must be less.
const IDLE_LOOKS: u32 = 3;
const IDLE_REST: Duration = Duration::from_millis(4);
/// So many times at most a split that goes by checkpoints waits for one.
const STEPS_MAX: u32 = 3;

/// The source of one table.
pub struct ScriptSource {
    world: Arc<World>,
    table: String,
    schema: SchemaRef,
    format: FormatRef,
    input: Input,
    /// The tasks that were there before this life of the job.
    before: Vec<Arc<TaskMetrics>>,
}

/// JSON without options.
pub fn json_format(schema: &SchemaRef) -> std::result::Result<FormatRef, Vec<OptionError>> {
    let given = IndexMap::from([("format".to_owned(), "json".to_owned())]);
    let mut options = Options::new(&given);
    let json = format(&mut options, schema);
    options.finish()?;
    Ok(json.expect("the format is there"))
}

impl ScriptSource {
    pub fn new(
        world: &Arc<World>,
        table: &TableOptions,
    ) -> std::result::Result<Self, Vec<OptionError>> {
        let Some(input) = world.inputs.get(&table.name) else {
            return Err(vec![OptionError {
                key: None,
                message: "the golden has no input for it".to_owned(),
            }]);
        };
        Ok(Self {
            world: Arc::clone(world),
            table: table.name.clone(),
            schema: table.schema.clone(),
            format: json_format(&table.schema)?,
            input: input.clone(),
            before: world.tasks(),
        })
    }
}

impl SourceFactory for ScriptSource {
    fn enumerator(&self) -> Box<dyn Enumerator> {
        Box::new(ScriptEnumerator(self.input.clone()))
    }

    fn reader(&self, schema: &SchemaRef) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(ScriptReader {
            world: Arc::clone(&self.world),
            table: self.table.clone(),
            decoder: self.format.decoder(&self.schema, schema),
            input: self.input.clone(),
            before: self.before.clone(),
            splits: Vec::new(),
        }))
    }

    fn bounded(&self) -> bool {
        !self.input.has_idle_splits()
    }

    fn unstarted_splits_hold_watermark(&self) -> bool {
        true
    }

    fn tells_watermarks(&self) -> bool {
        true
    }

    fn changelog_mode(&self) -> ChangelogMode {
        if self.input.has_changes() {
            ChangelogMode::Retract
        } else {
            ChangelogMode::InsertOnly
        }
    }

    /// All splits are read at once: some wait for what others say.
    fn splits_per_reader(&self) -> usize {
        self.input.splits.len().div_ceil(self.world.parallelism())
    }
}

struct ScriptEnumerator(Input);

#[async_trait]
impl Enumerator for ScriptEnumerator {
    async fn discover(&mut self, known: &[Split]) -> Result<Discovery> {
        let splits = self.0.splits.iter().map(|script| Split {
            id: script.name.clone(),
            spec: Value::Null,
        });
        Ok(Discovery {
            found: splits.filter(|split| !known.contains(split)).collect(),
            complete: true,
        })
    }
}

struct ScriptReader {
    world: Arc<World>,
    table: String,
    decoder: Box<dyn Decoder>,
    input: Input,
    before: Vec<Arc<TaskMetrics>>,
    splits: Vec<Playing>,
}

/// A split that is being read.
struct Playing {
    script: Script,
    /// The next item.
    next: usize,
    /// Changes of the position that stand for nothing but a change.
    beats: u64,
    hold: Hold,
    /// How often it was shown at its end, and until when it rests.
    idle: Option<(u32, Instant)>,
}

/// The wait for a checkpoint that holds everything until here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    Ahead,
    /// So many checkpoints were decided when it began. The one in flight then
    /// may have begun earlier; the one behind it has not.
    Since {
        decided: u64,
        beaten: u64,
    },
    /// It has come. What was said since waits for one more, which `until`
    /// counts; so far for `steps` of them.
    Over {
        steps: u32,
        until: u64,
    },
}

#[async_trait]
impl SourceReader for ScriptReader {
    async fn add_split(&mut self, split: &Split, position: Option<&Value>) -> Result<()> {
        let number = |place: usize| position.and_then(|position| position[place].as_u64());
        let scripts = &mut self.input.splits.iter();
        let script = scripts.find(|script| script.name == split.id);
        let script = script.ok_or_else(|| Error::Fatal(format!("no split '{}'", split.id)))?;
        let next = number(0).unwrap_or(0);
        self.splits.push(Playing {
            script: script.clone(),
            next: usize::try_from(next).expect("the place of an item"),
            beats: number(1).unwrap_or(0),
            hold: Hold::Ahead,
            idle: None,
        });
        Ok(())
    }

    async fn next(&mut self) -> Result<SourceEvent> {
        loop {
            // Nothing else is said while a split rests, so that its task waits
            // for long enough to see the time.
            if let Some(split) = self.splits.iter_mut().find(|split| split.idle.is_some()) {
                if let Some(event) = split.rest().await {
                    return Ok(event);
                }
                continue;
            }
            for place in 0..self.splits.len() {
                if let Some(event) = self.step(place)? {
                    return Ok(event);
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl ScriptReader {
    /// What a split has to say now.
    fn step(&mut self, place: usize) -> Result<Option<SourceEvent>> {
        let split = &mut self.splits[place];
        if self.world.is_stopping() {
            return Ok(None);
        }
        if self.world.is_to_break() && split.next >= split.script.hold_at() {
            match split.hold(self.world.checkpoints()) {
                Held::Beat => {
                    let records = self.decoder.finish();
                    return Ok(Some(split.rows(records, Vec::new())));
                }
                Held::Waits => return Ok(None),
                Held::Over if split.next >= split.script.break_at() => {
                    self.world.break_off()?;
                    return Ok(None);
                }
                Held::Over => {}
            }
        }
        let Some(item) = split.script.items.get(split.next) else {
            let name = split.script.name.clone();
            self.splits.remove(place);
            return Ok(Some(SourceEvent::Finished { split: name }));
        };
        match *item {
            Item::Row(..) | Item::Bad(_) => {
                split.go_by_checkpoints(&self.world);
                self.batch(place).map(Some)
            }
            Item::Watermark(at) => {
                split.go_by_checkpoints(&self.world);
                split.next += 1;
                Ok(Some(SourceEvent::Watermark {
                    split: split.script.name.clone(),
                    at,
                    position: split.position(),
                }))
            }
            Item::Await(at) => {
                split.next += usize::from(self.world.has_reached(at, &self.before));
                Ok(None)
            }
            Item::Clock(at) => {
                self.world.put_clock_forward(at);
                split.next += 1;
                Ok(None)
            }
            Item::Idle => {
                split.idle = Some((0, Instant::now()));
                Ok(None)
            }
            Item::Checkpoint => {
                split.next += 1;
                Ok(None)
            }
        }
    }

    fn batch(&mut self, place: usize) -> Result<SourceEvent> {
        let split = &mut self.splits[place];
        let mut dead_letters = Vec::new();
        let mut kinds = Vec::new();
        let mut count = 0;
        while count < self.world.batch_rows {
            if count > 0 && split.is_border() && self.world.is_to_break() {
                break;
            }
            let (text, is_bad) = match split.script.items.get(split.next) {
                Some(Item::Row(kind, text)) => {
                    kinds.push(*kind);
                    (text, false)
                }
                Some(Item::Bad(text)) => (text, true),
                _ => break,
            };
            match self.decoder.push(text.as_bytes()) {
                Ok(()) if is_bad => {
                    return Err(Error::Fatal(format!("{text} is a row after all")));
                }
                Ok(()) => {}
                Err(error) if is_bad => dead_letters.push(DeadLetter {
                    origin: self.table.clone(),
                    reason: error.0,
                    position: Some(Position {
                        split: split.script.name.clone(),
                        offset: split.next as u64,
                    }),
                    bytes: text.clone().into_bytes(),
                }),
                Err(error) => return Err(Error::Fatal(format!("{text} is no row: {error}"))),
            }
            split.next += 1;
            count += 1;
        }
        let records = self.decoder.finish();
        let mut rows = split.rows(records, dead_letters);
        if let SourceEvent::Rows { kinds: of_rows, .. } = &mut rows
            && self.input.has_changes()
        {
            *of_rows = Some(kinds.into_iter().collect());
        }
        Ok(rows)
    }
}

/// What becomes of a split that waits for a checkpoint.
enum Held {
    /// It makes sure that there is one.
    Beat,
    Waits,
    Over,
}

impl Playing {
    fn position(&self) -> Value {
        json!([self.next, self.beats])
    }

    fn rows(
        &self,
        records: arrow::array::RecordBatch,
        dead_letters: Vec<DeadLetter>,
    ) -> SourceEvent {
        SourceEvent::Rows {
            split: self.script.name.clone(),
            bytes: records.num_rows() as u64,
            records,
            kinds: None,
            dead_letters,
            position: self.position(),
        }
    }

    /// Whether the batch ends here so that the run can be broken off.
    fn is_border(&self) -> bool {
        self.next == self.script.hold_at() || self.next == self.script.break_at()
    }

    fn hold(&mut self, decided: u64) -> Held {
        match self.hold {
            Hold::Ahead => {
                self.hold = Hold::Since { decided, beaten: 0 };
                self.beats += 1;
                Held::Beat
            }
            Hold::Since {
                decided: before, ..
            } if decided >= before + 2 => {
                self.hold = Hold::Over { steps: 0, until: 0 };
                Held::Over
            }
            // Nothing new, no checkpoint: the second one needs a change too.
            Hold::Since {
                decided: before,
                beaten,
            } if decided > before + beaten => {
                self.hold = Hold::Since {
                    decided: before,
                    beaten: beaten + 1,
                };
                self.beats += 1;
                Held::Beat
            }
            Hold::Over { until, .. } if decided >= until => Held::Over,
            Hold::Since { .. } | Hold::Over { .. } => Held::Waits,
        }
    }

    /// Behind the hold: what it says next waits for a checkpoint that has it. There
    /// are no beats here, so a checkpoint has rows that the one before has not.
    fn go_by_checkpoints(&mut self, world: &World) {
        if let Hold::Over { steps, until } = &mut self.hold
            && *steps < STEPS_MAX
            && world.goes_by_checkpoints()
        {
            *steps += 1;
            *until = world.checkpoints() + 1;
        }
    }

    /// Shows the split at its end, then rests.
    async fn rest(&mut self) -> Option<SourceEvent> {
        let (looks, until) = self.idle?;
        tokio::time::sleep_until(until).await;
        if looks >= IDLE_LOOKS {
            self.idle = None;
            self.next += 1;
            return None;
        }
        self.idle = Some((looks + 1, Instant::now() + IDLE_REST));
        Some(SourceEvent::AtEnd {
            split: self.script.name.clone(),
        })
    }
}
