//! What a user must be allowed to do for each kind of job, and what is said when a right is
//! missing. `thalweg connectors show kafka` lists these rights.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::process::{Ended, Workspace};
use crate::secured::{End, Right, bearer, broker, check_copied, copying, rows};

const RUN: [&str; 4] = ["run", "--listen", "127.0.0.1:0", "job.sql"];

/// A topic that jobs read.
fn input() -> &'static str {
    static INPUT: OnceLock<String> = OnceLock::new();
    INPUT.get_or_init(|| {
        let brokers = &broker().brokers;
        let topic = brokers.topic(1);
        brokers.write(&topic, 0, rows());
        topic
    })
}

/// A user whom nobody else has, with these rights.
fn user(rights: &[Right<'_>]) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("u{}", NEXT.fetch_add(1, Ordering::Relaxed));
    broker().grant(&name, rights);
    name
}

/// Runs the program with a user who has these rights where it says `$LOGIN`.
fn run(program: &str, rights: &[Right<'_>]) -> Ended {
    let broker = broker();
    let workspace = Workspace::new();
    workspace.write("token", &broker.token(&user(rights), 600));
    let token = format!("${{file:{}}}", workspace.path("token").display());
    workspace.write("job.sql", &program.replace("$LOGIN", &bearer(&token)));
    workspace.run(&RUN)
}

/// Checks that the job works with these rights.
fn works(program: &str, rights: &[Right<'_>]) {
    let ended = run(program, rights);
    assert_eq!(ended.status, 0, "{rights:?}: {}", ended.stderr);
}

/// Checks that the job ends with this sentence, and is not tried again.
fn is_refused(program: &str, rights: &[Right<'_>], expected: &str) {
    let ended = run(program, rights);
    let error = ended.stderr.split_once("\nerror: ").unwrap_or_default().1;
    let is_right = ended.status == 1 && error.contains(expected);
    assert!(is_right, "{rights:?}: not {expected:?}: {}", ended.stderr);
    assert!(!ended.stderr.contains("restarting"), "{}", ended.stderr);
}

/// Checks that the job works with all rights, and what it says without each of them.
fn check(program: &str, rights: &[(Right<'_>, &str)]) {
    let all: Vec<_> = rights.iter().map(|(right, _)| *right).collect();
    works(program, &all);
    for (missing, expected) in rights {
        let others = all.iter().copied().filter(|right| right != missing);
        is_refused(program, &others.collect::<Vec<_>>(), expected);
    }
}

/// A table that one who may do everything has.
fn free(topic: &str) -> End<'_> {
    End {
        topic,
        listener: "PLAINTEXT",
        options: "",
    }
}

/// A table of the user whose rights are tried.
fn tried<'a>(topic: &'a str, options: &'a str) -> End<'a> {
    End {
        topic,
        listener: "SASL_PLAINTEXT",
        options,
    }
}

#[test]
fn reading_needs_the_topic_alone() {
    let output = broker().brokers.topic(1);
    let program = copying(tried(input(), "$LOGIN"), free(&output));
    check(
        &program,
        &[(
            Right::ReadTopic(input()),
            "the user may not use this topic; ask for the right to read",
        )],
    );
    check_copied(&output);
}

#[test]
fn reading_where_a_group_has_come_to_needs_the_group_too() {
    let output = broker().brokers.topic(1);
    let group =
        ", 'properties.group.id' = 'readers', 'properties.auto.offset.reset' = 'earliest' $LOGIN";
    let program = copying(tried(input(), group), free(&output));
    let program = program.replacen("earliest-offset", "group-offsets", 1);
    check(
        &program,
        &[
            (Right::ReadTopic(input()), "the user may not use this topic"),
            (
                Right::DescribeGroups("readers"),
                "the user may not use this group; ask for the right to",
            ),
        ],
    );
    check_copied(&output);
}

#[test]
fn writing_exactly_once_needs_the_topic_both_ways_the_group_and_the_id() {
    let output = broker().brokers.topic(1);
    let program = copying(free(input()), tried(&output, "$LOGIN"));
    check(
        &program,
        &[
            (
                Right::WriteTopic(&output),
                "the user may not use this topic",
            ),
            (Right::ReadTopic(&output), "the user may not use this topic"),
            (
                Right::ReadGroups("thalweg."),
                "the user may not use this group",
            ),
            (
                Right::WriteIds("thalweg."),
                "the user may not use this transactional id",
            ),
        ],
    );
    check_copied(&output);
}

/// Its sender has an id of its own, and writes as any other.
#[test]
fn writing_through_an_outbox_needs_the_same() {
    let output = broker().brokers.topic(1);
    let options = ", 'sink.buffering' = 'outbox' $LOGIN";
    let program = copying(free(input()), tried(&output, options));
    check(
        &program,
        &[
            (
                Right::WriteTopic(&output),
                "the user may not use this topic",
            ),
            (Right::ReadTopic(&output), "the user may not use this topic"),
            (
                Right::ReadGroups("thalweg."),
                "the user may not use this group",
            ),
            (
                Right::WriteIds("thalweg."),
                "the user may not use this transactional id",
            ),
        ],
    );
    check_copied(&output);
}

#[test]
fn writing_at_least_once_needs_the_topic_alone() {
    let brokers = &broker().brokers;
    let (output, other) = (brokers.topic(1), brokers.topic(1));
    let options = ", 'sink.delivery-guarantee' = 'at-least-once' $LOGIN";
    let program = copying(free(input()), tried(&output, options));
    works(&program, &[Right::WriteTopic(&output)]);
    check_copied(&output);
    let mut rights = vec![Right::DescribeTopic(&output), Right::WriteTopic(&other)];
    is_refused(&program, &rights, "the user may not use this topic");
    // Who may write to no topic at all may not write idempotently either.
    rights.pop();
    is_refused(&program, &rights, "IdempotentWrite");
}
