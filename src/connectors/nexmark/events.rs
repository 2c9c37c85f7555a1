//! Makes batches of events, of the columns that the plan reads.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringBuilder, StructArray,
    TimestampMillisecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, SchemaRef, TimeUnit};

use super::columns::{Make, columns_of};
use super::model::{Event, Kind, Model};
use super::text::Texts;
use crate::connectors::generated::{RowMaker, RowNumbers};

/// Makes the columns of `schema`.
pub(super) struct Events {
    model: Arc<Model>,
    texts: Texts,
    /// The only kind of event that makes rows; `None` if all do.
    only: Option<Kind>,
    schema: SchemaRef,
}

impl Events {
    pub(super) fn new(model: &Arc<Model>, only: Option<Kind>, schema: &SchemaRef) -> Self {
        Self {
            model: Arc::clone(model),
            texts: Texts::new(),
            only,
            schema: schema.clone(),
        }
    }

    /// The events with these numbers that make rows.
    fn events(&self, rows: &RowNumbers) -> Vec<Event> {
        let per_round = self.model.round();
        let (mut round, mut place, mut last) = (0, 0, 0);
        let numbers = rows.numbers.iter().zip(&rows.millis);
        let events = numbers.map(|(&n, &millis)| {
            // Numbers rise by small steps, which need no division.
            place += n.wrapping_sub(last);
            last = n;
            if place >= per_round {
                round = n / per_round;
                place = n % per_round;
            }
            self.model.event(round, place, n, millis)
        });
        let wanted = |event: &Event| self.only.is_none_or(|kind| kind == event.kind);
        events.filter(wanted).collect()
    }

    fn column(&self, field: &Field, events: &[Event]) -> ArrayRef {
        match (self.only, field.name().as_str(), field.data_type()) {
            (Some(kind), ..) => self.values(kind, field, events, None),
            (None, "event_type", _) => {
                let types = events.iter().map(|event| event.kind.event_type());
                Arc::new(Int32Array::from_iter_values(types))
            }
            (None, name, DataType::Struct(fields)) => self.record(name, fields, events),
            _ => unreachable!("the options let no other column through"),
        }
    }

    /// The events of one kind as rows, null for the others.
    fn record(&self, name: &str, fields: &Fields, events: &[Event]) -> ArrayRef {
        let kind = kind_of(name).expect("the options let no other column through");
        let nulls: NullBuffer = events.iter().map(|event| event.kind == kind).collect();
        let values = |field: &FieldRef| self.values(kind, field, events, Some(&nulls));
        let columns: Vec<ArrayRef> = fields.iter().map(values).collect();
        let record = if columns.is_empty() {
            StructArray::new_empty_fields(events.len(), Some(nulls))
        } else {
            StructArray::new(fields.clone(), columns, Some(nulls))
        };
        Arc::new(record)
    }

    fn values(
        &self,
        kind: Kind,
        field: &Field,
        events: &[Event],
        nulls: Option<&NullBuffer>,
    ) -> ArrayRef {
        let column = columns_of(kind)
            .iter()
            .find(|column| column.name == field.name());
        let make = column
            .expect("the options let no other column through")
            .make;
        let number = |make: fn(&Model, &Event) -> i64| -> Vec<i64> {
            let of_kind = |event: &Event| event.kind == kind;
            let value = |event| {
                if of_kind(event) {
                    make(&self.model, event)
                } else {
                    0
                }
            };
            events.iter().map(value).collect()
        };
        match make {
            Make::Number(make) => Arc::new(Int64Array::new(number(make).into(), nulls.cloned())),
            Make::Time(make) => Arc::new(TimestampMillisecondArray::new(
                number(make).into(),
                nulls.cloned(),
            )),
            Make::Text(make) => {
                let mut values = StringBuilder::with_capacity(events.len(), 0);
                let mut text = String::new();
                for event in events {
                    if event.kind == kind {
                        text.clear();
                        make(&self.model, &self.texts, event, &mut text);
                        values.append_value(&text);
                    } else {
                        values.append_null();
                    }
                }
                Arc::new(values.finish())
            }
        }
    }
}

impl RowMaker for Events {
    fn make(&self, rows: &RowNumbers) -> RecordBatch {
        let events = self.events(rows);
        let fields = self.schema.fields().iter();
        let columns: Vec<ArrayRef> = fields.map(|field| self.column(field, &events)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(events.len()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .expect("the options compare the columns with what is made")
    }
}

/// The kind of event that a column or an option names.
pub(super) fn kind_of(name: &str) -> Option<Kind> {
    match name {
        "person" => Some(Kind::Person),
        "auction" => Some(Kind::Auction),
        "bid" => Some(Kind::Bid),
        _ => None,
    }
}

/// The type in which a column is made.
pub(super) fn data_type_of(make: Make) -> DataType {
    match make {
        Make::Number(_) => DataType::Int64,
        Make::Time(_) => DataType::Timestamp(TimeUnit::Millisecond, None),
        Make::Text(_) => DataType::Utf8,
    }
}
