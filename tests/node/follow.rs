//! A directory that is followed, seen from outside: rotation, truncation, and a
//! stop after which the next run goes on.

use std::fs::{self, File};
use std::io::Write;

use crate::process::{Ended, Running, Workspace, wait_until};

/// Follows the folder `in` into the folder `out`, in files that are soon closed.
const FOLLOW: &str = "\
SET 'execution.checkpointing.interval' = '20 ms';
SET 'restart-strategy.type' = 'none';
CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json',
  'source.monitor-interval' = '10 ms', 'source.on-truncation' = 'MODE');
CREATE TABLE copies (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'out', 'format' = 'json',
  'sink.rolling-policy.rollover-interval' = '20 ms');
INSERT INTO copies SELECT n FROM numbers;
";

fn followed(mode: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.write("follow.sql", &FOLLOW.replace("MODE", mode));
    fs::create_dir(workspace.path("in")).unwrap();
    workspace
}

fn start(workspace: &Workspace) -> Running {
    workspace.start(&["--data-dir", "state", "follow.sql"])
}

fn append(workspace: &Workspace, file: &str, text: &str) {
    let path = workspace.path(file);
    let opened = File::options().create(true).append(true).open(path);
    opened.unwrap().write_all(text.as_bytes()).unwrap();
}

/// The numbers that are visible, sorted.
fn copied(workspace: &Workspace) -> Vec<u64> {
    if !workspace.path("out").exists() {
        return Vec::new();
    }
    let number = |line: String| {
        let digits: String = line.chars().filter(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    };
    let mut numbers: Vec<u64> = workspace.lines("out").into_iter().map(number).collect();
    numbers.sort_unstable();
    numbers
}

fn wait_for(workspace: &Workspace, numbers: &[u64]) {
    wait_until(&format!("{numbers:?} are copied"), || {
        copied(workspace).len() >= numbers.len()
    });
    assert_eq!(copied(workspace), numbers);
}

#[test]
fn a_rotated_file_is_read_to_its_end_and_once() {
    let workspace = followed("fail");
    append(&workspace, "in/app.log", "{\"n\":1}\n{\"n\":");
    let running = start(&workspace);
    wait_for(&workspace, &[1]);
    fs::rename(workspace.path("in/app.log"), workspace.path("in/app.log.1")).unwrap();
    append(&workspace, "in/app.log", "{\"n\":4}\n");
    // Whoever has the old file open may still write to it.
    append(&workspace, "in/app.log.1", "2}\n{\"n\":3}\n");
    wait_for(&workspace, &[1, 2, 3, 4]);
    assert_eq!(running.terminate().status, 0);
    assert_eq!(copied(&workspace), [1, 2, 3, 4]);
}

#[test]
fn a_truncated_file_stops_the_pipeline_and_says_what_to_do() {
    let workspace = followed("fail");
    append(&workspace, "in/app.log", "{\"n\":1}\n{\"n\":2}\n");
    let running = start(&workspace);
    wait_for(&workspace, &[1, 2]);
    workspace.write("in/app.log", "{\"n\":3}\n");
    let Ended { status, stderr, .. } = running.wait();
    assert_eq!(status, 1, "{stderr}");
    for part in [
        "app.log",
        "was truncated",
        "'source.on-truncation' = 'restart'",
    ] {
        assert!(stderr.contains(part), "{stderr}");
    }
    assert_eq!(copied(&workspace), [1, 2]);
}

#[test]
fn a_truncated_file_is_read_anew_if_that_is_asked_for() {
    let workspace = followed("restart");
    append(&workspace, "in/app.log", "{\"n\":1}\n{\"n\":2}\n");
    let running = start(&workspace);
    wait_for(&workspace, &[1, 2]);
    workspace.write("in/app.log", "{\"n\":3}\n");
    wait_for(&workspace, &[1, 2, 3]);
    assert_eq!(running.terminate().status, 0);
}

#[test]
fn a_stopped_job_goes_on_where_it_was() {
    let workspace = followed("fail");
    append(&workspace, "in/app.log", "{\"n\":1}\n");
    let first = start(&workspace);
    wait_for(&workspace, &[1]);
    let first = first.terminate();
    assert_eq!(first.status, 0, "{first:?}");

    append(&workspace, "in/app.log", "{\"n\":2}\n");
    let second = start(&workspace);
    wait_for(&workspace, &[1, 2]);
    let second = second.terminate();
    assert_eq!(second.status, 0, "{second:?}");
    assert!(second.stderr.contains("resumed"), "{second:?}");
    assert_eq!(copied(&workspace), [1, 2]);
}
