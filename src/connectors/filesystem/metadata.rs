//! What is known of a file beside its records: the `METADATA` columns.

use std::fs::File;
use std::io;
use std::iter::repeat_n;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, SchemaRef};

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
    /// The keys of the others.
    pub keys: Vec<String>,
}

/// The metadata of the rows of one file.
pub(super) struct FileMetadata {
    schema: SchemaRef,
    values: Vec<Value>,
}

enum Value {
    Text(String),
    Number(i64),
    /// In milliseconds since 1970.
    Time(i64),
}

impl MetadataColumns {
    /// The metadata of a file that was found under `path`.
    pub fn of(&self, path: &Path, file: &File) -> io::Result<FileMetadata> {
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
        Ok(FileMetadata {
            schema: Arc::clone(&self.schema),
            values: self.keys.iter().map(value).collect::<io::Result<_>>()?,
        })
    }
}

impl FileMetadata {
    /// The rows with their metadata behind what was decoded.
    pub fn behind(&self, decoded: &RecordBatch) -> RecordBatch {
        let rows = decoded.num_rows();
        let fields = self.schema.fields().iter().skip(decoded.num_columns());
        let metadata = self.values.iter().zip(fields);
        let metadata = metadata.map(|(value, field)| value.column(rows, field.data_type()));
        let columns = decoded.columns().iter().cloned().chain(metadata);
        let whole = RecordBatch::try_new(Arc::clone(&self.schema), columns.collect());
        whole.expect("the columns are those of the schema")
    }
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
