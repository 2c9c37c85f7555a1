//! Tables that are partitioned: directories written, settled after a crash, and read.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use tempfile::TempDir;

use super::{job, names, run};
use crate::connectors::{TableOptions, sink, source};
use crate::formats::row_to_json;
use crate::runtime::{PartitionFilter, SinkTask, SourceEvent};
use crate::stream::{Barrier, BarrierKind, Batch, CheckpointId};

/// A table of a value between two columns that it is partitioned by.
fn table(path: &Path) -> TableOptions {
    let mut table = super::table(path, DataType::Int64, &[("format", "csv")]);
    table.schema = Arc::new(Schema::new(vec![
        Field::new("day", DataType::Utf8, true),
        Field::new("v", DataType::Int64, true),
        Field::new("h", DataType::Int32, true),
    ]));
    table.partition_keys = vec!["day".to_owned(), "h".to_owned()];
    table
}

fn batch(rows: &[(Option<&str>, i64, Option<i32>)]) -> Batch {
    let days: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<StringArray>());
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1)));
    let hours: ArrayRef = Arc::new(rows.iter().map(|row| row.2).collect::<Int32Array>());
    let schema = table(Path::new("/t")).schema;
    Batch::new(RecordBatch::try_new(schema, vec![days, values, hours]).unwrap())
}

const fn barrier(checkpoint: u64, kind: BarrierKind) -> Barrier {
    Barrier {
        checkpoint: CheckpointId(checkpoint),
        kind,
    }
}

/// The visible files below a directory, each with its directory and its text.
fn written(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for day in names(root) {
        for hour in names(&root.join(&day)) {
            let directory = root.join(&day).join(&hour);
            for name in names(&directory) {
                let text = fs::read_to_string(directory.join(&name)).unwrap();
                let hidden = if name.starts_with('.') { "hidden " } else { "" };
                found.push(format!("{hidden}{day}/{hour}: {}", text.replace('\n', " ")));
            }
        }
    }
    found
}

#[test]
fn rows_are_below_the_directories_of_their_values() {
    run(async {
        let directory = TempDir::new().unwrap();
        let factory = sink("filesystem", &table(directory.path()), &job(1)).unwrap();
        let task = SinkTask {
            index: 0,
            restored: CheckpointId(0),
        };
        let mut sink = factory.sink(task).unwrap();
        let rows = [
            (Some("1/2"), 1, Some(7)),
            (None, 2, Some(8)),
            (Some("1/2"), 3, Some(7)),
            (Some(""), 4, None),
        ];
        sink.write(batch(&rows)).await.unwrap();
        let first = sink.prepare(barrier(1, BarrierKind::Interval)).await;
        let first = first.unwrap();
        assert_eq!((first.publish.len(), first.open.len()), (0, 3));
        sink.write(batch(&[(Some("1/2"), 5, Some(7)), (Some("x"), 6, Some(0))]))
            .await
            .unwrap();
        let last = sink.prepare(barrier(2, BarrierKind::Last)).await.unwrap();
        assert_eq!((last.publish.len(), last.open.len()), (4, 0));
        assert!(
            written(directory.path())
                .iter()
                .all(|file| file.starts_with("hidden")),
            "published before it was decided"
        );
        let committer = factory.committer().unwrap();
        for _ in 0..2 {
            committer.publish(&last.publish).await.unwrap();
        }
        assert_eq!(
            written(directory.path()),
            [
                "day=1%2F2/h=7: 1 3 5 ",
                "day=__DEFAULT_PARTITION__/h=8: 2 ",
                "day=__DEFAULT_PARTITION__/h=__DEFAULT_PARTITION__: 4 ",
                "day=x/h=0: 6 ",
            ]
        );
    });
}

#[test]
fn recovery_settles_every_partition() {
    run(async {
        let directory = TempDir::new().unwrap();
        let factory = sink("filesystem", &table(directory.path()), &job(1)).unwrap();
        let task = SinkTask {
            index: 0,
            restored: CheckpointId(0),
        };
        let mut sink = factory.sink(task).unwrap();
        let rows = [(Some("a"), 1, Some(1)), (Some("b"), 2, Some(2))];
        sink.write(batch(&rows)).await.unwrap();
        let first = sink.prepare(barrier(1, BarrierKind::Interval)).await;
        let first = first.unwrap();
        // Behind the checkpoint: rows of a file that it has, and of one that it has not.
        let rows = [(Some("a"), 3, Some(1)), (Some("c"), 4, Some(3))];
        sink.write(batch(&rows)).await.unwrap();
        sink.prepare(barrier(2, BarrierKind::Interval))
            .await
            .unwrap();
        drop(sink);
        let committer = factory.committer().unwrap();
        committer.recover(&[], &first.open).await.unwrap();
        assert_eq!(
            written(directory.path()),
            ["day=a/h=1: 1 ", "day=b/h=2: 2 "]
        );
    });
}

#[test]
fn a_source_reads_the_values_of_the_directories() {
    let root = TempDir::new().unwrap();
    for (directory, text) in [
        ("day=1%2F2/h=7", "1\n2\n"),
        ("day=__DEFAULT_PARTITION__/h=0", "3\n"),
        ("day=%25/h=__DEFAULT_PARTITION__", "4\n"),
    ] {
        let directory = root.path().join(directory);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("f.csv"), text).unwrap();
    }
    let table = table(root.path());
    let factory = source("filesystem", &table, &job(1)).unwrap();
    let columns = |names: &[&str]| {
        let fields = names
            .iter()
            .map(|name| table.schema.field_with_name(name).unwrap().clone());
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    };
    for (read, expected) in [
        (
            &["day", "v", "h"][..],
            &[
                r#"{"day":"%","v":4,"h":null}"#,
                r#"{"day":"1/2","v":1,"h":7}"#,
                r#"{"day":"1/2","v":2,"h":7}"#,
                r#"{"day":null,"v":3,"h":0}"#,
            ][..],
        ),
        (
            &["h"],
            &[r#"{"h":null}"#, r#"{"h":7}"#, r#"{"h":7}"#, r#"{"h":0}"#],
        ),
        (
            &["v"],
            &[r#"{"v":4}"#, r#"{"v":1}"#, r#"{"v":2}"#, r#"{"v":3}"#],
        ),
    ] {
        run(async {
            let mut found = Vec::new();
            let discovery = factory.enumerator().discover(&[]).await.unwrap();
            for split in &discovery.found {
                let mut reader = factory.reader(&columns(read)).unwrap();
                reader.add_split(split, None).await.unwrap();
                loop {
                    match reader.next().await.unwrap() {
                        SourceEvent::Rows { records, .. } => {
                            let rows = 0..records.num_rows();
                            found.extend(
                                rows.map(|row| {
                                    String::from_utf8(row_to_json(&records, row)).unwrap()
                                }),
                            );
                        }
                        SourceEvent::Finished { .. } => break,
                        _ => {}
                    }
                }
            }
            assert_eq!(found, expected, "{read:?}");
        });
    }
}

#[test]
fn a_file_outside_of_the_partitions_is_refused() {
    run(async {
        let root = TempDir::new().unwrap();
        for (directory, expected) in [
            (
                "day=x",
                "it lies in no directory h=…, as its table is partitioned",
            ),
            ("day=x/h=seven", "'seven' is not a value of INT"),
        ] {
            let directory = root.path().join(directory);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("f.csv"), "1\n").unwrap();
            let factory = source("filesystem", &table(root.path()), &job(1)).unwrap();
            let discovery = factory.enumerator().discover(&[]).await.unwrap();
            let schema = table(root.path()).schema;
            let mut reader = factory.reader(&schema).unwrap();
            let added = reader.add_split(&discovery.found[0], None).await;
            let error = added.err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
            fs::remove_file(directory.join("f.csv")).unwrap();
        }
    });
}

#[test]
fn partitions_that_nobody_wants_are_not_opened() {
    run(async {
        let root = TempDir::new().unwrap();
        let file = |name: &str, text: &str| {
            let file = root.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        file("day=x/h=1/f.csv", "1\n");
        file("day=x/h=2/f.csv", "2\n");
        file("day=y/h=1/f.csv", "3\n");
        file("day=__DEFAULT_PARTITION__/h=1/f.csv", "4\n");
        // A name that no file of a table may have ends the job, if anybody looks.
        let unwanted = root.path().join("day=y/h=9");
        fs::create_dir_all(&unwanted).unwrap();
        fs::write(unwanted.join(OsStr::from_bytes(b"\xff")), "").unwrap();
        let factory = source("filesystem", &table(root.path()), &job(1)).unwrap();
        let all = factory.enumerator().discover(&[]).await.err().unwrap();
        assert!(all.to_string().contains("is not UTF-8"), "{all}");
        // Those of the first hour.
        let wanted: PartitionFilter = Arc::new(|row| {
            assert_eq!(row.schema().field(0).name(), "day");
            row.column(1).as_primitive::<Int32Type>().value(0) == 1
        });
        for following in [false, true] {
            let mut table = table(root.path());
            if following {
                let interval = ("source.monitor-interval".to_owned(), "1 s".to_owned());
                table.options.extend([interval]);
            }
            let factory = source("filesystem", &table, &job(1)).unwrap();
            let mut enumerator = factory.enumerator_of(Arc::clone(&wanted));
            let found = enumerator.discover(&[]).await.unwrap().found;
            let mut names: Vec<_> = found.iter().map(|split| split.id.clone()).collect();
            names.sort();
            let names = names.iter().map(|name| name.split('@').next().unwrap());
            assert_eq!(
                names.collect::<Vec<_>>(),
                [
                    "day=__DEFAULT_PARTITION__/h=1/f.csv",
                    "day=x/h=1/f.csv",
                    "day=y/h=1/f.csv",
                ]
            );
        }
        // A directory that is of several partitions, or of none, is looked at.
        file("h=2/f.csv", "5\n");
        let mut enumerator = factory.enumerator_of(wanted);
        let found = enumerator.discover(&[]).await.unwrap().found;
        assert!(found.iter().any(|split| split.id == "h=2/f.csv"));
    });
}
