//! The same life where another decides: a crash may leave a checkpoint prepared, and
//! nobody knows yet whether it counts.

use thalweg::state::Decider;

use crate::disk::{Disk, Faults, Image};
use crate::random::Random;
use crate::workload::{Content, Workload, open};
use crate::{begin, seeds};

/// Fewer than where the state decides: each is rolled back now and then.
const STEPS: usize = 10;

/// What the other system says of the checkpoint that a crash left prepared.
#[derive(Clone, Copy, Debug)]
enum Side {
    Forward,
    Back,
}

/// Opens a file that a crash left, and decides what is undecided. Returns what the
/// state then holds, and whether anything was undecided.
fn recover(disk: &Disk, side: Side) -> Result<(Content, bool), String> {
    let recovered = open(disk, Decider::Kafka).and_then(|mut store| {
        let undecided = store.job().and_then(|job| job.progress.undecided());
        match (undecided, side) {
            (Some(checkpoint), Side::Forward) => store.decided(checkpoint)?,
            (Some(_), Side::Back) => store.roll_back()?,
            (None, _) => {}
        }
        Ok((Content::of(&mut store)?, undecided.is_some()))
    });
    recovered.map_err(|error| error.to_string())
}

/// Recovers a file that a crash left to one side or the other. Returns how many files
/// were opened for it.
fn check_image(image: Image, workload: &Workload, random: &mut Random) -> Result<usize, String> {
    let mut images = 1;
    let Image { bytes, done } = image;
    let side = [Side::Forward, Side::Back][random.below(2)];
    let disk = Disk::holding(bytes);
    let (found, undecided) = recover(&disk, side)?;
    // What is undecided here may have been decided by the other for long.
    let allowed = match (undecided, side) {
        (false, _) => done..=done,
        (true, Side::Forward) => done..=done + 1,
        (true, Side::Back) => done.saturating_sub(1)..=done,
    };
    let place = allowed.clone().find(|&place| {
        let content = workload.contents.get(place);
        // A roll back leaves confirmed what it confirmed.
        content.is_some_and(|content| *content == found || content.confirmed() == found)
    });
    let Some(place) = place else {
        return Err(format!(
            "{side:?} after {done} decisions the state holds {found:?}, not one of {allowed:?}"
        ));
    };
    if random.below(32) == 0 {
        // A crash in the recovery from the crash changes nothing.
        disk.recording().crash_everywhere(random, 1, |image, _| {
            images += 1;
            match recover(&Disk::holding(image.bytes), side)? {
                (again, _) if again == found => Ok(()),
                (again, _) => Err(format!("recovery made {again:?} of {found:?}")),
            }
        })?;
    }
    if random.below(64) == 0 {
        go_on(&disk, workload, place, side, random)?;
    }
    Ok(images)
}

/// The job goes on from `place` as if nothing had happened.
fn go_on(
    disk: &Disk,
    workload: &Workload,
    place: usize,
    side: Side,
    random: &mut Random,
) -> Result<(), String> {
    recover(disk, side)?;
    let lived = open(disk, Decider::Kafka).and_then(|mut store| {
        if let Some(checkpoint) = store.job().and_then(|job| job.progress.undecided()) {
            store.decided(checkpoint)?;
        }
        workload.live_undecided(&mut store, disk, place, random)
    });
    lived.map_err(|error| error.to_string())?;
    match recover(disk, Side::Back)? {
        (content, false) if content == *workload.contents.last().unwrap() => Ok(()),
        (content, _) => Err(format!("the job came to another end: {content:?}")),
    }
}

#[test]
fn every_crash_can_be_decided_either_way() {
    let mut images = 0;
    for seed in 1..=seeds() {
        let mut random = Random::new(seed);
        let workload = Workload::new(&mut random, STEPS);
        let (disk, mut store) = begin(Decider::Kafka, Faults::default());
        workload
            .live_undecided(&mut store, &disk, 0, &mut random)
            .unwrap();
        drop(store);
        let recording = disk.recording();
        let checked = recording.crash_everywhere(&mut random, 1, |image, random| {
            images += check_image(image, &workload, random)?;
            Ok(())
        });
        if let Err(message) = checked {
            panic!("seed {seed}: {message}");
        }
    }
    println!("{images} passed, 0 failed");
    assert!(images > 300 * usize::try_from(seeds()).unwrap(), "{images}");
}
