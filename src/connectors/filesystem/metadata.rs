//! What is known of a file beside its records: the `METADATA` columns.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::iter::repeat_n;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray, UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, SchemaRef};

use super::partitions::Partitions;
use crate::connectors::MetadataDoc;

const PATH: &str = "file.path";
const NAME: &str = "file.name";
const SIZE: &str = "file.size";
const MODIFICATION_TIME: &str = "file.modification-time";

pub(super) const DOCS: &[MetadataDoc] = &[
    MetadataDoc::read_only(PATH, "STRING", "The whole path under which it was found."),
    MetadataDoc::read_only(NAME, "STRING", "The last part of that path."),
    MetadataDoc::read_only(SIZE, "BIGINT", "How many bytes it had when it was opened."),
    MetadataDoc::read_only(
        MODIFICATION_TIME,
        "TIMESTAMP_LTZ(3)",
        "When it had been written to last as it was opened (as TIMESTAMP(3): in UTC).",
    ),
];

/// Which metadata the rows of a reader have.
pub(super) struct MetadataColumns {
    /// All columns, those that are decoded in front.
    pub schema: SchemaRef,
    /// The keys of the metadata, whose columns are the last ones.
    pub keys: Vec<String>,
    /// What the directory of a file says.
    pub partitions: Partitions,
}

/// The metadata of the rows of one file.
pub(super) struct FileMetadata {
    schema: SchemaRef,
    /// Those of the last columns.
    values: Vec<Value>,
    /// Those of the partition by the columns' names, each in a column of one row.
    of_partition: HashMap<String, ArrayRef>,
}

enum Value {
    Text(String),
    Number(i64),
    /// In milliseconds since 1970.
    Time(i64),
}

impl MetadataColumns {
    /// The metadata of a file that was found under `path`, which is `below` the table's.
    pub fn of(&self, path: &Path, below: &str, file: &File) -> io::Result<FileMetadata> {
        let whole = std::path::absolute(path)?;
        let found = file.metadata()?;
        let value = |key: &String| {
            Ok(match key.as_str() {
                PATH => Value::Text(whole.to_string_lossy().into_owned()),
                NAME => {
                    let name = whole.file_name().unwrap_or_default();
                    Value::Text(name.to_string_lossy().into_owned())
                }
                SIZE => Value::Number(i64::try_from(found.len()).unwrap_or(i64::MAX)),
                MODIFICATION_TIME => {
                    let age = found.modified()?.duration_since(UNIX_EPOCH);
                    let millis = age.unwrap_or_default().as_millis();
                    Value::Time(i64::try_from(millis).unwrap_or(i64::MAX))
                }
                _ => return Err(io::Error::other(format!("a file has no metadata '{key}'"))),
            })
        };
        let of_partition = self.partitions.of_file(below);
        let of_partition =
            of_partition.map_err(|message| io::Error::new(io::ErrorKind::InvalidData, message))?;
        let names = self.partitions.keys.iter().map(|key| key.name().clone());
        Ok(FileMetadata {
            schema: Arc::clone(&self.schema),
            of_partition: names.zip(of_partition).collect(),
            values: self.keys.iter().map(value).collect::<io::Result<_>>()?,
        })
    }
}

impl FileMetadata {
    /// The rows with what their file says around what was decoded.
    pub fn around(&self, decoded: &RecordBatch) -> RecordBatch {
        let rows = decoded.num_rows();
        let fields = self.schema.fields();
        let physical = fields.len() - self.values.len();
        let columns = fields.iter().enumerate().map(|(place, field)| {
            if let Some(value) = place
                .checked_sub(physical)
                .and_then(|at| self.values.get(at))
            {
                return value.column(rows, field.data_type());
            }
            if let Some(value) = self.of_partition.get(field.name()) {
                return repeated(value, rows);
            }
            let column = decoded.column_by_name(field.name());
            Arc::clone(column.expect("what is in no partition is decoded"))
        });
        let columns = columns.collect();
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .expect("the columns are those of the schema")
    }
}

/// The one value of a column, so many times.
fn repeated(value: &ArrayRef, rows: usize) -> ArrayRef {
    let first = UInt32Array::from_value(0, rows);
    take(value, &first, None).expect("there is a first value")
}

impl Value {
    fn column(&self, rows: usize, of: &DataType) -> ArrayRef {
        match self {
            Self::Text(text) => Arc::new(StringArray::from_iter_values(repeat_n(text, rows))),
            Self::Number(number) => Arc::new(Int64Array::from_value(*number, rows)),
            Self::Time(millis) => {
                let times = TimestampMillisecondArray::from_value(*millis, rows);
                Arc::new(times.with_data_type(of.clone()))
            }
        }
    }
}
