//! The binary from outside: what it prints, what it leaves, how it exits.

mod disk;
mod follow;
mod listener;
#[expect(dead_code, reason = "the tests with services alone use the rest")]
mod process;
mod rows;

use process::{Ended, Workspace};

/// Reads the folder `in` and prints what it holds.
const PRINT: &str = "\
CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json');
CREATE TABLE seen (n BIGINT) WITH ('connector' = 'print');
INSERT INTO seen SELECT n FROM numbers;
";

/// Reads the folder `in` into the folder `out`.
const COPY: &str = "\
CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json');
CREATE TABLE copies (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'out', 'format' = 'json');
INSERT INTO copies SELECT n FROM numbers;
";

/// A workspace whose folder `in` holds the numbers below `rows`.
fn numbers(rows: u32) -> Workspace {
    let workspace = Workspace::new();
    let lines: Vec<_> = (0..rows).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    workspace.write("in/1.json", &lines.concat());
    workspace.write("print.sql", PRINT);
    workspace.write("copy.sql", COPY);
    workspace
}

const FREE_PORT: [&str; 3] = ["run", "--listen", "127.0.0.1:0"];

fn run(workspace: &Workspace, arguments: &[&str]) -> Ended {
    workspace.run(&[&FREE_PORT, arguments].concat())
}

#[test]
fn every_error_of_a_program_is_shown_with_its_place() {
    let workspace = Workspace::new();
    workspace.write(
        "wrong.sql",
        "CREATE TABLE a (n BIGINT) WITH ('connector' = 'carrier-pigeon');\n\
         INSERT INTO a SELECT nothing FROM nowhere;\n\
         SELECT 1 +;\n",
    );
    for command in ["check", "explain", "run"] {
        let ended = workspace.run(&[command, "wrong.sql"]);
        assert_eq!(ended.status, 2, "{command}: {ended:?}");
        assert_eq!(ended.stdout, "", "{command}");
        for line in ["wrong.sql:2:", "wrong.sql:3:"] {
            assert!(ended.stderr.contains(line), "{command}: {}", ended.stderr);
        }
    }
    assert!(!workspace.path("thalweg-data").exists());
}

#[test]
fn an_empty_program_is_wrong_input() {
    let workspace = Workspace::new();
    workspace.write("empty.sql", "-- nothing\n");
    for command in ["check", "explain", "run"] {
        let ended = workspace.run(&[command, "empty.sql"]);
        assert_eq!(ended.status, 2, "{command}: {ended:?}");
    }
    assert_eq!(workspace.run_with_input(&["check", "-"], "").status, 2);
}

#[test]
fn an_address_that_is_taken_or_open_to_all_is_wrong_input() {
    let workspace = numbers(1);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (address, reason) in [
        (taken.as_str(), "set --listen to another port"),
        ("0.0.0.0:0", "no authentication yet"),
        ("nonsense", "expected an address and a port"),
    ] {
        let ended = workspace.run(&["run", "--listen", address, "print.sql"]);
        assert_eq!(ended.status, 2, "{ended:?}");
        assert!(ended.stderr.contains(reason), "{ended:?}");
    }
}

#[test]
fn a_bounded_program_ends_by_itself_with_all_its_rows() {
    let workspace = numbers(100);
    let ended = workspace.run_with_input(&[&FREE_PORT[..], &["-"]].concat(), PRINT);
    assert_eq!(ended.status, 0, "{ended:?}");
    let mut rows: Vec<_> = ended.stdout.lines().collect();
    rows.sort_by_key(|row| row.len());
    let expected: Vec<_> = (0..100).map(|n| format!("+I[{n}]")).collect();
    assert_eq!(rows, expected);
}

#[test]
fn a_finished_job_is_not_run_again() {
    let workspace = numbers(10);
    let first = run(&workspace, &["copy.sql"]);
    assert_eq!(first.status, 0, "{first:?}");
    let written = workspace.lines("out");
    assert_eq!(written.len(), 10, "{written:?}");

    let second = run(&workspace, &["copy.sql"]);
    assert_eq!(second.status, 0, "{second:?}");
    assert!(second.stderr.contains("finished at"), "{second:?}");
    assert_eq!(workspace.lines("out"), written);
}

#[test]
fn a_changed_program_is_refused_on_old_state_unless_it_starts_fresh() {
    let workspace = numbers(10);
    assert_eq!(run(&workspace, &["copy.sql"]).status, 0);
    workspace.write("copy.sql", &COPY.replace("SELECT n", "SELECT n + 100"));

    let refused = run(&workspace, &["copy.sql"]);
    assert_eq!(refused.status, 2, "{refused:?}");
    assert!(refused.stderr.contains("--fresh"), "{refused:?}");
    assert_eq!(workspace.lines("out").len(), 10);

    let fresh = run(&workspace, &["--fresh", "copy.sql"]);
    assert_eq!(fresh.status, 0, "{fresh:?}");
    assert_eq!(workspace.lines("out").len(), 20);
}

#[test]
fn a_closed_pipe_is_a_clean_stop() {
    let workspace = numbers(100_000);
    let ended = workspace.start(&["print.sql"]).read_one_line();
    assert_eq!(ended.status, 0, "{ended:?}");
    assert_eq!(ended.stdout, "+I[0]\n");
}

#[test]
fn a_running_job_answers_and_stops_on_sigterm_with_status_0() {
    let workspace = numbers(10);
    workspace.write("follow.sql", &follow());
    let running = workspace.start(&["--data-dir", "state", "follow.sql"]);
    assert_eq!(running.get("/healthz").0, 200);
    let (status, overview) = running.get("/jobs/overview");
    assert_eq!(status, 200);
    assert!(overview.contains("\"jobs\":[{\"jid\""), "{overview}");
    assert!(running.get("/metrics").1.contains("thalweg_job_state"));

    let ended = running.terminate();
    assert_eq!(ended.status, 0, "{ended:?}");
    assert!(ended.stderr.contains("stopped"), "{ended:?}");
    assert!(workspace.path("state").is_dir());
}

#[test]
fn a_job_that_is_busy_stops_on_sigterm_with_its_last_checkpoint() {
    let workspace = Workspace::new();
    workspace.write("demo.sql", include_str!("../../demo/demo.sql"));
    let running = workspace.start(&["--data-dir", "state", "demo.sql"]);
    running.wait_until_ready();
    let ended = running.terminate();
    assert_eq!(ended.status, 0, "{ended:?}");
    assert!(ended.stderr.contains("stopped"), "{ended:?}");
}

#[test]
fn a_second_process_is_kept_out_of_a_data_directory() {
    let workspace = numbers(10);
    workspace.write("follow.sql", &follow());
    let first = workspace.start(&["--data-dir", "state", "follow.sql"]);
    first.wait_until_ready();
    let second = run(&workspace, &["--data-dir", "state", "follow.sql"]);
    assert_ne!(second.status, 0, "{second:?}");
    assert!(second.stderr.contains("in use"), "{second:?}");
    assert_eq!(first.terminate().status, 0);
}

#[test]
fn what_explain_asks_for_is_printed_and_nothing_is_run() {
    let workspace = numbers(1);
    let program = PRINT.replace("INSERT", "EXPLAIN INSERT");
    let ended = workspace.run_with_input(&["run", "-"], &program);
    assert_eq!(ended.status, 0, "{ended:?}");
    assert!(ended.stdout.contains("Source numbers"), "{ended:?}");
    assert!(!ended.stdout.contains("+I["), "{ended:?}");
}

#[test]
fn programs_of_the_documents_are_sound() {
    let workspace = Workspace::new();
    let demo = include_str!("../../demo/demo.sql");
    let readme = include_str!("../../README.md");
    let blocks = readme.split("```sql\n").skip(1);
    let programs: Vec<_> = blocks
        .filter_map(|block| block.split("```").next())
        .collect();
    assert!(!programs.is_empty());
    for program in programs.into_iter().chain([demo]) {
        let ended = workspace.run_with_input(&["check", "-"], program);
        assert_eq!(ended.status, 0, "{}", ended.stderr);
    }
}

#[test]
fn a_connector_can_be_looked_up() {
    let workspace = Workspace::new();
    let listed = workspace.run(&["connectors", "list"]);
    assert_eq!(listed.status, 0);
    for line in listed.stdout.lines() {
        let name = line.split_whitespace().next().unwrap();
        let shown = workspace.run(&["connectors", "show", name]);
        assert_eq!(shown.status, 0, "{shown:?}");
        assert!(
            shown.stdout.contains(&format!("'connector' = '{name}'")),
            "{shown:?}"
        );
    }
    assert_eq!(workspace.run(&["connectors", "show", "no"]).status, 2);
}

/// A program that follows the folder `in`.
fn follow() -> String {
    COPY.replacen(
        "'path' = 'in'",
        "'path' = 'in', 'source.monitor-interval' = '100 ms'",
        1,
    )
}
