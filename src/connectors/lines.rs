//! Rows to lines of text, also where some rows have no record in a format.

use arrow::array::RecordBatch;

use crate::formats::{EncodedRecords, Encoder, row_to_json};
use crate::stream::{Batch, DeadLetter};

/// Appends the records of a batch; a row that has no record becomes a dead letter.
pub(super) fn encode(
    encoder: &mut dyn Encoder,
    batch: &Batch,
    origin: &str,
    out: &mut EncodedRecords,
) -> Vec<DeadLetter> {
    let mut dead_letters = Vec::new();
    let mut next = 0;
    while next < batch.num_rows() {
        let rest = batch.slice(next, batch.num_rows() - next);
        let before = out.len();
        let result = encoder.encode_changes(&rest, out);
        next += out.len() - before;
        if let Err(error) = result {
            dead_letters.push(DeadLetter {
                origin: origin.to_owned(),
                reason: error.0,
                position: None,
                bytes: row_to_json(&batch.records, next),
            });
            next += 1;
        }
    }
    dead_letters
}

/// The records of a batch, a line each; a row that has no record becomes a dead letter.
pub(super) fn lines(
    encoder: &mut dyn Encoder,
    batch: &Batch,
    origin: &str,
) -> (Vec<u8>, Vec<DeadLetter>) {
    let mut lines = EncodedRecords::lines();
    let dead_letters = encode(encoder, batch, origin, &mut lines);
    (lines.into_bytes(), dead_letters)
}

/// The rows as JSON objects for a person, who wants to see each row: a number that
/// JSON lacks (NaN) is a string there.
pub(super) fn json_lines(encoder: &mut dyn Encoder, records: &RecordBatch) -> Vec<u8> {
    let rows = Batch::new(records.clone());
    let (text, without_record) = lines(encoder, &rows, "");
    if without_record.is_empty() {
        return text;
    }
    let mut text = Vec::new();
    for row in 0..records.num_rows() {
        let (one, without_record) = lines(encoder, &rows.slice(row, 1), "");
        if without_record.is_empty() {
            text.extend(one);
        } else {
            text.extend(row_to_json(records, row));
            text.push(b'\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int32Array, StringArray};
    use arrow::datatypes::SchemaRef;
    use indexmap::IndexMap;

    use super::*;
    use crate::formats::{self, Options};

    fn sample() -> RecordBatch {
        RecordBatch::try_from_iter([
            ("id", Arc::new(Int32Array::from(vec![1, 2, 3])) as ArrayRef),
            (
                "share",
                Arc::new(Float64Array::from(vec![0.5, f64::NAN, 2.0])),
            ),
            (
                "name",
                Arc::new(StringArray::from(vec![Some("a\nb"), None, Some("c")])),
            ),
        ])
        .unwrap()
    }

    fn json_encoder(schema: &SchemaRef) -> Box<dyn Encoder> {
        let given = IndexMap::from([("format".to_owned(), "json".to_owned())]);
        let format = formats::format(&mut Options::new(&given), schema);
        format.unwrap().encoder(schema)
    }

    #[test]
    fn a_row_without_a_record_does_not_stop_the_others() {
        let records = sample();
        let mut encoder = json_encoder(&records.schema());
        let (text, letters) = lines(encoder.as_mut(), &Batch::new(records), "t");
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "{\"id\":1,\"share\":0.5,\"name\":\"a\\nb\"}\n{\"id\":3,\"share\":2.0,\"name\":\"c\"}\n"
        );
        let [letter] = letters.as_slice() else {
            panic!("one row has no record: {letters:?}");
        };
        assert_eq!(letter.reason, "column 'share': NaN is not a number in JSON");
        assert_eq!(letter.bytes, b"{\"id\":2,\"share\":\"NaN\",\"name\":null}");
    }

    /// Such a row was once left out.
    #[test]
    fn json_for_people_shows_rows_with_what_is_no_number() {
        let records = sample();
        let mut encoder = json_encoder(&records.schema());
        let text = json_lines(encoder.as_mut(), &records);
        let expected = r#"{"id":1,"share":0.5,"name":"a\nb"}
{"id":2,"share":"NaN","name":null}
{"id":3,"share":2.0,"name":"c"}
"#;
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
