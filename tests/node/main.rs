//! The binary from outside: what it prints, what it leaves, how it exits.

mod process;

use process::Workspace;

const SEEN: &str = "CREATE TABLE seen (n BIGINT) WITH ('connector' = 'print');\n";

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
    let workspace = Workspace::new();
    workspace.write("clicks.sql", &bounded(10));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (address, reason) in [
        (taken.as_str(), "set --listen to another port"),
        ("0.0.0.0:0", "no authentication yet"),
        ("nonsense", "expected an address and a port"),
    ] {
        let ended = workspace.run(&["run", "--listen", address, "clicks.sql"]);
        assert_eq!(ended.status, 2, "{ended:?}");
        assert!(ended.stderr.contains(reason), "{ended:?}");
    }
}

#[test]
fn a_bounded_program_ends_by_itself_with_all_its_rows() {
    let workspace = Workspace::new();
    let ended = workspace.run_with_input(&["run", "--listen", "127.0.0.1:0", "-"], &bounded(100));
    assert_eq!(ended.status, 0, "{ended:?}");
    let rows = ended.stdout.lines().filter(|line| line.starts_with("+I["));
    assert_eq!(rows.count(), 100, "{ended:?}");
}

#[test]
fn a_running_job_answers_and_stops_on_sigterm_with_status_0() {
    let workspace = Workspace::new();
    workspace.write("endless.sql", ENDLESS);
    let running = workspace.start(&["--data-dir", "state", "endless.sql"]);
    assert_eq!(running.get("/healthz").0, 200);
    let (status, overview) = running.get("/jobs/overview");
    assert_eq!(status, 200);
    assert!(overview.contains("\"name\":\"endless\""), "{overview}");
    assert!(running.get("/metrics").1.contains("thalweg_job_state"));

    let ended = running.terminate();
    assert_eq!(ended.status, 0, "{ended:?}");
    assert!(ended.stderr.contains("stopped"), "{ended:?}");
    assert!(workspace.path("state").is_dir());
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

const ENDLESS: &str = "\
CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '100');
CREATE TABLE nothing (n BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO nothing SELECT n FROM numbers;
";

/// A program that prints `rows` rows and ends.
fn bounded(rows: u32) -> String {
    format!(
        "CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', \
         'number-of-rows' = '{rows}');\n{SEEN}INSERT INTO seen SELECT n FROM numbers;\n"
    )
}
