//! Records of the binary formats to rows and back on one core, beside those of JSON.

use std::io::Write as _;

use anyhow::{Result, anyhow};
use arrow::datatypes::SchemaRef;
use indexmap::IndexMap;
use thalweg::formats::{EncodedRecords, FormatRef, Options, format};

use crate::bids::{self, Form};
use crate::json_codec::{BATCH_ROWS, DecodeArguments, EncodeArguments, json_batches, note};
use crate::recorder::Recorder;

/// A bid as a message.
const PROTO: &str = r#"syntax = "proto3";
import "google/protobuf/timestamp.proto";
message Bid {
  optional int64 auction = 1;
  optional int64 bidder = 2;
  optional int64 price = 3;
  optional string channel = 4;
  optional string url = 5;
  google.protobuf.Timestamp dateTime = 6;
  optional string extra = 7;
}
"#;

const FORMATS: [&str; 3] = ["json", "avro", "protobuf"];

/// Decodes bids, a record at a time.
///
/// # Errors
/// If a record is refused.
pub fn decode(arguments: &DecodeArguments, recorder: &mut Recorder) -> Result<()> {
    let size = arguments.size;
    let (all, four) = (bids::all_columns(), bids::four_columns());
    let batches = json_batches(&all, &bids::lines(size.rows, Form::Flat))?;
    for name in FORMATS {
        let made = made(name, &all)?;
        let mut encoder = made.encoder(&all);
        let mut records = EncodedRecords::default();
        for batch in &batches {
            encoder.encode(batch, &mut records)?;
        }
        for (case, schema) in [("4 of 7 columns", &four), ("all 7 columns", &all)] {
            let mut decoder = made.decoder(&all, schema);
            let work = || {
                let mut rows = 0;
                for record in records.iter() {
                    decoder.push(record)?;
                    if decoder.num_rows() == BATCH_ROWS {
                        rows += decoder.finish().num_rows();
                    }
                }
                Ok(rows + decoder.finish().num_rows())
            };
            note(recorder, (case, name), size, records.bytes().len(), work)?;
        }
    }
    Ok(())
}

/// Encodes bids.
///
/// # Errors
/// If a row is refused.
pub fn encode(arguments: &EncodeArguments, recorder: &mut Recorder) -> Result<()> {
    let size = arguments.size;
    let all = bids::all_columns();
    let batches = json_batches(&all, &bids::lines(size.rows, Form::Flat))?;
    for name in FORMATS {
        let mut encoder = made(name, &all)?.encoder(&all);
        let mut out = EncodedRecords::default();
        let mut bytes = 0;
        for batch in &batches {
            out.clear();
            encoder.encode(batch, &mut out)?;
            bytes += out.bytes().len();
        }
        let work = || {
            let mut rows = 0;
            for batch in &batches {
                out.clear();
                encoder.encode(batch, &mut out)?;
                rows += out.len();
            }
            Ok(rows)
        };
        note(recorder, ("7 columns", name), size, bytes, work)?;
    }
    Ok(())
}

fn made(name: &str, schema: &SchemaRef) -> Result<FormatRef> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(PROTO.as_bytes())?;
    let mut given = IndexMap::from([("format".to_owned(), name.to_owned())]);
    if name == "protobuf" {
        let path = file.path().to_string_lossy().into_owned();
        given.insert("protobuf.proto-file".to_owned(), path);
        given.insert("protobuf.message-name".to_owned(), "Bid".to_owned());
    }
    let mut options = Options::new(&given);
    let made = format(&mut options, schema);
    let finished = options.finish();
    finished.map_err(|errors| anyhow!("the format is wrong: {errors:?}"))?;
    made.ok_or_else(|| anyhow!("there is no such format"))
}
