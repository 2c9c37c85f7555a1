//! The port on which a run answers, and that it does so under load.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::numbers;
use crate::process::{Workspace, wait_until};

/// As many rows as the machine can make, so that no worker is ever idle.
const BUSY: &str = "\
CREATE TABLE made (n BIGINT)
WITH ('connector' = 'datagen');
CREATE TABLE gone (n BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO gone SELECT n FROM made WHERE n > 0;
";

#[test]
fn all_endpoints_answer_while_every_worker_is_busy() {
    let workspace = Workspace::new();
    workspace.write("busy.sql", BUSY);
    let running = workspace.start(&["--data-dir", "state", "busy.sql"]);
    running.wait_until_ready();
    let overview = running.get("/jobs/overview").1;
    let id = overview.split("\"jid\":\"").nth(1).expect("a job");
    let id = &id[..id.find('"').unwrap()];
    let rows_made = || {
        let metrics = running.get("/metrics").1;
        let counts = metrics.lines().filter(|line| {
            line.starts_with("thalweg_")
                && line.contains("records_in_total")
                && !line.starts_with('#')
        });
        let counts = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        counts.sum::<f64>()
    };
    wait_until("rows are made", || rows_made() > 100_000.0);
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/overview",
        "/jobs/overview",
        &format!("/jobs/{id}"),
    ] {
        for _ in 0..5 {
            let asked = Instant::now();
            let (status, body) = running.get(path);
            assert_eq!(status, 200, "{path}: {body}");
            assert!(!body.is_empty(), "{path}");
            let took = asked.elapsed();
            assert!(took < Duration::from_secs(2), "{path}: {took:?}");
        }
    }
    let (status, body) = running.get("/jobs/00000000000000000000000000000000");
    assert_eq!(status, 404, "{body}");
    assert_eq!(running.terminate().status, 0);
}

/// The default port is nobody's in particular: a second run takes another one.
#[test]
fn a_default_port_that_is_taken_is_no_error() {
    // If this fails somebody else has it, which is as good.
    let _held = TcpListener::bind("127.0.0.1:8081");
    let workspace = numbers(10);
    let ended = workspace.run(&["run", "print.sql"]);
    assert_eq!(ended.status, 0, "{ended:?}");
    assert!(
        ended.stderr.contains("listening on http://127.0.0.1:"),
        "{ended:?}"
    );
    assert!(!ended.stderr.contains("127.0.0.1:8081\""), "{ended:?}");
}

/// `thalweg run … | head`
#[test]
fn a_select_whose_reader_has_gone_is_a_clean_stop() {
    let workspace = numbers(100_000);
    workspace.write(
        "select.sql",
        "CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'in', \
         'format' = 'json');\nSELECT n FROM numbers;\n",
    );
    for (format, first) in [("json", "{\"n\":0}\n"), ("csv", "0\n")] {
        let running = workspace.start(&["--format", format, "select.sql"]);
        let ended = running.read_one_line();
        assert_eq!(
            (ended.status, ended.stdout.as_str()),
            (0, first),
            "{ended:?}"
        );
    }
}
