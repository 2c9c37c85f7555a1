//! Asks the transaction that decides a job's checkpoints which one counts, before
//! anything else of the job is touched.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::checkpoint::{Verdict, resolve};
use crate::failpoint::{self, Plant, Step};
use crate::runtime::{Error, Result, SinkFactory, Transaction};
use crate::state::{Progress, Store, StoreHandle};
use crate::stream::{CheckpointId, OperatorId};

/// The transaction in which sinks of the job write, if one does.
pub(super) fn transaction_of(
    sinks: &BTreeMap<OperatorId, Arc<dyn SinkFactory>>,
) -> Option<Arc<dyn Transaction>> {
    sinks.values().find_map(|sink| sink.transaction())
}

/// Settles what an earlier life has left undecided, opens the transaction of this one,
/// and returns the checkpoint behind which the job goes on.
///
/// The marker is asked twice. Before: if it can no longer be ours, the rightful owner
/// must not be shut out by us. After: only now can nobody change it any more.
///
/// # Errors
/// If the transaction cannot be asked, or its marker and the state disagree.
pub(super) async fn settle_decision(
    store: &StoreHandle,
    transaction: &dyn Transaction,
) -> Result<CheckpointId> {
    let reach = |step| failpoint::reach(step).map_err(Error::Retryable);
    let found = progress(store).await?;
    verdict(&found, transaction).await?;
    reach(Step::AfterFirstMarker)?;
    transaction.begin().await?;
    let verdict = match verdict(&found, transaction).await? {
        Verdict::RollBack if failpoint::planted(Plant::AlwaysForward) => Verdict::Forward,
        Verdict::Forward if failpoint::planted(Plant::AlwaysRollBack) => Verdict::RollBack,
        verdict => verdict,
    };
    match verdict {
        Verdict::Forward => {
            let decided = found.prepared;
            store.call(move |store| store.decided(decided)).await?;
            tracing::info!(checkpoint = %decided, "the last checkpoint was decided");
        }
        Verdict::RollBack => {
            reach(Step::BeforeRollBack)?;
            store.call(Store::roll_back).await?;
            reach(Step::AfterRollBack)?;
            tracing::info!(checkpoint = %found.prepared, "the last checkpoint was not decided: rolled back");
        }
        Verdict::Anchor => {
            reach(Step::BeforeAnchor)?;
            transaction.commit(found.committed).await?;
            reach(Step::AfterAnchor)?;
            store.call(Store::note_anchored).await?;
        }
        Verdict::Settled | Verdict::Refuse(_) => {}
    }
    Ok(progress(store).await?.committed)
}

/// Compares state and marker.
async fn verdict(progress: &Progress, transaction: &dyn Transaction) -> Result<Verdict> {
    match resolve(progress, transaction.marker().await?) {
        Verdict::Refuse(dispute) => Err(Error::Fatal(dispute.to_string())),
        verdict => Ok(verdict),
    }
}

async fn progress(store: &StoreHandle) -> Result<Progress> {
    let job = store.call(|store| Ok(store.job().cloned())).await?;
    let job = job.ok_or_else(|| Error::Fatal("the state holds no job".to_owned()))?;
    Ok(job.progress)
}
