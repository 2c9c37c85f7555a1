//! Asks the transaction that decides a job's checkpoints which one counts, before
//! anything else of the job is touched.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::checkpoint::{Verdict, next_claim, resolve};
use crate::failpoint::{self, Plant, Step};
use crate::runtime::{Error, Result, SinkFactory, Transaction};
use crate::state::{Progress, Store, StoreHandle};
use crate::stream::{Claim, Marker, OperatorId};

/// The transaction in which sinks of the job write, if one does.
pub(super) fn transaction_of(
    sinks: &BTreeMap<OperatorId, Arc<dyn SinkFactory>>,
) -> Option<Arc<dyn Transaction>> {
    sinks.values().find_map(|sink| sink.transaction())
}

/// Settles what an earlier life has left undecided, opens the transaction of this one,
/// claims the right to have its checkpoints decided, and returns the marker behind which
/// the job goes on.
///
/// The marker is asked twice. Before: if it can no longer be ours, the rightful owner
/// must not be shut out by us. After: only now can nobody change it any more.
///
/// # Errors
/// If the transaction cannot be asked, or its marker and the state disagree.
pub(super) async fn settle_decision(
    store: &StoreHandle,
    transaction: &dyn Transaction,
) -> Result<Marker> {
    let reach = |step| failpoint::reach(step).map_err(Error::Retryable);
    let found = progress(store).await?;
    let first = transaction.marker().await?;
    verdict(&found, first)?;
    reach(Step::AfterFirstMarker)?;
    transaction.begin().await?;
    let mut standing = transaction.marker().await?;
    if failpoint::planted(Plant::FirstMarkerCounts) {
        standing = first;
    }
    let verdict = match verdict(&found, standing)? {
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
        Verdict::Settled | Verdict::Refuse(_) => {}
    }
    let marker = Marker {
        claim: next_claim(&found, standing, Claim::random()),
        checkpoint: progress(store).await?.committed,
    };
    let standing = standing.map(|marker| marker.claim);
    store
        .call(move |store| store.note_claim(standing, marker.claim))
        .await?;
    reach(Step::BeforeClaim)?;
    transaction.commit(marker).await?;
    reach(Step::AfterClaim)?;
    store.call(Store::note_claimed).await?;
    Ok(marker)
}

/// Compares state and marker.
fn verdict(progress: &Progress, mut marker: Option<Marker>) -> Result<Verdict> {
    if let (Some(marker), Some(claim)) = (&mut marker, progress.claim)
        && failpoint::planted(Plant::AnyClaim)
    {
        marker.claim = claim;
    }
    match resolve(progress, marker) {
        Verdict::Refuse(dispute) => Err(Error::Fatal(dispute.to_string())),
        verdict => Ok(verdict),
    }
}

async fn progress(store: &StoreHandle) -> Result<Progress> {
    let job = store.call(|store| Ok(store.job().cloned())).await?;
    let job = job.ok_or_else(|| Error::Fatal("the state holds no job".to_owned()))?;
    Ok(job.progress)
}
