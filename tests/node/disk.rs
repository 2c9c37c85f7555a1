//! A disk that is full: one clear error, and nothing is lost once there is room.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Workspace;
use crate::{PRINT, run};

/// Copies the folder `in` to the folder `full/out`, and does not try again.
const COPY_TO_FULL: &str = "\
SET 'restart-strategy.type' = 'none';
SET 'execution.checkpointing.interval' = '20 ms';
CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json');
CREATE TABLE copies (n BIGINT) WITH ('connector' = 'filesystem', 'path' = 'OUT', 'format' = 'json');
INSERT INTO copies SELECT n FROM numbers;
";
const ROWS: usize = 300_000;

/// A small file system of its own, unmounted at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it; `None` where that is not allowed.
    fn mount(folder: &Path, megabytes: u32) -> Option<Self> {
        fs::create_dir(folder).expect("a folder");
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "thalweg-test"])
            .arg(folder)
            .output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        mounted.then(|| Self(folder.to_owned()))
    }

    /// Leaves about this much room, by a file that takes the rest.
    fn leave(&self, kilobytes: u64) {
        let free = nix::sys::statvfs::statvfs(&self.0).expect("a file system");
        let bytes = free.blocks_available() * free.fragment_size() - kilobytes * 1_024;
        let ballast = vec![b'x'; usize::try_from(bytes).expect("a small disk")];
        fs::write(self.0.join("ballast"), ballast).expect("a written file");
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("ballast")).expect("a removed file");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

/// Fills the disk on which `full` of the two, state or output, lies.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn check(full: &str, room_kilobytes: u64) {
    let workspace = Workspace::new();
    let Some(disk) = SmallDisk::mount(&workspace.path("small"), 64) else {
        println!("SKIPPED: a disk can be filled only where the test may mount one (root)");
        return;
    };
    let (state, out) = match full {
        "state" => ("small/state", "out"),
        _ => ("state", "small/out"),
    };
    let lines: Vec<_> = (0..ROWS).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    workspace.write("in/1.json", &lines.concat());
    workspace.write("copy.sql", &COPY_TO_FULL.replace("OUT", out));
    disk.leave(room_kilobytes);

    let refused = run(&workspace, &["--data-dir", state, "copy.sql"]);
    assert_eq!(refused.status, 1, "{refused:?}");
    let errors = refused
        .stderr
        .lines()
        .filter(|line| line.starts_with("error"));
    let errors: Vec<_> = errors.collect();
    assert_eq!(errors.len(), 1, "{}", refused.stderr);
    let told = ["disk is full", "No space left on device"];
    assert!(
        told.iter().any(|told| errors[0].contains(told)),
        "{errors:?}"
    );
    assert!(errors[0].contains("small/"), "{errors:?}");

    disk.make_room();
    let ended = run(&workspace, &["--data-dir", state, "copy.sql"]);
    assert_eq!(ended.status, 0, "{ended:?}");
    let mut copied = workspace.lines(out);
    copied.sort_by_key(|line| (line.len(), line.clone()));
    let expected: Vec<_> = lines.iter().map(|line| line.trim_end()).collect();
    assert!(copied == expected, "{} of {ROWS} rows", copied.len());
}

#[test]
fn a_full_disk_under_the_output_loses_nothing() {
    check("out", 1_000);
}

#[test]
fn a_full_disk_under_the_state_loses_nothing() {
    check("state", 100);
}

#[test]
fn output_to_a_full_device_is_an_error() {
    let workspace = Workspace::new();
    workspace.write("in/1.json", &"{\"n\":1}\n".repeat(10_000));
    workspace.write("print.sql", PRINT);
    let ended = workspace.run_to_file(
        &["run", "--listen", "127.0.0.1:0", "print.sql"],
        "/dev/full",
    );
    assert_eq!(ended.status, 1, "{ended:?}");
    assert!(
        ended.stderr.contains("No space left on device"),
        "{ended:?}"
    );
}
