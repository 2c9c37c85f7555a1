//! What becomes of a checkpoint that a commit has only prepared.

use redb::WriteTransaction;

use super::failure::ResultExt as _;
use super::store::Store;
use super::{Progress, Result, undo, writing};
use crate::stream::{CheckpointId, Claim};

impl Store {
    /// Takes in that the prepared checkpoint is decided. That it is becomes durable
    /// here with the next transaction; until then the decider alone knows it for
    /// certain, and is asked again after a crash.
    ///
    /// # Errors
    /// If an earlier call has failed.
    ///
    /// # Panics
    /// If it is not the checkpoint that is prepared and undecided.
    pub fn decided(&mut self, checkpoint: CheckpointId) -> Result<()> {
        self.usable()?;
        assert_eq!(
            self.undecided(),
            Some(checkpoint),
            "what was decided is not what was prepared"
        );
        self.progress_mut().committed = checkpoint;
        Ok(())
    }

    /// Notes durably what was decided, for a stop: the next start then needs no
    /// marker, which may have expired by that time.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn note_decided(&mut self) -> Result<()> {
        self.guarded(|store| {
            let transaction = store.begin("note a decision in")?;
            store.write_progress(&transaction)?;
            transaction.commit().doing("commit")
        })
    }

    /// Notes durably that a marker with the claim `next` is about to be written, where
    /// `standing` is the claim of the one that is there.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn note_claim(&mut self, standing: Option<Claim>, next: Claim) -> Result<()> {
        let progress = self.progress_mut();
        progress.claim = standing;
        progress.next_claim = Some(next);
        self.note_decided()
    }

    /// Notes durably that the marker with the claim that was noted is there.
    ///
    /// # Errors
    /// As [`Self::commit`].
    ///
    /// # Panics
    /// If none was noted.
    pub fn note_claimed(&mut self) -> Result<()> {
        let progress = self.progress_mut();
        let claim = progress.next_claim.take();
        progress.claim = Some(claim.expect("a claim is noted before it is made"));
        self.note_decided()
    }

    /// Takes the undecided checkpoint back in one durable transaction. What the
    /// state then holds, and its next number, are as if it had never been.
    ///
    /// # Errors
    /// As [`Self::commit`]. After a crash it is to be called again.
    ///
    /// # Panics
    /// If no checkpoint is undecided.
    pub fn roll_back(&mut self) -> Result<()> {
        let undecided = self.undecided();
        let checkpoint = undecided.expect("only what is undecided is rolled back");
        self.guarded(|store| {
            let transaction = store.begin("roll back a checkpoint in")?;
            undo::apply(&transaction, checkpoint)?;
            let progress = store.progress_mut();
            progress.prepared = progress.committed;
            store.write_progress(&transaction)?;
            transaction.commit().doing("commit")?;
            // From here on as after opening: what was folded is folded again.
            store.staged = None;
            store.generation += 1;
            store.read_index()
        })
    }

    /// The checkpoint that is prepared and undecided.
    pub(super) fn undecided(&self) -> Option<CheckpointId> {
        self.job.as_ref()?.progress.undecided()
    }

    /// Refuses what must wait for a decision.
    pub(super) fn assert_decided(&self, act: &str) {
        if let Some(checkpoint) = self.undecided() {
            panic!("{act} while checkpoint {checkpoint} was undecided");
        }
    }

    /// Lets a transaction make durable what was decided before it.
    pub(super) fn write_progress(&self, transaction: &WriteTransaction) -> Result<()> {
        match &self.job {
            Some(job) => writing::write_progress(transaction, &job.progress),
            None => Ok(()),
        }
    }

    fn progress_mut(&mut self) -> &mut Progress {
        let job = self.job.as_mut();
        &mut job
            .expect("a job was begun before its checkpoints")
            .progress
    }
}
