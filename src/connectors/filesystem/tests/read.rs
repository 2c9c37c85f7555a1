//! Reading: order, bounds, growth, rotation, truncation, restart.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use arrow::datatypes::DataType;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Builder;

use super::{job, run, run_on, schema_of, table, values};
use crate::connectors::source;
use crate::runtime::{Enumerator, Result, SourceEvent, SourceFactory, SourceReader, Split};

const FOLLOW: [(&str, &str); 2] = [("format", "raw"), ("source.monitor-interval", "1 ms")];

/// A source with its enumerator and one reader.
struct Lab {
    enumerator: Box<dyn Enumerator>,
    reader: Box<dyn SourceReader>,
    known: Vec<Split>,
}

impl Lab {
    fn new(path: &Path, options: &[(&str, &str)]) -> Self {
        let table = table(path, DataType::Utf8, options);
        let factory = source("filesystem", &table, &job(1)).unwrap();
        Self {
            enumerator: factory.enumerator(),
            reader: factory.reader(&schema_of(&table)).unwrap(),
            known: Vec::new(),
        }
    }

    /// Looks once and gives everything to the reader; the names of what was found.
    async fn discover(&mut self) -> Vec<String> {
        let discovery = self.enumerator.discover(&self.known).await.unwrap();
        for split in &discovery.found {
            self.reader.add_split(split, None).await.unwrap();
        }
        let names = discovery
            .found
            .iter()
            .map(|split| split.id.clone())
            .collect();
        self.known.extend(discovery.found);
        names
    }

    /// The next event as a line.
    async fn event(&mut self) -> Result<String> {
        Ok(match self.reader.next().await? {
            SourceEvent::Rows {
                records, position, ..
            } => {
                format!("{} ->{}", values(&records).join(" "), position["offset"])
            }
            SourceEvent::Held => "held".to_owned(),
            SourceEvent::NotAtEnd { .. } => "not at end".to_owned(),
            SourceEvent::Watermark { .. } => "watermark".to_owned(),
            SourceEvent::AtEnd { .. } => "at end".to_owned(),
            SourceEvent::Finished { .. } => "finished".to_owned(),
        })
    }

    async fn expect(&mut self, events: &[&str]) {
        for expected in events {
            assert_eq!(self.event().await.unwrap(), *expected);
        }
    }
}

fn append(path: &Path, text: &str) {
    let mut file = File::options()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn set_modified(path: &Path, seconds: u64) {
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds))
        .unwrap();
}

/// Lines of many lengths, some of them too long for a record, and what comes of them: the
/// rows, and where the letters stand.
fn lines_of_many_lengths() -> (String, Vec<String>, Vec<u64>) {
    let (mut text, mut rows, mut letters) = (String::new(), Vec::new(), Vec::new());
    for n in 0..30_000_u32 {
        let length = if n % 9_000 == 8_999 {
            1_500_000
        } else {
            n % 97
        };
        let line = format!("{n}:{}", "x".repeat(length as usize));
        if length > 1 << 20 {
            letters.push(text.len() as u64);
        } else {
            rows.push(line.clone());
        }
        text.push_str(&line);
        text.push('\n');
    }
    text.push_str("the end");
    rows.push("the end".to_owned());
    (text, rows, letters)
}

#[test]
fn threads_keep_the_order_of_a_file() {
    let mut engine = Builder::new_multi_thread();
    engine.worker_threads(3);
    run_on(engine, async {
        let directory = TempDir::new().unwrap();
        let (text, rows, letters) = lines_of_many_lengths();
        fs::write(directory.path().join("a"), &text).unwrap();
        for block_size in ["80 kb", "4 mb"] {
            let options = [("format", "raw"), ("source.block-size", block_size)];
            let mut lab = Lab::new(directory.path(), &options);
            lab.discover().await;
            let mut seen = (Vec::new(), Vec::new());
            let (mut read, mut positions) = (0, Vec::new());
            while let SourceEvent::Rows {
                records,
                position,
                dead_letters,
                bytes,
                ..
            } = lab.reader.next().await.unwrap()
            {
                read += bytes;
                assert_eq!(position["offset"], read);
                seen.0.extend(values(&records));
                let places = dead_letters.into_iter().map(|letter| letter.position);
                seen.1.extend(places.map(|place| place.unwrap().offset));
                positions.push((position, seen.0.len()));
            }
            assert_eq!(read, text.len() as u64);
            assert!(
                seen == (rows.clone(), letters.clone()),
                "in blocks of {block_size}"
            );
            // And from any position on.
            let (position, done) = positions.swap_remove(positions.len() / 2);
            let mut lab = Lab::new(directory.path(), &options);
            let split = lab.enumerator.discover(&[]).await.unwrap().found.remove(0);
            lab.reader.add_split(&split, Some(&position)).await.unwrap();
            let mut rest = Vec::new();
            while let SourceEvent::Rows { records, .. } = lab.reader.next().await.unwrap() {
                rest.extend(values(&records));
            }
            assert!(rest == rows[done..], "from {position} on");
        }
    });
}

#[test]
fn a_bounded_read_takes_files_in_natural_order_and_ends() {
    run(async {
        let directory = TempDir::new().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir_all(at("sub/.hidden")).unwrap();
        for (name, text) in [
            ("part-10", "d\r\ne"),
            ("part-9", "a\nb\n"),
            ("sub/x", "f\n"),
            ("empty", ""),
            (".hidden", "no\n"),
            ("_SUCCESS", "no\n"),
            ("sub/.hidden/y", "no\n"),
        ] {
            fs::write(at(name), text).unwrap();
        }
        let mut lab = Lab::new(
            directory.path(),
            &[("format", "raw"), ("source.block-size", "3")],
        );
        let discovery = lab.enumerator.discover(&[]).await.unwrap();
        assert!(discovery.complete);
        let names: Vec<_> = discovery
            .found
            .iter()
            .map(|split| split.id.as_str())
            .collect();
        assert_eq!(names, ["empty", "part-9", "part-10", "sub/x"]);
        // What is written after the first look belongs to the next run.
        append(&at("part-9"), "late\n");
        fs::write(at("part-11"), "late\n").unwrap();
        let mut rows = Vec::new();
        for split in &discovery.found {
            lab.reader.add_split(split, None).await.unwrap();
            loop {
                match lab.reader.next().await.unwrap() {
                    SourceEvent::Rows { records, .. } => rows.extend(values(&records)),
                    SourceEvent::Finished { split: finished } => {
                        assert_eq!(finished, split.id);
                        break;
                    }
                    other => panic!("a bounded split finishes, but {other:?}"),
                }
            }
        }
        assert_eq!(rows, ["a", "b", "d", "e", "f"]);
        let again = lab.enumerator.discover(&discovery.found).await.unwrap();
        assert_eq!((again.found.len(), again.complete), (0, true));
    });
}

#[test]
fn a_path_may_be_a_file_or_match_a_pattern() {
    run(async {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("a.log");
        fs::write(&file, "1\n").unwrap();
        fs::write(directory.path().join("b.txt"), "2\n").unwrap();
        let mut lab = Lab::new(&file, &[("format", "raw")]);
        assert_eq!(lab.discover().await, ["a.log"]);
        lab.expect(&["1 ->2", "finished"]).await;
        let pattern = ("source.path.regex-pattern", ".*/[a-z]\\.txt");
        let mut lab = Lab::new(directory.path(), &[("format", "raw"), pattern]);
        assert_eq!(lab.discover().await, ["b.txt"]);
        let mut lab = Lab::new(&directory.path().join("none"), &[("format", "raw")]);
        let error = lab.enumerator.discover(&[]).await.unwrap_err();
        assert!(error.to_string().contains("No such file"), "{error}");
    });
}

#[test]
fn a_followed_file_is_read_as_it_grows() {
    run(async {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("app.log");
        fs::write(&file, "a\nb").unwrap();
        fs::write(directory.path().join("empty"), "").unwrap();
        let mut lab = Lab::new(directory.path(), &FOLLOW);
        assert_eq!(
            lab.discover().await.len(),
            1,
            "an empty file is found when it has grown"
        );
        lab.expect(&["a ->2", "at end"]).await;
        append(&file, "c\nd\n");
        lab.expect(&["bc d ->7", "at end"]).await;
        assert!(
            lab.discover().await.is_empty(),
            "a file that has grown is no new file"
        );
        append(&directory.path().join("empty"), "x\n");
        assert_eq!(lab.discover().await.len(), 1);
        lab.expect(&["x ->2", "at end"]).await;
    });
}

#[test]
fn followed_files_come_in_the_order_of_their_changes() {
    run(async {
        let directory = TempDir::new().unwrap();
        for (name, modified) in [("a", 300), ("b", 100), ("c", 200)] {
            fs::write(directory.path().join(name), format!("{name}\n")).unwrap();
            set_modified(&directory.path().join(name), modified);
        }
        let mut lab = Lab::new(directory.path(), &FOLLOW);
        let found = lab.discover().await;
        let firsts: Vec<_> = found.iter().map(|id| &id[..2]).collect();
        assert_eq!(firsts, ["b@", "c@", "a@"]);
    });
}

#[test]
fn a_rotated_file_is_read_on_and_its_successor_from_its_start() {
    run(async {
        let directory = TempDir::new().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("app.log"), "old 1\n").unwrap();
        let mut lab = Lab::new(&at("app.log"), &FOLLOW);
        lab.discover().await;
        lab.expect(&["old 1 ->6", "at end"]).await;
        fs::rename(at("app.log"), at("app.log.1")).unwrap();
        assert!(
            lab.discover().await.is_empty(),
            "the moment between two files"
        );
        append(&at("app.log.1"), "old 2\n");
        lab.expect(&["old 2 ->12", "at end"]).await;
        fs::write(at("app.log"), "new 1\n").unwrap();
        assert_eq!(lab.discover().await.len(), 1);
        lab.expect(&["new 1 ->6", "at end"]).await;
        // After a restart the rotated file is found under its new name.
        append(&at("app.log.1"), "old 3\n");
        let old = lab.known[0].clone();
        let mut lab = Lab::new(&at("app.log"), &FOLLOW);
        lab.reader
            .add_split(&old, Some(&serde_json::json!({"offset": 12})))
            .await
            .unwrap();
        lab.expect(&["old 3 ->18", "at end"]).await;
    });
}

#[test]
fn a_deleted_file_is_read_to_its_end() {
    run(async {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("app.log");
        fs::write(&file, "a\n").unwrap();
        let mut lab = Lab::new(directory.path(), &FOLLOW);
        lab.discover().await;
        lab.expect(&["a ->2", "at end"]).await;
        append(&file, "b\nlast");
        fs::remove_file(&file).unwrap();
        // The growth and the deletion may be seen at once or one after the other.
        let mut events = Vec::new();
        while events.last().is_none_or(|event| event != "finished") {
            events.push(lab.event().await.unwrap());
        }
        let rows: Vec<_> = events
            .iter()
            .filter(|event| event.contains("->"))
            .cloned()
            .collect();
        assert!(
            rows == ["b last ->8"] || rows == ["b ->4", "last ->8"],
            "{events:?}"
        );
        // It is no error to find it gone after a restart.
        let split = lab.known[0].clone();
        let mut lab = Lab::new(directory.path(), &FOLLOW);
        lab.reader
            .add_split(&split, Some(&serde_json::json!({"offset": 4})))
            .await
            .unwrap();
        lab.expect(&["finished"]).await;
    });
}

#[test]
fn a_truncated_file_is_noticed() {
    run(async {
        for (policy, successor) in [("fail", "x\n"), ("restart", "x\n"), ("fail", "xy xy xy\n")] {
            let directory = TempDir::new().unwrap();
            let file = directory.path().join("app.log");
            fs::write(&file, "a\nb\n").unwrap();
            let options = [FOLLOW[0], FOLLOW[1], ("source.on-truncation", policy)];
            let mut lab = Lab::new(directory.path(), &options);
            lab.discover().await;
            lab.expect(&["a b ->4", "at end"]).await;
            // The same inode with other content, shorter or longer than before.
            fs::write(&file, successor).unwrap();
            let next = lab.event().await;
            if policy == "fail" {
                let error = next.unwrap_err().to_string();
                assert!(
                    error.contains("was truncated or overwritten after 4 bytes"),
                    "{error}"
                );
            } else {
                assert_eq!(next.unwrap(), "finished");
                assert_eq!(lab.discover().await.len(), 1);
                lab.expect(&["x ->2", "at end"]).await;
            }
            // A reader that was away meanwhile notices it too.
            let split = lab.known[0].clone();
            let mut lab = Lab::new(directory.path(), &options);
            let position = serde_json::json!({"offset": 4});
            let added = lab.reader.add_split(&split, Some(&position)).await;
            assert_eq!(added.is_err(), policy == "fail", "{policy}");
        }
    });
}

#[test]
fn a_bounded_file_that_has_changed_stops_the_read() {
    run(async {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("a");
        for (change, expected) in [
            (Some("zz\nb\nc\n"), "is gone or is another file"),
            (None, "is gone or is another file"),
        ] {
            fs::write(&file, "aa\nb\nc\n").unwrap();
            let mut lab = Lab::new(directory.path(), &[("format", "raw")]);
            let split = lab.enumerator.discover(&[]).await.unwrap().found.remove(0);
            match change {
                Some(text) => fs::write(&file, text).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
            let error = lab
                .reader
                .add_split(&split, None)
                .await
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{error}");
        }
        let long = "x".repeat(2_000) + "\n";
        fs::write(&file, &long).unwrap();
        let mut lab = Lab::new(directory.path(), &[("format", "raw")]);
        let split = lab.enumerator.discover(&[]).await.unwrap().found.remove(0);
        fs::write(&file, &long[..1_500]).unwrap();
        lab.reader.add_split(&split, None).await.unwrap();
        let error = lab.event().await.unwrap_err().to_string();
        assert!(error.contains("has 1500 bytes but had 2001"), "{error}");
    });
}

#[test]
fn a_restart_at_any_position_reads_the_rest() {
    run(async {
        let directory = TempDir::new().unwrap();
        let lines: Vec<String> = (0..20_000).map(|n| format!("line {n}")).collect();
        fs::write(directory.path().join("a"), lines.join("\n")).unwrap();
        let options = [("format", "raw"), ("source.block-size", "1000")];
        let mut lab = Lab::new(directory.path(), &options);
        lab.discover().await;
        let mut straight: Vec<String> = Vec::new();
        let mut restarts: Vec<(Value, usize)> = Vec::new();
        while let SourceEvent::Rows {
            records, position, ..
        } = lab.reader.next().await.unwrap()
        {
            straight.extend(values(&records));
            restarts.push((position, straight.len()));
        }
        assert_eq!(straight, lines);
        for (position, seen) in restarts.iter().step_by(37) {
            let mut again = Lab::new(directory.path(), &options);
            again
                .reader
                .add_split(&lab.known[0], Some(position))
                .await
                .unwrap();
            let mut rest = Vec::new();
            while let SourceEvent::Rows { records, .. } = again.reader.next().await.unwrap() {
                rest.extend(values(&records));
            }
            assert_eq!(rest, lines[*seen..], "from {position}");
        }
    });
}

#[test]
fn a_call_that_is_dropped_loses_nothing() {
    run(async {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("a");
        fs::write(&file, "0\n").unwrap();
        let mut lab = Lab::new(directory.path(), &FOLLOW);
        lab.discover().await;
        let (mut rows, mut dropped) = (Vec::new(), 0);
        for n in 1..200 {
            append(&file, &format!("{n}\n"));
            while rows.len() <= n {
                // The shortest wait there is, so that most calls are dropped.
                match tokio::time::timeout(Duration::ZERO, lab.reader.next()).await {
                    Err(_) => dropped += 1,
                    Ok(Ok(SourceEvent::Rows { records, .. })) => rows.extend(values(&records)),
                    Ok(event) => {
                        event.unwrap();
                    }
                }
            }
        }
        assert_eq!(rows, (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
        assert!(dropped > 0);
    });
}

#[test]
fn many_files_are_read_although_few_at_a_time() {
    run(async {
        let directory = TempDir::new().unwrap();
        for n in 0..50 {
            fs::write(directory.path().join(format!("{n}")), format!("{n}\n")).unwrap();
        }
        let mut lab = Lab::new(directory.path(), &FOLLOW);
        assert_eq!(lab.discover().await.len(), 50);
        let (mut rows, mut ends) = (Vec::new(), 0);
        while ends < 50 {
            match lab.reader.next().await.unwrap() {
                SourceEvent::Rows { records, .. } => rows.extend(values(&records)),
                SourceEvent::AtEnd { .. } => ends += 1,
                other => panic!("a followed file does not finish, but {other:?}"),
            }
        }
        rows.sort_by_key(|row| row.parse::<u32>().unwrap());
        assert_eq!(rows, (0..50).map(|n| n.to_string()).collect::<Vec<_>>());
    });
}

#[test]
fn what_the_options_say_is_what_the_runtime_sees() {
    let directory = TempDir::new().unwrap();
    for (options, bounded, holds, splits) in [
        (&[("format", "raw")][..], true, true, 1),
        (&FOLLOW, false, false, usize::MAX),
        (
            &[("format", "raw"), ("source.files-in-time-order", "true")],
            true,
            false,
            1,
        ),
        (
            &[
                FOLLOW[0],
                FOLLOW[1],
                ("source.files-in-time-order", "false"),
            ],
            false,
            true,
            usize::MAX,
        ),
    ] {
        let table = table(directory.path(), DataType::Utf8, options);
        let factory: std::sync::Arc<dyn SourceFactory> =
            source("filesystem", &table, &job(1)).unwrap();
        let found = (
            factory.bounded(),
            factory.unstarted_splits_hold_watermark(),
            factory.splits_per_reader(),
        );
        assert_eq!(found, (bounded, holds, splits), "{options:?}");
    }
}
