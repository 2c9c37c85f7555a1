//! Operators chained in one task: rows pass from one to the next by a call, with
//! no channel between.

use std::time::{Duration, Instant};

use crate::runtime::check::EdgeCheck;
use crate::runtime::{Operator, Output, Progress, Result};
use crate::state::OperatorDelta;
use crate::stream::{Barrier, Batch, CheckpointId, DeadLetter, EventTime};

/// The operators of one task, first to last.
pub struct Chain {
    links: Vec<Link>,
}

struct Link {
    operator: Box<dyn Operator>,
    check: Option<EdgeCheck>,
}

/// What comes out of a chain, and by its side doors.
#[derive(Debug, Default)]
pub struct Effects {
    /// Rows behind the last operator.
    pub rows: Vec<Batch>,
    /// Rows that could not be computed.
    pub dead_letters: Vec<DeadLetter>,
    /// Rows that came too late.
    pub late: usize,
    /// What is kept of them.
    pub late_rows: Vec<Batch>,
    error: Option<crate::runtime::Error>,
}

impl Chain {
    /// A chain; without operators it passes everything on.
    pub fn new(operators: Vec<Box<dyn Operator>>) -> Self {
        let links = operators.into_iter().enumerate().map(|(place, operator)| {
            let check = cfg!(debug_assertions).then(|| {
                let edge = format!("behind operator {place} of a chain");
                EdgeCheck::new(edge, operator.schema().clone())
            });
            Link { operator, check }
        });
        Self {
            links: links.collect(),
        }
    }

    /// How many operators it has.
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Sends rows through all operators.
    ///
    /// # Errors
    /// If an operator fails.
    pub fn process(&mut self, batch: Batch, effects: &mut Effects) -> Result<()> {
        push(&mut self.links, batch, effects);
        effects.error.take().map_or(Ok(()), Err)
    }

    /// Lets operator `place` emit a slice of what a watermark completes. The
    /// caller goes on to the next operator when this one is done.
    ///
    /// # Errors
    /// If an operator fails.
    pub fn watermark(
        &mut self,
        place: usize,
        at: EventTime,
        effects: &mut Effects,
    ) -> Result<Progress> {
        let progress =
            self.with_operator(place, effects, |operator, out| operator.watermark(at, out))?;
        if progress == Progress::Done
            && let Some(check) = &mut self.links[place].check
        {
            check.watermark(at);
        }
        Ok(progress)
    }

    /// Lets operator `place` emit what it holds back, because time stands still.
    ///
    /// # Errors
    /// If an operator fails.
    pub fn idle(&mut self, place: usize, effects: &mut Effects) -> Result<()> {
        self.with_operator(place, effects, |operator, out| operator.idle(out))
    }

    /// Lets operator `place` emit what it holds back, and take part in a checkpoint.
    ///
    /// # Errors
    /// If an operator fails.
    pub fn barrier(
        &mut self,
        place: usize,
        barrier: Barrier,
        effects: &mut Effects,
    ) -> Result<Vec<OperatorDelta>> {
        let delta = self.with_operator(place, effects, |operator, out| {
            operator.barrier(barrier, out)
        })?;
        if let Some(check) = &mut self.links[place].check {
            check.barrier(barrier);
        }
        Ok(delta)
    }

    /// When the first of the operators has to emit what it holds back.
    pub fn deadline(&self) -> Option<Instant> {
        let deadlines = self
            .links
            .iter()
            .filter_map(|link| link.operator.deadline());
        deadlines.min()
    }

    /// Lets the operators whose deadline is over by `now` emit what they hold back.
    ///
    /// # Errors
    /// If an operator fails.
    pub fn flush(&mut self, now: Instant, effects: &mut Effects) -> Result<()> {
        for place in 0..self.links.len() {
            let deadline = self.links[place].operator.deadline();
            if deadline.is_some_and(|deadline| deadline <= now) {
                self.with_operator(place, effects, |operator, out| operator.flush(out))?;
            }
        }
        Ok(())
    }

    /// Tells all operators that a checkpoint is decided.
    pub fn decided(&mut self, checkpoint: CheckpointId) {
        for link in &mut self.links {
            link.operator.decided(checkpoint);
        }
    }

    /// Lets the operators work on what can wait, for about `budget` each.
    ///
    /// # Errors
    /// If an operator fails.
    pub fn background(&mut self, budget: Duration) -> Result<Progress> {
        for link in &mut self.links {
            if link.operator.background(budget)? == Progress::More {
                return Ok(Progress::More);
            }
        }
        Ok(Progress::Done)
    }

    fn with_operator<T>(
        &mut self,
        place: usize,
        effects: &mut Effects,
        call: impl FnOnce(&mut dyn Operator, &mut dyn Output) -> Result<T>,
    ) -> Result<T> {
        let (link, rest) = self.links[place..]
            .split_first_mut()
            .expect("the caller counts the operators");
        let mut collector = Collector {
            check: link.check.as_ref(),
            rest,
            effects,
        };
        let result = call(link.operator.as_mut(), &mut collector)?;
        effects.error.take().map_or(Ok(result), Err)
    }
}

fn push(links: &mut [Link], batch: Batch, effects: &mut Effects) {
    let Some((link, rest)) = links.split_first_mut() else {
        effects.rows.push(batch);
        return;
    };
    let mut collector = Collector {
        check: link.check.as_ref(),
        rest,
        effects,
    };
    if let Err(error) = link.operator.process(batch, &mut collector) {
        effects.error.get_or_insert(error);
    }
}

/// Hands what one operator emits to the next at once.
struct Collector<'a> {
    check: Option<&'a EdgeCheck>,
    rest: &'a mut [Link],
    effects: &'a mut Effects,
}

impl Output for Collector<'_> {
    fn emit(&mut self, batch: Batch) {
        if let Some(check) = self.check {
            check.batch(&batch);
        }
        if self.effects.error.is_none() {
            push(self.rest, batch, self.effects);
        }
    }

    fn dead_letter(&mut self, letter: DeadLetter) {
        self.effects.dead_letters.push(letter);
    }

    fn late(&mut self, rows: usize) {
        self.effects.late += rows;
    }

    fn late_rows(&mut self, batch: Batch) {
        self.effects.late_rows.push(batch);
    }
}
