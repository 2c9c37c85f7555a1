//! Metadata columns.

use std::fs::{self, File};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use tempfile::TempDir;

use super::{job, run, table};
use crate::connectors::source;
use crate::formats::row_to_json;
use crate::runtime::SourceEvent;

#[test]
fn what_is_known_of_a_file_is_behind_its_rows() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.txt");
    fs::write(&path, "x\ny\n").unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_millis(1_234))
        .unwrap();
    let mut table = table(directory.path(), DataType::Utf8, &[("format", "raw")]);
    let mut fields = table.schema.fields().to_vec();
    let time = DataType::Timestamp(TimeUnit::Millisecond, None);
    for (name, key, data_type) in [
        ("path", "file.path", DataType::Utf8),
        ("name", "file.name", DataType::Utf8),
        ("size", "file.size", DataType::Int64),
        ("at", "file.modification-time", time),
    ] {
        table.metadata.insert(name.to_owned(), key.to_owned());
        fields.push(Arc::new(Field::new(name, data_type, false)));
    }
    let factory = source("filesystem", &table, &job(1)).unwrap();
    run(async {
        let mut reader = factory.reader(&Arc::new(Schema::new(fields))).unwrap();
        let discovery = factory.enumerator().discover(&[]).await.unwrap();
        reader.add_split(&discovery.found[0], None).await.unwrap();
        let SourceEvent::Rows { records, .. } = reader.next().await.unwrap() else {
            panic!("there are no rows");
        };
        let rows = (0..records.num_rows()).map(|row| row_to_json(&records, row));
        let rows: Vec<_> = rows.map(|row| String::from_utf8(row).unwrap()).collect();
        let row = |v: &str| {
            format!(
                "{{\"v\":\"{v}\",\"path\":\"{}\",\"name\":\"a.txt\",\"size\":4,\
                 \"at\":\"1970-01-01 00:00:01.234\"}}",
                path.display()
            )
        };
        assert_eq!(rows, [row("x"), row("y")]);
    });
}
