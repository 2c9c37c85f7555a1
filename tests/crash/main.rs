//! The state through crashes, full disks and failing syncs.
//!
//! A job lives on a disk that records every write. From the record, the files are
//! made that a crash at any moment could have left: unsynced writes lost, kept or
//! torn in any combination. Each must open to exactly the last checkpoint that had
//! returned, or to the one in flight; where another decides, it must go forward or
//! back to a whole checkpoint. `THALWEG_CRASH_SEEDS=n` makes a campaign.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod disk;
mod random;
mod undecided;
mod workload;

use std::panic::{AssertUnwindSafe, catch_unwind};

use thalweg::state::{Decider, Error};

use disk::{Disk, Faults, Image};
use random::Random;
use workload::{Bug, Content, Workload, open};

const STEPS: usize = 16;

/// Opens a file that a crash left, and compares what it holds with what it must
/// hold. Returns how many files were opened for it.
fn check_image(image: Image, workload: &Workload, random: &mut Random) -> Result<usize, String> {
    let mut images = 1;
    let Image { bytes, done } = image;
    let disk = Disk::holding(bytes);
    let found = content(&disk)?;
    let allowed = &workload.contents[done..workload.contents.len().min(done + 2)];
    let Some(place) = allowed.iter().position(|content| *content == found) else {
        return Err(format!(
            "after {done} checkpoints the state holds {found:?}, not {allowed:?}"
        ));
    };
    if random.below(16) == 0 {
        // A crash in the recovery from the crash changes nothing.
        let recovery = disk.recording();
        recovery.crash_everywhere(random, 1, |image, _| {
            images += 1;
            match content(&Disk::holding(image.bytes))? {
                again if again == found => Ok(()),
                again => Err(format!("recovery made {again:?} of {found:?}")),
            }
        })?;
    }
    if random.below(64) == 0 {
        // The job goes on from there as if nothing had happened.
        let mut store = open(&disk, Decider::State).map_err(|error| error.to_string())?;
        let lived = workload.live(&mut store, &disk, done + place, None);
        lived.map_err(|error| error.to_string())?;
        drop(store);
        if content(&disk)? != *workload.contents.last().unwrap() {
            return Err("the job came to another end".to_owned());
        }
    }
    Ok(images)
}

fn content(disk: &Disk) -> Result<Content, String> {
    let found = open(disk, Decider::State).and_then(|mut store| Content::of(&mut store));
    found.map_err(|error| error.to_string())
}

/// A new job on a disk that has these faults from now on.
fn begin(decider: Decider, faults: Faults) -> (Disk, thalweg::state::Store) {
    let disk = Disk::default();
    let store = open(&disk, decider).unwrap();
    disk.begin(faults);
    (disk, store)
}

/// Lives one life and crashes it everywhere. Returns how many files were checked.
fn crash(seed: u64, faults: Faults, bug: Option<Bug>) -> Result<usize, String> {
    let mut random = Random::new(seed);
    let workload = Workload::new(&mut random, STEPS);
    let (disk, mut store) = begin(Decider::State, faults);
    workload
        .live(&mut store, &disk, 0, bug)
        .map_err(|error| error.to_string())?;
    drop(store);
    let recording = disk.recording();
    let mut images = 0;
    recording.crash_everywhere(&mut random, 1, |image, random| {
        images += check_image(image, &workload, random)?;
        Ok(())
    })?;
    Ok(images)
}

fn seeds() -> u64 {
    std::env::var("THALWEG_CRASH_SEEDS").map_or(2, |seeds| seeds.parse().unwrap())
}

#[test]
fn every_crash_leaves_a_whole_checkpoint() {
    let seeds = seeds();
    let mut images = 0;
    for seed in 1..=seeds {
        match crash(seed, Faults::default(), None) {
            Ok(of_seed) => images += of_seed,
            Err(message) => panic!("seed {seed}: {message}"),
        }
    }
    println!("{images} passed, 0 failed");
    assert!(images > 500 * usize::try_from(seeds).unwrap(), "{images}");
}

/// The checks are worth nothing if they pass whatever the program does.
#[test]
fn planted_bugs_are_caught() {
    let no_fsync = Faults {
        ignores_sync: true,
        ..Faults::default()
    };
    // On files that no honest disk leaves, redb may panic: that is caught too.
    let result = catch_unwind(AssertUnwindSafe(|| crash(1, no_fsync, None)));
    assert!(
        !matches!(result, Ok(Ok(_))),
        "a missing fsync is not caught"
    );
    for bug in [
        Bug::PositionsApart,
        Bug::DroppedDelta,
        Bug::NumberOffByOne,
        Bug::ConfirmedTooEarly,
    ] {
        let message = crash(1, Faults::default(), Some(bug)).unwrap_err();
        assert!(
            message.contains("checkpoints the state holds"),
            "{bug:?}: {message}"
        );
    }
}

/// Lives on a disk with a fault until the state refuses, and returns why. Nothing
/// that was decided is lost, and what is there is whole.
fn live_until_failure(workload: &Workload, faults: Faults) -> Option<Error> {
    let (disk, mut store) = begin(Decider::State, faults);
    let error = workload.live(&mut store, &disk, 0, None).err()?;
    let refused = Content::of(&mut store).unwrap_err().to_string();
    assert!(refused.contains("it has failed before"), "{refused}");
    drop(store);
    let mut done = 0;
    let count = |image: Image, _: &mut Random| {
        done = image.done;
        Ok(())
    };
    let mut random = Random::new(7);
    disk.recording()
        .crash_everywhere(&mut random, 1, count)
        .unwrap();
    let kept = content(&Disk::holding(disk.bytes())).unwrap();
    let allowed = &workload.contents[done..=done + 1];
    assert!(allowed.contains(&kept), "{faults:?}: {kept:?}");
    Some(error)
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let workload = Workload::new(&mut Random::new(3), 6);
    let mut failures = 0;
    for at in 1.. {
        let faults = Faults {
            full_at_write: Some(at),
            ..Faults::default()
        };
        match live_until_failure(&workload, faults) {
            Some(Error::DiskFull(path)) => assert_eq!(path.to_str(), Some("state.redb")),
            Some(other) => panic!("write {at}: {other}"),
            None => break,
        }
        failures += 1;
    }
    assert!(failures > 50, "{failures}");
}

#[test]
fn a_failed_sync_is_told_and_loses_nothing() {
    let workload = Workload::new(&mut Random::new(4), 6);
    let mut failures = 0;
    for at in 1.. {
        let faults = Faults {
            fails_at_sync: Some(at),
            ..Faults::default()
        };
        match live_until_failure(&workload, faults) {
            Some(Error::Io { source, .. }) => {
                assert_eq!(source.raw_os_error(), Some(nix::libc::EIO));
            }
            Some(other) => panic!("sync {at}: {other}"),
            None => break,
        }
        failures += 1;
    }
    assert!(failures >= 12, "{failures}");
}

#[test]
fn the_workload_is_long_enough_to_fold_and_close() {
    let workload = Workload::new(&mut Random::new(1), STEPS);
    let (disk, mut store) = begin(Decider::State, Faults::default());
    workload.live(&mut store, &disk, 0, None).unwrap();
    let stats = store.stats();
    assert!(stats.page_bytes > 0, "{stats:?}");
    assert_eq!(workload.len(), STEPS);
    assert_eq!(
        Content::of(&mut store).unwrap(),
        *workload.contents.last().unwrap()
    );
}
