//! Partitions: the directories `key=value` below a table's path, as Hive and Flink name them.
//!
//! A column that the table is partitioned by is in the name of a directory and not in the
//! records below it.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};

use super::TableOptions;
use crate::formats::{Options, RowText, value_of_text};
use crate::runtime::PartitionFilter;

const DEFAULT_NAME: &str = "partition.default-name";

/// What stands for the value of a row that is null or empty.
pub(super) const DEFAULT_NAME_VALUE: &str = "__DEFAULT_PARTITION__";

/// What is escaped in a key and in a value, apart from control characters.
const ESCAPED: &[char] = &[
    '"', '#', '%', '\'', '*', '/', ':', '=', '?', '\\', '{', '[', ']', '^',
];

/// How a table is partitioned.
#[derive(Clone, Debug)]
pub(super) struct Partitions {
    /// The columns in the order of the directories; none if the table has no partitions.
    pub keys: Vec<FieldRef>,
    /// The columns that stand in records.
    pub in_records: SchemaRef,
    default_name: String,
}

impl Partitions {
    /// The partitions that a table declares; what is wrong with them goes to `options`.
    pub(super) fn of(table: &TableOptions, options: &mut Options) -> Self {
        let field = |key: &String| table.schema.field_with_name(key).cloned().map(Arc::new);
        let keys: Vec<FieldRef> = table.partition_keys.iter().flat_map(field).collect();
        let in_records = table.schema.fields().iter();
        let in_records = in_records.filter(|field| !keys.contains(field)).cloned();
        let in_records = Arc::new(Schema::new(in_records.collect::<Vec<_>>()));
        for key in keys.iter().filter(|key| !can_be_key(key.data_type())) {
            let why = format!(
                "the column {} cannot be in PARTITIONED BY: a partition has a text, a whole \
                 number, a truth value, a DECIMAL or a DATE; compute a text of it",
                key.name()
            );
            options.reject("path", why);
        }
        let default_name = options.text(DEFAULT_NAME).unwrap_or(DEFAULT_NAME_VALUE);
        let default_name = default_name.to_owned();
        Self {
            keys,
            in_records,
            default_name,
        }
    }

    /// The directory of each row, below the table's: `a=1/b=x`.
    pub(super) fn of_rows(&self, records: &RecordBatch) -> Vec<String> {
        let schema = records.schema();
        let place = |key: &FieldRef| schema.index_of(key.name()).ok();
        let places: Vec<usize> = self.keys.iter().filter_map(place).collect();
        let text = RowText::new(records);
        let mut value = Vec::new();
        let mut path = |row| {
            let mut path = String::new();
            for (key, place) in self.keys.iter().zip(&places) {
                value.clear();
                text.write(row, *place, &mut value);
                let written = String::from_utf8_lossy(&value);
                let written = if written.is_empty() {
                    &self.default_name
                } else {
                    written.as_ref()
                };
                if !path.is_empty() {
                    path.push('/');
                }
                escape(key.name(), &mut path);
                path.push('=');
                escape(written, &mut path);
            }
            path
        };
        (0..records.num_rows()).map(&mut path).collect()
    }

    /// The value of each key, as a column of one row, of a file that lies at `path` below
    /// the table's directory.
    ///
    /// # Errors
    /// If the file lies in no partition of the table.
    pub(super) fn of_file(&self, path: &str) -> Result<Vec<ArrayRef>, String> {
        let segments = path
            .split('/')
            .filter_map(|segment| segment.split_once('='));
        let segments: Vec<_> = segments
            .map(|(key, value)| (unescape(key), value))
            .collect();
        let value = |key: &FieldRef| {
            let found = segments.iter().find(|(name, _)| name == key.name());
            let Some((_, written)) = found else {
                return Err(format!(
                    "it lies in no directory {}=…, as its table is partitioned",
                    key.name()
                ));
            };
            let written = unescape(written);
            let is_null = written == self.default_name;
            value_of_text(key, (!is_null).then_some(&written))
        };
        self.keys.iter().map(value).collect()
    }
}

/// Which partitions of a table are read.
#[derive(Clone)]
pub(super) struct WantedPartitions {
    partitions: Partitions,
    wanted: PartitionFilter,
}

impl Partitions {
    /// Those that `wanted` wants.
    pub(super) fn wanted_by(self, wanted: PartitionFilter) -> WantedPartitions {
        let partitions = self;
        WantedPartitions { partitions, wanted }
    }
}

impl WantedPartitions {
    /// Whether a directory that lies at `path` below the table's is one of a partition that
    /// nobody wants. One that is of several, or of none, is looked at.
    pub(super) fn skip(&self, path: &str) -> bool {
        let Ok(values) = self.partitions.of_file(path) else {
            return false;
        };
        let keys = self.partitions.keys.iter();
        let keys = keys.map(|key| key.as_ref().clone().with_nullable(true));
        let schema = Arc::new(Schema::new(keys.collect::<Vec<_>>()));
        RecordBatch::try_new(schema, values).is_ok_and(|row| !(self.wanted)(&row))
    }
}

fn can_be_key(data_type: &DataType) -> bool {
    data_type.is_integer()
        || matches!(
            data_type,
            DataType::Utf8 | DataType::Boolean | DataType::Date32 | DataType::Decimal128(..)
        )
}

fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        if character.is_ascii_control() || ESCAPED.contains(&character) {
            write!(out, "%{:02X}", u32::from(character)).expect("writing into memory succeeds");
        } else {
            out.push(character);
        }
    }
}

/// The text that was escaped; a `%` without two digits behind it stays.
fn unescape(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('%') {
        whole.push_str(before);
        let code = behind
            .get(..2)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        if let Some(code) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            whole.push(char::from(code));
            rest = &behind[2..];
        } else {
            whole.push('%');
            rest = behind;
        }
    }
    whole.push_str(rest);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_flink_does() {
        for (text, expected) in [
            ("2020-01-01", "2020-01-01"),
            ("a/b=c%", "a%2Fb%3Dc%25"),
            ("10:30 *?", "10%3A30 %2A%3F"),
            ("é\n", "é%0A"),
        ] {
            let mut escaped = String::new();
            escape(text, &mut escaped);
            assert_eq!(escaped, expected);
            assert_eq!(unescape(&escaped), text);
        }
        assert_eq!(unescape("100%"), "100%");
        assert_eq!(unescape("%zz%é"), "%zz%é");
    }
}
