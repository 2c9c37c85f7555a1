//! Protobuf with the schema of each record in a registry.
//!
//! Behind the id stands which message of the schema's file a record is: the places of
//! the messages that lead to it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Fields, SchemaRef};

use super::{
    Decoder, Encoder, Fetch, FormatFactory, FormatRef, Framing, HEADER_BYTES, Limits,
    OptionDefault, OptionDoc, Options, Plans, RegisteredEncoder, Registration, RowError, options,
    registry_docs,
};
use crate::formats::batch::Rows;
use crate::formats::protobuf::{
    Absence, Cursor, FileDescriptor, MessageDescriptor, Plan, ProtobufEncoder, check, message,
    of_text, push, schema_of, style, unzigzag, write_varint, zigzag,
};
use crate::schema_registry::Language;

/// What a table calls the format.
const NAME: &str = "protobuf-confluent";

/// The message of a derived schema, unless it is named.
const MESSAGE: &str = "Record";

/// How deep a message may be declared in others.
const PLACES_MAX: usize = 64;

/// The most messages of one file whose plans are kept; there are that many only where
/// places are made up.
const PLANS_MAX: usize = 1_000;

/// Its options, for people.
pub(in crate::formats) const DOCS: &[OptionDoc] = registry_docs!(
    "protobuf-confluent",
    OptionDoc {
        key: "protobuf-confluent.schema",
        default: OptionDefault::Off,
        doc: "The text of the '.proto' file of written rows; else it is derived from the columns.",
    },
    OptionDoc {
        key: "protobuf-confluent.message-name",
        default: OptionDefault::Value("Record"),
        doc: "The message that a written row is, with its package, as in 'shop.Order'.",
    },
    OptionDoc {
        key: "protobuf-confluent.read-default-values",
        default: OptionDefault::Value("false"),
        doc: "Whether a field that is absent is read as its default value instead of NULL. One of proto3 that is not 'optional' always is.",
    },
    OptionDoc {
        key: "protobuf-confluent.write-null-string-literal",
        default: OptionDefault::Value(""),
        doc: "The text that is written for NULL inside an ARRAY or a MAP, which have none in Protobuf.",
    },
);

struct ProtobufConfluent {
    absence: Absence,
    null_text: Arc<str>,
    writer: MessageDescriptor,
    registration: Arc<Registration>,
}

/// Reads the options that begin with `protobuf-confluent.`.
pub(in crate::formats) fn from_options(
    given: &mut Options,
    columns: &SchemaRef,
) -> Option<FormatRef> {
    let options = options::read(given, NAME);
    let (absence, null_text) = style(given, NAME);
    let name = given
        .text("protobuf-confluent.message-name")
        .unwrap_or(MESSAGE);
    let text = match given.text("protobuf-confluent.schema") {
        Some(text) => Ok(text.to_owned()),
        None => schema_of(columns.fields(), name),
    };
    let made = text.and_then(|text| {
        let file = of_text(&text, []).map_err(|why| format!("the schema cannot be used: {why}"))?;
        let message = message(file.parent_pool(), name)?;
        check(&message, columns.fields(), absence)?;
        Ok((text, message))
    });
    let (text, writer) = match made {
        Ok(made) => made,
        Err(why) => {
            given.reject_table(why);
            return None;
        }
    };
    let registration = options.registration(Language::Protobuf, text, places_of(&writer));
    Some(Arc::new(ProtobufConfluent {
        absence: Absence {
            // A writer need not know every column.
            allow_missing: true,
            ..absence
        },
        null_text,
        writer,
        registration,
    }))
}

/// The places of the messages that lead to one, as they are written.
fn places_of(message: &MessageDescriptor) -> Vec<u8> {
    // In a path every second number only says that a message follows.
    let places: Vec<_> = message.path().iter().skip(1).step_by(2).copied().collect();
    if places == [0] {
        return vec![0];
    }
    let mut out = Vec::new();
    let count = i64::try_from(places.len()).unwrap_or(i64::MAX);
    for number in std::iter::once(count).chain(places.into_iter().map(i64::from)) {
        write_varint(zigzag(number), &mut out);
    }
    out
}

/// Parts the places of the messages that lead to a record's from the record.
fn split_places(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut cursor = Cursor::new(bytes);
    let count = place(&mut cursor).filter(|count| *count <= PLACES_MAX)?;
    for _ in 0..count {
        place(&mut cursor)?;
    }
    bytes.split_at_checked(bytes.len() - cursor.rest().len())
}

fn place(cursor: &mut Cursor) -> Option<usize> {
    let number = cursor.varint().ok().map(unzigzag);
    number.and_then(|number| usize::try_from(number).ok())
}

impl FormatFactory for ProtobufConfluent {
    fn decoder(&self, _table: &SchemaRef, schema: &SchemaRef) -> Box<dyn Decoder> {
        Box::new(ProtobufConfluentDecoder {
            files: Plans::new(self.registration.registry(), Language::Protobuf),
            columns: schema.fields().clone(),
            absence: self.absence,
            rows: Rows::new(schema),
            limits: Limits::default(),
        })
    }

    fn encoder(&self, _schema: &SchemaRef) -> Box<dyn Encoder> {
        Box::new(RegisteredEncoder::new(
            &self.registration,
            ProtobufEncoder {
                message: self.writer.clone(),
                null_text: Arc::clone(&self.null_text),
            },
        ))
    }

    fn framing(&self) -> Option<Framing> {
        None
    }

    fn extension(&self) -> &'static str {
        "binpb"
    }
}

struct ProtobufConfluentDecoder {
    files: Plans<Messages>,
    columns: Fields,
    absence: Absence,
    rows: Rows,
    limits: Limits,
}

/// A schema's file, and how those of its messages are read that have come.
struct Messages {
    file: FileDescriptor,
    /// By the places that lead to a message, as they are written.
    plans: Vec<(Vec<u8>, Result<Plan, String>)>,
}

impl Messages {
    fn plan(
        &mut self,
        places: &[u8],
        columns: &Fields,
        absence: Absence,
    ) -> Result<&mut Plan, RowError> {
        let mut known = self.plans.iter();
        let at = known.position(|(known, _)| *known == places);
        let at = at.unwrap_or_else(|| {
            if self.plans.len() == PLANS_MAX {
                self.plans.clear();
            }
            let plan = self.message(places);
            let plan = plan.and_then(|message| Plan::new(&message, columns, absence));
            self.plans.push((places.to_vec(), plan));
            self.plans.len() - 1
        });
        match self.plans.get_mut(at).map(|(_, plan)| plan) {
            Some(Ok(plan)) => Ok(plan),
            Some(Err(why)) => Err(RowError(why.clone())),
            None => unreachable!("the plan was found or made just now"),
        }
    }

    fn message(&self, places: &[u8]) -> Result<MessageDescriptor, String> {
        let mut cursor = Cursor::new(places);
        let count = place(&mut cursor).unwrap_or(0);
        let mut message = None;
        // No places stand for the first message.
        for depth in 0..count.max(1) {
            let place = if count == 0 {
                Some(0)
            } else {
                place(&mut cursor)
            };
            let place = place.unwrap_or(usize::MAX);
            message = match (depth, message) {
                (0, _) => self.file.messages().nth(place),
                (_, Some(outer)) => MessageDescriptor::child_messages(&outer).nth(place),
                (_, None) => None,
            };
        }
        message.ok_or_else(|| "its schema has no such message".to_owned())
    }
}

impl Decoder for ProtobufConfluentDecoder {
    fn push(&mut self, record: &[u8]) -> Result<(), RowError> {
        let body = self.files.of(record, |registered| {
            let references = registered.references.iter();
            let imports = references.map(|other| (other.name.as_str(), other.text.as_str()));
            let file = of_text(&registered.text, imports)?;
            Ok(Messages {
                file,
                plans: Vec::new(),
            })
        })?;
        let split = split_places(body.bytes);
        let (places, bytes) = split.ok_or_else(|| {
            RowError("does not say behind its schema id which message it is".to_owned())
        })?;
        let plan = body.plan.plan(places, &self.columns, self.absence)?;
        let mut limits = self.limits;
        limits.record_bytes_max -= HEADER_BYTES;
        push(&mut self.rows, plan, bytes, &limits)
    }

    fn missing(&mut self) -> Option<Fetch> {
        self.files.missing()
    }

    fn num_rows(&self) -> usize {
        self.rows.len()
    }

    fn finish(&mut self) -> RecordBatch {
        self.rows.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_by_their_places() {
        let text = "syntax = \"proto3\"; message A {} message B { message C { message D {} } }";
        let file = of_text(text, []).unwrap();
        for (name, written) in [
            ("A", &[0][..]),
            ("B", &[2, 2]),
            ("B.C", &[4, 2, 0]),
            ("B.C.D", &[6, 2, 0, 0]),
        ] {
            let message = message(file.parent_pool(), name).unwrap();
            assert_eq!(places_of(&message), written, "{name}");
            let record = [written, &[7, 8]].concat();
            assert_eq!(split_places(&record), Some((written, &[7, 8][..])));
            let messages = Messages {
                file: file.clone(),
                plans: Vec::new(),
            };
            assert_eq!(messages.message(written).as_ref(), Ok(&message));
        }
        for wrong in [&[][..], &[2], &[1, 0], &[0x80, 0x80, 1], &[2, 1]] {
            assert_eq!(split_places(wrong), None, "{wrong:?}");
        }
        let messages = Messages {
            file,
            plans: Vec::new(),
        };
        for absent in [&[2, 4][..], &[4, 0, 0], &[4, 2, 2]] {
            assert!(messages.message(absent).is_err(), "{absent:?}");
        }
    }
}
