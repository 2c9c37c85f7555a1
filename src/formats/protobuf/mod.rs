//! Protobuf: a record is one message, which a `.proto` file describes.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{RecordBatch, new_empty_array};
use arrow::datatypes::{Fields, SchemaRef};

use super::batch::Rows;
use super::{
    Decoder, EncodedRecords, Encoder, FormatFactory, FormatRef, Framing, Limits, OptionDefault,
    OptionDoc, Options, RowError,
};

mod derive;
mod descriptors;
#[cfg(test)]
mod option_tests;
mod plan;
mod read;
#[cfg(test)]
mod tests;
mod wire;
mod write;

pub(super) use derive::schema_of;
pub(super) use descriptors::{message, of_text};
pub(super) use plan::{Absence, Plan};
pub(super) use protox::prost_reflect::{FileDescriptor, MessageDescriptor};
pub(super) use wire::{Cursor, unzigzag, write_varint, zigzag};

/// Its options, for people.
pub(super) const DOCS: &[OptionDoc] = &[
    OptionDoc {
        key: "protobuf.message-name",
        default: OptionDefault::Required,
        doc: "The message that a record is, with its package, as in 'shop.Order'.",
    },
    OptionDoc {
        key: "protobuf.proto-file",
        default: OptionDefault::Off,
        doc: "The '.proto' file that declares the message. Either this or 'protobuf.descriptor-file'.",
    },
    OptionDoc {
        key: "protobuf.proto-path",
        default: OptionDefault::Off,
        doc: "The folder in which the files are that it imports; else they are in its own.",
    },
    OptionDoc {
        key: "protobuf.descriptor-file",
        default: OptionDefault::Off,
        doc: "What 'protoc --descriptor_set_out --include_imports' has written.",
    },
    OptionDoc {
        key: "protobuf.read-default-values",
        default: OptionDefault::Value("false"),
        doc: "Whether a field that is absent is read as its default value instead of NULL. One of proto3 that is not 'optional' always is.",
    },
    OptionDoc {
        key: "protobuf.write-null-string-literal",
        default: OptionDefault::Value(""),
        doc: "The text that is written for NULL inside an ARRAY or a MAP, which have none in Protobuf.",
    },
];

/// Flink's option for the message.
const CLASS: &str = "protobuf.message-class-name";

/// The format, with the message that a record is.
struct Protobuf {
    message: MessageDescriptor,
    absence: Absence,
    null_text: Arc<str>,
}

/// Reads the options that begin with `protobuf.`.
pub(super) fn from_options(options: &mut Options, columns: &SchemaRef) -> Option<FormatRef> {
    options.refuse(
        CLASS,
        "there are no classes of Java here; set 'protobuf.message-name' to the message's name, as \
         in 'shop.Order', and 'protobuf.proto-file' to the file that declares it",
    );
    let (absence, null_text) = style(options, "protobuf");
    let message = declared(options)?;
    if let Err(why) = check(&message, columns.fields(), absence) {
        options.reject_table(why);
        return None;
    }
    Some(Arc::new(Protobuf {
        message,
        absence,
        null_text,
    }))
}

/// What both formats say of absent and of null values.
pub(super) fn style(options: &mut Options, format: &str) -> (Absence, Arc<str>) {
    let ignore = format!("{format}.ignore-parse-errors");
    if options.boolean(&ignore, false) {
        options.reject(
            &ignore,
            "leave it out: a record that does not parse goes to the dead letters and the pipeline goes on",
        );
    }
    let absence = Absence {
        read_default_values: options.boolean(&format!("{format}.read-default-values"), false),
        allow_missing: false,
    };
    let literal = options.text(&format!("{format}.write-null-string-literal"));
    (absence, literal.unwrap_or_default().into())
}

/// The message that the options name.
fn declared(options: &mut Options) -> Option<MessageDescriptor> {
    const PROTO: &str = "protobuf.proto-file";
    const SET: &str = "protobuf.descriptor-file";
    let name = match options.text(CLASS) {
        None => options.require("protobuf.message-name"),
        // What is to be set instead was said.
        Some(_) => options.text("protobuf.message-name").unwrap_or_default(),
    };
    let include = options.text("protobuf.proto-path").map(Path::new);
    let (key, pool) = match (options.text(PROTO), options.text(SET)) {
        (Some(path), None) => {
            let file = descriptors::of_file(Path::new(path), include);
            (PROTO, file.map(|file| file.parent_pool().clone()))
        }
        (None, Some(path)) => (SET, descriptors::of_set(Path::new(path))),
        (None, None) => {
            options.reject_table(format!("option '{PROTO}' or '{SET}' is required"));
            return None;
        }
        (Some(_), Some(_)) => {
            options.reject(SET, format!("cannot be given together with '{PROTO}'"));
            return None;
        }
    };
    let pool = pool.map_err(|why| {
        let path = options.text(key).unwrap_or_default().to_owned();
        options.reject(key, format!("'{path}' cannot be used: {why}"));
    });
    if name.is_empty() {
        return None;
    }
    let message = message(&pool.ok()?, name);
    message
        .map_err(|why| options.reject("protobuf.message-name", why))
        .ok()
}

/// Checks that rows of some columns can be read from messages and written as such.
pub(super) fn check(
    message: &MessageDescriptor,
    columns: &Fields,
    absence: Absence,
) -> Result<(), String> {
    Plan::new(message, columns, absence)?;
    let empty = columns
        .iter()
        .map(|column| new_empty_array(column.data_type()));
    let empty: Vec<_> = empty.collect();
    write::Message::new(message, columns, &empty).map(drop)
}

impl FormatFactory for Protobuf {
    fn decoder(&self, _table: &SchemaRef, schema: &SchemaRef) -> Box<dyn Decoder> {
        let plan = Plan::new(&self.message, schema.fields(), self.absence);
        Box::new(ProtobufDecoder {
            plan: plan.expect("the columns were checked when the format was made"),
            rows: Rows::new(schema),
            limits: Limits::default(),
        })
    }

    fn encoder(&self, _schema: &SchemaRef) -> Box<dyn Encoder> {
        Box::new(ProtobufEncoder {
            message: self.message.clone(),
            null_text: Arc::clone(&self.null_text),
        })
    }

    fn framing(&self) -> Option<Framing> {
        None
    }

    fn extension(&self) -> &'static str {
        "binpb"
    }
}

struct ProtobufDecoder {
    plan: Plan,
    rows: Rows,
    limits: Limits,
}

impl Decoder for ProtobufDecoder {
    fn push(&mut self, record: &[u8]) -> Result<(), RowError> {
        push(&mut self.rows, &mut self.plan, record, &self.limits)
    }

    fn num_rows(&self) -> usize {
        self.rows.len()
    }

    fn finish(&mut self) -> RecordBatch {
        self.rows.finish()
    }
}

/// Appends the row that a message is.
pub(super) fn push(
    rows: &mut Rows,
    plan: &mut Plan,
    record: &[u8],
    limits: &Limits,
) -> Result<(), RowError> {
    if record.len() > limits.record_bytes_max {
        return Err(super::too_long(record.len(), *limits));
    }
    rows.push(|columns| read::record(plan, record, limits, columns))
        .map_err(|unread| RowError(unread.into_reason()))
}

/// Writes rows as messages that their columns fit.
pub(super) struct ProtobufEncoder {
    pub message: MessageDescriptor,
    pub null_text: Arc<str>,
}

impl Encoder for ProtobufEncoder {
    fn encode(&mut self, records: &RecordBatch, out: &mut EncodedRecords) -> Result<(), RowError> {
        let fields = records.schema();
        let writer = write::Message::new(&self.message, fields.fields(), records.columns());
        let writer = writer.map_err(RowError)?;
        for row in 0..records.num_rows() {
            out.push(|out| writer.write(row, &self.null_text, out))
                .map_err(RowError)?;
        }
        Ok(())
    }
}
