//! Checkpoints that are only prepared: what they hold up, and what is forbidden.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::tests::{Disk, all_rows, delta, groups, open_eager_for, pairs, pairs_at};
use super::*;
use crate::stream::{CheckpointId, Claim, EventTime, OperatorId};

const SINK: OperatorId = OperatorId(9);

fn open(disk: &Disk) -> Store {
    open_eager_for(disk, Decider::Kafka)
}

/// A checkpoint of 60 rows of a time, with an output.
fn checkpoint(id: u64, time: i64) -> Checkpoint {
    let mut checkpoint = Checkpoint::new(CheckpointId(id));
    let rows = pairs((0..60).map(|key| (key, 1)));
    checkpoint.deltas = vec![delta(1, DeltaKind::Merge, time, &rows)];
    checkpoint.publish = vec![(SINK, serde_json::json!(id))];
    checkpoint
}

fn closing(id: u64, until: i64) -> Checkpoint {
    let mut checkpoint = checkpoint(id, until + 1);
    checkpoint.deltas[0].closed_until = Some(EventTime::from_millis(until));
    checkpoint
}

fn decide(store: &mut Store, checkpoint: Checkpoint) {
    let id = checkpoint.id;
    store.commit(checkpoint).unwrap();
    store.decided(id).unwrap();
}

fn progress(store: &Store) -> (u64, u64) {
    let progress = &store.job().unwrap().progress;
    (progress.prepared.0, progress.committed.0)
}

#[test]
fn nothing_is_folded_or_deleted_before_the_decision() {
    let disk = Disk::default();
    let mut store = open(&disk);
    decide(&mut store, checkpoint(1, 5));
    let before = pairs_at(5, (0..60).map(|key| (key, 1)));
    let after = pairs_at(6, (0..60).map(|key| (key, 1)));
    for _ in 0..2 {
        store.commit(closing(2, 5)).unwrap();
        assert!(store.stats().fold_backlog > 0);
        assert!(store.plan_fold().unwrap().is_none());
        assert!(!store.fold_idle().unwrap());
        assert_eq!(all_rows(&mut store), after);
        store.roll_back().unwrap();
        assert_eq!(progress(&store), (1, 1));
        assert_eq!(all_rows(&mut store), before);
        drop(store);
        store = open(&disk);
        assert_eq!(all_rows(&mut store), before);
    }
    decide(&mut store, closing(2, 5));
    assert!(store.stats().closed_backlog > 0);
    assert!(store.plan_fold().unwrap().is_some());
    assert!(store.fold_idle().unwrap());
    assert_eq!(store.stats().closed_backlog, 0);
    assert_eq!(all_rows(&mut store), after);
}

#[test]
fn pages_that_were_made_before_a_roll_back_are_made_again() {
    let disk = Disk::default();
    let mut store = open(&disk);
    decide(&mut store, checkpoint(1, 5));
    let job = store.plan_fold().unwrap().unwrap();
    store.commit(checkpoint(2, 5)).unwrap();
    store.roll_back().unwrap();
    store.stage(job.run()).unwrap();
    assert!(!store.fold_idle().unwrap());
    let job = store.plan_fold().unwrap().unwrap();
    store.stage(job.run()).unwrap();
    decide(&mut store, checkpoint(2, 5));
    assert!(store.stats().page_bytes > 0);
    let twice = pairs_at(5, (0..60).map(|key| (key, 2)));
    assert_eq!(all_rows(&mut store), twice);
}

#[test]
fn a_decision_is_durable_with_the_next_transaction() {
    type Act = fn(&mut Store);
    let table: [(&str, Act, (u64, u64)); 7] = [
        ("nothing", |_| {}, (2, 1)),
        ("note", |store| store.note_decided().unwrap(), (2, 2)),
        (
            "claim",
            |store| store.note_claim(None, Claim::random()).unwrap(),
            (2, 2),
        ),
        ("settle", |store| store.settle(&[SINK]).unwrap(), (2, 2)),
        (
            "confirm",
            |store| store.confirm(&[CheckpointId(1)]).unwrap(),
            (2, 2),
        ),
        ("fold", |store| assert!(store.fold_idle().unwrap()), (2, 2)),
        (
            "commit",
            |store| assert!(store.commit(checkpoint(3, 6)).is_ok()),
            (3, 2),
        ),
    ];
    for (name, act, expected) in table {
        let disk = Disk::default();
        let mut store = open(&disk);
        decide(&mut store, checkpoint(1, 5));
        decide(&mut store, closing(2, 5));
        assert_eq!(progress(&store), (2, 2));
        act(&mut store);
        drop(store);
        let store = open(&disk);
        assert_eq!(progress(&store), expected, "{name}");
    }
}

#[test]
fn a_confirmation_does_not_decide() {
    let disk = Disk::default();
    let mut store = open(&disk);
    decide(&mut store, checkpoint(1, 5));
    store.commit(checkpoint(2, 5)).unwrap();
    store.confirm(&[CheckpointId(1)]).unwrap();
    drop(store);
    let mut store = open(&disk);
    assert_eq!(progress(&store), (2, 1));
    store.roll_back().unwrap();
    assert_eq!(store.outputs(SINK).unwrap(), Outputs::default());
}

#[test]
fn what_must_wait_for_a_decision_is_refused() {
    type Act = fn(&mut Store) -> Result<()>;
    let undecided: [(&str, Act); 5] = [
        ("while another was", |store| {
            store.commit(checkpoint(2, 5)).map(drop)
        }),
        ("were asked for", |store| store.outputs(SINK).map(drop)),
        ("were settled", |store| store.settle(&[SINK])),
        ("not what was prepared", |store| {
            store.decided(CheckpointId(2))
        }),
        ("was finished", |store| {
            store.finish(Finished {
                at: EventTime::MIN,
                rows_read: 0,
                bytes_read: 0,
                splits: 0,
            })
        }),
    ];
    for (words, act) in undecided {
        let mut store = open(&Disk::default());
        store.commit(checkpoint(1, 5)).unwrap();
        assert_panics(words, || act(&mut store));
    }
    let decided: [(&str, Act); 3] = [
        ("not what was prepared", |store| {
            store.decided(CheckpointId(1))
        }),
        ("only what is undecided", Store::roll_back),
        ("was left out", |store| {
            store.commit(checkpoint(3, 5)).map(drop)
        }),
    ];
    for (words, act) in decided {
        let mut store = open(&Disk::default());
        decide(&mut store, checkpoint(1, 5));
        assert_panics(words, || act(&mut store));
    }
}

#[test]
fn nothing_is_prepared_without_a_claim() {
    let disk = Disk::default();
    let mut store = Store::with_backend(disk.clone(), OpenOptions::default()).unwrap();
    let (name, plan) = ("test".to_owned(), "plan".to_owned());
    let header = Header::new(name, plan, groups(), Decider::Kafka, EventTime::MIN);
    store.create_job(header).unwrap();
    let [first, second] = [Claim::random(), Claim::random()];
    store.note_claim(None, first).unwrap();
    assert_panics("without a claim", || {
        store.commit(Checkpoint::new(CheckpointId(1))).map(drop)
    });
    store.note_claimed().unwrap();
    drop(store);
    let mut store = open(&disk);
    store.commit(checkpoint(1, 5)).unwrap();
    store.decided(CheckpointId(1)).unwrap();
    store.note_claim(Some(first), second).unwrap();
    drop(store);
    let store = open(&disk);
    let progress = &store.job().unwrap().progress;
    assert!(progress.has_claimed(first) && progress.has_claimed(second));
    assert!(!progress.has_claimed(Claim::random()));
    assert_eq!(progress.committed, CheckpointId(1));
}

fn assert_panics(words: &str, act: impl FnOnce() -> Result<()>) {
    let panic = catch_unwind(AssertUnwindSafe(act)).unwrap_err();
    let message = panic.downcast_ref::<String>().cloned();
    let message = message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let message = message.unwrap();
    assert!(message.contains(words), "{message}");
}
