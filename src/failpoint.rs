//! Steps at which a test can end, fail or stall the program, and bugs that it can plant.
//!
//! Only with the feature `failpoints` is there anything behind this; without it every
//! call is nothing. `THALWEG_FAILPOINT=STEP:ACTION:N,…` acts when STEP is reached for the
//! N-th time: `kill` ends the process as `kill -9` does, `error` makes the step fail,
//! `panic` makes it panic, `stall` holds it for five seconds. `THALWEG_PLANT=BUG` plants one
//! of [`Plant`].

/// A step of the exactly-once protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A sink has seen a barrier; its records may be on their way.
    BeforeFlush,
    /// All records of a sink are written, but not committed.
    AfterFlush,
    /// All tasks have handed over their part of a checkpoint.
    BeforePrepare,
    /// The checkpoint is durable in the state.
    AfterPrepare,
    /// The marker is still to be written.
    BeforeMarker,
    /// The marker is part of the transaction.
    AfterMarker,
    /// The transaction is committed.
    AfterCommit,
    /// The state's memory knows of it.
    AfterDecided,
    /// A start has read the marker for the first time.
    AfterFirstMarker,
    /// Earlier owners of the transactional id are still to be shut out.
    BeforeFence,
    /// They are shut out.
    AfterFence,
    /// A checkpoint is to be rolled back.
    BeforeRollBack,
    /// It was.
    AfterRollBack,
    /// The state has noted a claim, whose marker is to be written.
    BeforeClaim,
    /// It was, and the state does not know it.
    AfterClaim,
    /// Decided segments of an outbox are to get their visible names.
    BeforeOutbox,
    /// They have them, and the state does not know it.
    AfterOutbox,
    /// A sender has noted what it is about to send.
    BeforeSend,
    /// It was sent, and is to be deleted.
    BeforeDelete,
    /// It was deleted.
    AfterDelete,
}

/// A bug that a test plants, to see that it is caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// The transaction is committed before the checkpoint is durable.
    CommitBeforePrepare,
    /// What was prepared counts, whatever the marker says.
    AlwaysForward,
    /// What was prepared never counts.
    AlwaysRollBack,
    /// Records behind a barrier go into the transaction in front of it.
    OpenGate,
    /// Each life has a transactional id of its own, so that none shuts another out.
    NoFencing,
    /// A checkpoint does not wait until what was handed over is written.
    NoFlush,
    /// The marker is read only before earlier owners are shut out.
    FirstMarkerCounts,
    /// A marker counts whoever has claimed it.
    AnyClaim,
    /// A partition is read from its start again.
    ForgetPositions,
    /// A partition is read on behind the record where it should be.
    SkipRecord,
    /// An outbox sends what is prepared and not yet decided.
    SendUndecided,
    /// A sender begins behind what it knows for certain, whatever the marker says.
    ForgetSent,
    /// A producer is used again though copies of its requests may be on their way.
    LateRequests,
    /// No bug: every marker is old, so that it is written again whenever nothing changes.
    OldMarker,
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::time::Duration;

    use parking_lot::Mutex;

    use super::{Plant, Step};

    /// How often each step was reached.
    static REACHED: Mutex<Vec<(Step, u64)>> = Mutex::new(Vec::new());

    pub fn reach(step: Step) -> Result<(), String> {
        let wishes = std::env::var("THALWEG_FAILPOINT").unwrap_or_default();
        let reached = count(step);
        for wish in wishes.split(',').filter(|wish| !wish.is_empty()) {
            let parts: Vec<_> = wish.split(':').collect();
            let &[name, action, number] = parts.as_slice() else {
                return Err(format!("{wish:?} has not the form STEP:ACTION:N"));
            };
            if name == format!("{step:?}") && number.parse() == Ok(reached) {
                act(step, action)?;
            }
        }
        Ok(())
    }

    fn count(step: Step) -> u64 {
        let mut all = REACHED.lock();
        if let Some((_, reached)) = all.iter_mut().find(|(known, _)| *known == step) {
            *reached += 1;
            return *reached;
        }
        all.push((step, 1));
        1
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "holding a step up is what is wanted"
    )]
    fn act(step: Step, action: &str) -> Result<(), String> {
        match action {
            "kill" => {
                let own = nix::unistd::Pid::this();
                let _ = nix::sys::signal::kill(own, nix::sys::signal::Signal::SIGKILL);
                Ok(())
            }
            "panic" => panic!("the test wants step {step:?} to panic"),
            "stall" => {
                tracing::info!("a test stalls step {step:?}");
                std::thread::sleep(Duration::from_secs(5));
                Ok(())
            }
            _ => Err(format!("the test wants step {step:?} to fail")),
        }
    }

    pub fn planted(plant: Plant) -> bool {
        std::env::var("THALWEG_PLANT").is_ok_and(|planted| planted == format!("{plant:?}"))
    }
}

/// Says that a step is reached.
///
/// # Errors
/// If a test wants the step to fail.
#[cfg(feature = "failpoints")]
pub fn reach(step: Step) -> Result<(), String> {
    armed::reach(step)
}

/// Says that a step is reached, which nobody hears in this build.
///
/// # Errors
/// Never.
#[cfg(not(feature = "failpoints"))]
pub const fn reach(_: Step) -> Result<(), String> {
    Ok(())
}

/// The same where others wait on this thread, who must not be held up with it.
///
/// # Errors
/// As [`reach`].
#[cfg(feature = "failpoints")]
pub async fn reach_aside(step: Step) -> Result<(), String> {
    let reached = tokio::task::spawn_blocking(move || armed::reach(step));
    reached.await.map_err(|error| error.to_string())?
}

/// The same where others wait on this thread.
///
/// # Errors
/// Never.
#[cfg(not(feature = "failpoints"))]
pub fn reach_aside(_: Step) -> std::future::Ready<Result<(), String>> {
    std::future::ready(Ok(()))
}

/// Whether a test has planted this bug.
#[cfg(feature = "failpoints")]
pub fn planted(plant: Plant) -> bool {
    armed::planted(plant)
}

/// Whether a test has planted this bug: never in this build.
#[cfg(not(feature = "failpoints"))]
pub const fn planted(_: Plant) -> bool {
    false
}
