//! The coordinator played by hand, and by chance against a naive set of rules.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Action, Coordinator, Event, Phase, TaskId, Timing};
use crate::stream::{Barrier, BarrierKind, CheckpointId};

const TIMING: Timing = Timing {
    interval_ms: 100,
    min_pause_ms: 20,
    timeout_ms: 1_000,
};
const SOURCE: TaskId = TaskId(0);
const SINK: TaskId = TaskId(1);

fn coordinator() -> Coordinator {
    let restored = CheckpointId(4);
    Coordinator::new(TIMING, [SOURCE, SINK], [SOURCE], restored, 0)
}

fn inject(checkpoint: u64, kind: BarrierKind) -> Action {
    Action::InjectBarrier(Barrier {
        checkpoint: CheckpointId(checkpoint),
        kind,
    })
}

fn ack(task: TaskId, checkpoint: u64, changed: bool) -> Event {
    let checkpoint = CheckpointId(checkpoint);
    Event::Acknowledged {
        task,
        checkpoint,
        changed,
    }
}

fn commit(checkpoint: u64, confirmed: &[u64]) -> Action {
    Action::Commit {
        checkpoint: CheckpointId(checkpoint),
        confirmed: confirmed.iter().copied().map(CheckpointId).collect(),
    }
}

fn decided(checkpoint: u64) -> Vec<Action> {
    let checkpoint = CheckpointId(checkpoint);
    vec![
        Action::NotifyDecided(checkpoint),
        Action::Publish(checkpoint),
    ]
}

/// Plays a script: each event with what it must lead to.
fn check(script: &[(Event, Vec<Action>)]) -> Coordinator {
    let mut coordinator = coordinator();
    for (line, (event, expected)) in script.iter().enumerate() {
        assert_eq!(
            coordinator.step(*event),
            *expected,
            "line {line}: {event:?}"
        );
    }
    coordinator
}

#[test]
fn checkpoints_follow_each_other_and_publication_overlaps() {
    use BarrierKind::Interval;
    let committed = |id| Event::Committed(CheckpointId(id));
    check(&[
        (Event::Tick(99), vec![]),
        (Event::Tick(100), vec![inject(5, Interval)]),
        (ack(SINK, 5, false), vec![]),
        (ack(SOURCE, 5, true), vec![commit(5, &[])]),
        (committed(5), decided(5)),
        // The outputs of 5 are still on their way when 6 is made.
        (Event::Tick(200), vec![inject(6, Interval)]),
        (ack(SOURCE, 6, true), vec![]),
        (ack(SINK, 6, true), vec![commit(6, &[])]),
        (Event::Published(CheckpointId(5)), vec![]),
        (committed(6), decided(6)),
        (Event::Tick(300), vec![inject(7, Interval)]),
        (ack(SOURCE, 7, true), vec![]),
        (ack(SINK, 7, true), vec![commit(7, &[5])]),
        (committed(7), decided(7)),
        (Event::Published(CheckpointId(6)), vec![]),
        (Event::Published(CheckpointId(7)), vec![]),
        (Event::Tick(400), vec![inject(8, Interval)]),
        (ack(SOURCE, 8, true), vec![]),
        (ack(SINK, 8, true), vec![commit(8, &[6, 7])]),
    ]);
}

#[test]
fn an_empty_interval_gives_its_number_back() {
    use BarrierKind::Interval;
    check(&[
        (Event::Tick(100), vec![inject(5, Interval)]),
        (ack(SOURCE, 5, false), vec![]),
        (
            ack(SINK, 5, false),
            vec![Action::SkipEmpty(CheckpointId(5))],
        ),
        (Event::Tick(200), vec![inject(5, Interval)]),
    ]);
}

#[test]
fn a_slow_checkpoint_is_followed_by_a_pause() {
    use BarrierKind::Interval;
    check(&[
        (Event::Tick(100), vec![inject(5, Interval)]),
        (ack(SOURCE, 5, true), vec![]),
        (Event::Tick(250), vec![]),
        (ack(SINK, 5, true), vec![commit(5, &[])]),
        (Event::Committed(CheckpointId(5)), decided(5)),
        (Event::Tick(269), vec![]),
        (Event::Tick(270), vec![inject(6, Interval)]),
    ]);
}

#[test]
fn a_full_output_holds_up_all_checkpoints_but_the_last() {
    use BarrierKind::{Interval, Last};
    check(&[
        (Event::OutputFull(true), vec![]),
        (Event::Tick(100), vec![]),
        (Event::OutputFull(false), vec![inject(5, Interval)]),
        (Event::OutputFull(true), vec![]),
        (ack(SOURCE, 5, false), vec![]),
        (
            ack(SINK, 5, false),
            vec![Action::SkipEmpty(CheckpointId(5))],
        ),
        (Event::Tick(200), vec![]),
        (Event::StopRequested, vec![inject(5, Last)]),
    ]);
}

#[test]
fn the_job_finishes_only_when_everything_is_published() {
    let five = CheckpointId(5);
    let coordinator = check(&[
        (Event::AtEnd(SOURCE), vec![inject(5, BarrierKind::Last)]),
        (Event::StopRequested, vec![]),
        (ack(SOURCE, 5, true), vec![]),
        (ack(SINK, 5, true), vec![commit(5, &[])]),
        (Event::Committed(five), decided(5)),
        (Event::PublishFailed(five), vec![]),
        (Event::Tick(999), vec![]),
        (Event::Tick(1_000), vec![Action::Publish(five)]),
        (Event::Tick(9_000), vec![]),
        (Event::Published(five), vec![Action::FinishJob]),
        (Event::Tick(10_000), vec![]),
    ]);
    assert_eq!(*coordinator.phase(), Phase::Ended);
}

#[test]
fn the_end_of_input_in_a_checkpoint_makes_a_last_one() {
    check(&[
        (Event::Tick(100), vec![inject(5, BarrierKind::Interval)]),
        (Event::AtEnd(SOURCE), vec![]),
        (ack(SOURCE, 5, false), vec![]),
        (
            ack(SINK, 5, false),
            vec![
                Action::SkipEmpty(CheckpointId(5)),
                inject(5, BarrierKind::Last),
            ],
        ),
        (ack(SOURCE, 5, false), vec![]),
        (
            ack(SINK, 5, false),
            vec![Action::SkipEmpty(CheckpointId(5)), Action::FinishJob],
        ),
    ]);
}

#[test]
fn a_stop_notes_what_is_published_and_does_not_finish() {
    let five = CheckpointId(5);
    check(&[
        (Event::StopRequested, vec![inject(5, BarrierKind::Last)]),
        (Event::AtEnd(SOURCE), vec![]),
        (ack(SINK, 5, false), vec![]),
        (ack(SOURCE, 5, true), vec![commit(5, &[])]),
        (Event::Committed(five), decided(5)),
        (
            Event::Published(five),
            vec![Action::StopJob {
                confirmed: vec![five],
            }],
        ),
    ]);
}

#[test]
fn a_checkpoint_that_takes_too_long_fails_the_job() {
    let mut coordinator = check(&[
        (Event::Tick(100), vec![inject(5, BarrierKind::Interval)]),
        (ack(SINK, 5, true), vec![]),
        (Event::Tick(1_099), vec![]),
    ]);
    let [Action::Fail(failure)] = &coordinator.step(Event::Tick(1_100))[..] else {
        panic!("not failed");
    };
    assert_eq!(failure.missing, [SOURCE]);
    assert_eq!(
        failure.to_string(),
        "checkpoint 5 took longer than 1000 ms: 1 tasks have not answered"
    );
    assert_eq!(coordinator.step(ack(SOURCE, 5, true)), []);
}

#[test]
#[should_panic(expected = "acknowledged twice")]
fn a_task_cannot_acknowledge_twice() {
    let mut coordinator = check(&[(Event::Tick(100), vec![inject(5, BarrierKind::Interval)])]);
    coordinator.step(ack(SINK, 5, true));
    coordinator.step(ack(SINK, 5, true));
}

/// What the outside may do next, of all that the coordinator has asked for.
#[derive(Default)]
struct World {
    now_ms: u64,
    unseen: Vec<(TaskId, CheckpointId)>,
    committing: Option<CheckpointId>,
    publishing: Vec<CheckpointId>,
    committed: Vec<CheckpointId>,
    published: BTreeSet<CheckpointId>,
    last: bool,
    ended: bool,
}

impl World {
    fn carry_out(&mut self, action: Action) {
        assert!(!self.ended, "{action:?} after the end");
        match action {
            Action::InjectBarrier(barrier) => {
                assert!(self.unseen.is_empty() && self.committing.is_none());
                assert!(!self.last, "a barrier behind the last one");
                let next = self
                    .committed
                    .last()
                    .map_or(CheckpointId(5), |id| id.next());
                assert_eq!(barrier.checkpoint, next);
                self.unseen = vec![(SOURCE, next), (SINK, next)];
                self.last = barrier.kind == BarrierKind::Last;
            }
            Action::Commit {
                checkpoint,
                confirmed,
            } => {
                assert!(self.unseen.is_empty());
                assert!(confirmed.iter().all(|id| self.published.contains(id)));
                self.committing = Some(checkpoint);
            }
            Action::SkipEmpty(_) => assert!(self.unseen.is_empty()),
            Action::NotifyDecided(id) => assert_eq!(self.committed.last(), Some(&id)),
            Action::Publish(id) => {
                assert!(self.committed.contains(&id), "published undecided");
                self.publishing.push(id);
            }
            Action::FinishJob | Action::StopJob { .. } => {
                let committed: BTreeSet<_> = self.committed.iter().copied().collect();
                assert_eq!(committed, self.published);
                assert!(self.last);
                self.ended = true;
            }
            Action::Fail(failure) => panic!("{failure}"),
        }
    }

    /// One of the things that can happen now, chosen by `choice`.
    fn happen(&mut self, choice: u8) -> Event {
        match choice % 8 {
            0 | 1 if !self.unseen.is_empty() => {
                let place = usize::from(choice / 8) % self.unseen.len();
                let (task, id) = self.unseen.remove(place);
                ack(task, id.0, choice >= 128)
            }
            2 if self.committing.is_some() => {
                let id = self.committing.take().unwrap();
                self.committed.push(id);
                Event::Committed(id)
            }
            3 if !self.publishing.is_empty() => {
                let place = usize::from(choice / 8) % self.publishing.len();
                let id = self.publishing.swap_remove(place);
                if choice >= 200 {
                    return Event::PublishFailed(id);
                }
                self.published.insert(id);
                Event::Published(id)
            }
            4 if choice == 252 => Event::StopRequested,
            5 if choice == 253 => Event::AtEnd(SOURCE),
            _ => {
                self.now_ms += 10;
                Event::Tick(self.now_ms)
            }
        }
    }
}

proptest! {
    #[test]
    fn any_order_of_events_keeps_the_protocol(choices in prop::collection::vec(any::<u8>(), 1..400)) {
        let patient = Timing { timeout_ms: u64::MAX, ..TIMING };
        let restored = CheckpointId(4);
        let mut coordinator = Coordinator::new(patient, [SOURCE, SINK], [SOURCE], restored, 0);
        let mut world = World::default();
        let mut step = |world: &mut World, event| {
            for action in coordinator.step(event) {
                world.carry_out(action);
            }
        };
        for choice in choices {
            let event = world.happen(choice);
            step(&mut world, event);
        }
        // However far it has come, it comes to its end when nothing fails any more.
        step(&mut world, Event::StopRequested);
        for choice in (0..8).cycle().take(10_000) {
            let event = world.happen(choice);
            step(&mut world, event);
        }
        prop_assert!(world.ended);
    }
}
