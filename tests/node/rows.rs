//! Rows that cannot be processed, and programs that are too large to be.

use std::time::{Duration, Instant};

use crate::{COPY, numbers, run};

#[test]
fn bad_rows_are_put_aside_and_can_be_looked_at() {
    let workspace = numbers(2);
    workspace.write(
        "in/2.json",
        "{\"n\":2}\n{\"n\":\"two\"}\nnot json\n{\"n\":3}\n",
    );
    let ended = run(&workspace, &["copy.sql"]);
    assert_eq!(ended.status, 0, "{ended:?}");
    assert_eq!(workspace.lines("out").len(), 4);

    let listed = workspace.run(&["dead-letters", "list"]);
    assert_eq!(listed.status, 0, "{listed:?}");
    let letters: Vec<_> = listed.stdout.lines().collect();
    assert_eq!(letters.len(), 2, "{listed:?}");
    for (number, (letter, offset, bytes)) in [
        (letters[0], 8, "{\"n\":\"two\"}"),
        (letters[1], 20, "not json"),
    ]
    .into_iter()
    .enumerate()
    {
        let place = format!("numbers  2.json:{offset}  ");
        assert!(letter.contains(&place), "{letter}");
        let number = (number + 1).to_string();
        let shown = workspace.run(&["dead-letters", "show", &number, "--raw"]);
        assert_eq!((shown.status, shown.stdout.as_str()), (0, bytes));
        let shown = workspace.run(&["dead-letters", "show", &number]);
        for part in ["origin:   numbers", "reason:   ", bytes] {
            assert!(shown.stdout.contains(part), "{shown:?}");
        }
    }
    let none = workspace.run(&["dead-letters", "show", "3"]);
    assert_eq!(none.status, 2, "{none:?}");
    assert!(none.stderr.contains("there are 2"), "{none:?}");
    let none = workspace.run(&["dead-letters", "list", "--data-dir", "elsewhere"]);
    assert_eq!(none.status, 2, "{none:?}");
}

/// Programs of this size once overflowed the stack of a planner.
#[test]
fn programs_that_are_too_large_are_wrong_input() {
    let terms = format!("SELECT {}1;", "1+".repeat(100_000));
    let parentheses = format!("SELECT {}1{};", "(".repeat(100_000), ")".repeat(100_000));
    let long = format!("SELECT '{}';", "x".repeat(10 << 20));
    let workspace = numbers(1);
    for (name, program) in [
        ("terms.sql", terms),
        ("parentheses.sql", parentheses),
        ("long.sql", long),
    ] {
        workspace.write(name, &program);
        for command in ["check", "explain", "run"] {
            let began = Instant::now();
            let ended = workspace.run(&[command, name]);
            assert_eq!(ended.status, 2, "{command} {name}: {}", ended.stderr);
            assert!(ended.stderr.contains(name), "{command}: {}", ended.stderr);
            assert!(
                ended.stderr.len() < 10_000,
                "{command} {name} says too much"
            );
            let took = began.elapsed();
            assert!(took < Duration::from_secs(20), "{command} {name}: {took:?}");
        }
    }
}

#[test]
fn a_finished_job_says_what_has_come_since() {
    let workspace = numbers(10);
    let first = run(&workspace, &["copy.sql"]);
    assert_eq!(first.status, 0, "{first:?}");
    assert!(first.stderr.contains("10 rows"), "{first:?}");
    workspace.write("in/2.json", "{\"n\":10}\n");
    let second = run(&workspace, &["copy.sql"]);
    assert_eq!(second.status, 0, "{second:?}");
    for part in [
        "finished at",
        "10 rows",
        "1 splits have come since",
        "--fresh",
    ] {
        assert!(second.stderr.contains(part), "{part}: {}", second.stderr);
    }
    assert_eq!(workspace.lines("out").len(), 10);
}

#[test]
fn a_changed_program_is_told_what_has_changed() {
    let workspace = numbers(10);
    assert_eq!(run(&workspace, &["copy.sql"]).status, 0);
    workspace.write("copy.sql", &COPY.replace("SELECT n", "SELECT n * 7"));
    let refused = run(&workspace, &["copy.sql"]);
    assert_eq!(refused.status, 2, "{refused:?}");
    for part in ["\"copy\"", "* 7", "--fresh", "thalweg-data/copy"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
}
