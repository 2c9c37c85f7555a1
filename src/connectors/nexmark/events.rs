//! Makes batches of events, of the columns that the plan reads.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBufferBuilder, Int32Array, Int64Array, RecordBatch, RecordBatchOptions,
    StringBuilder, StructArray, TimestampMillisecondArray,
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

    /// Goes through the events with these numbers that make rows. Each column does so
    /// anew: within a round nearly nothing changes from one event to the next.
    fn each(&self, rows: &RowNumbers, mut visit: impl FnMut(&Event)) {
        let per_round = self.model.round();
        let (mut numbers, mut millis) = (rows.numbers.as_slice(), rows.millis.as_slice());
        while let Some(&first) = numbers.first() {
            let (round, start) = (first / per_round, first % per_round);
            let count = in_a_row(numbers, per_round - start);
            for (kind, places) in self.model.places() {
                if self.only.is_some_and(|only| only != kind) {
                    continue;
                }
                let [from, to] = [places.start, places.end]
                    .map(|place| count.min(small(place.saturating_sub(start))));
                let offsets = from as u64..to as u64;
                let millis = millis.get(from..to).unwrap_or_default();
                for (offset, &millis) in offsets.zip(millis) {
                    let place = start + offset;
                    visit(&self.model.event(kind, round, place, first + offset, millis));
                }
            }
            numbers = numbers.get(count..).unwrap_or_default();
            millis = millis.get(count..).unwrap_or_default();
        }
    }

    fn column(&self, field: &Field, rows: &RowNumbers) -> ArrayRef {
        match (self.only, field.name().as_str(), field.data_type()) {
            (Some(kind), ..) => self.values(kind, field, rows, None),
            (None, "event_type", _) => {
                let mut types = Vec::with_capacity(rows.numbers.len());
                self.each(rows, |event| types.push(event.kind.event_type()));
                Arc::new(Int32Array::from(types))
            }
            (None, name, DataType::Struct(fields)) => self.record(name, fields, rows),
            _ => unreachable!("the options let no other column through"),
        }
    }

    /// The events of one kind as rows, null for the others.
    fn record(&self, name: &str, fields: &Fields, rows: &RowNumbers) -> ArrayRef {
        let kind = kind_of(name).expect("the options let no other column through");
        let mut nulls = BooleanBufferBuilder::new(rows.numbers.len());
        self.each(rows, |event| nulls.append(event.kind == kind));
        let nulls = NullBuffer::new(nulls.finish());
        let values = |field: &FieldRef| self.values(kind, field, rows, Some(&nulls));
        let columns: Vec<ArrayRef> = fields.iter().map(values).collect();
        let record = if columns.is_empty() {
            StructArray::new_empty_fields(nulls.len(), Some(nulls))
        } else {
            StructArray::new(fields.clone(), columns, Some(nulls))
        };
        Arc::new(record)
    }

    fn values(
        &self,
        kind: Kind,
        field: &Field,
        rows: &RowNumbers,
        nulls: Option<&NullBuffer>,
    ) -> ArrayRef {
        let column = columns_of(kind)
            .iter()
            .find(|column| column.name == field.name());
        let make = column
            .expect("the options let no other column through")
            .make;
        let number = |make: fn(&Model, &Event) -> i64| -> Vec<i64> {
            let mut values = Vec::with_capacity(rows.numbers.len());
            self.each(rows, |event| {
                values.push(if event.kind == kind {
                    make(&self.model, event)
                } else {
                    0
                });
            });
            values
        };
        match make {
            Make::Number(make) => Arc::new(Int64Array::new(number(make).into(), nulls.cloned())),
            Make::Time(make) => Arc::new(TimestampMillisecondArray::new(
                number(make).into(),
                nulls.cloned(),
            )),
            Make::Text(make) => {
                let mut values = StringBuilder::with_capacity(rows.numbers.len(), 0);
                let mut text = String::new();
                self.each(rows, |event| {
                    if event.kind == kind {
                        text.clear();
                        make(&self.model, &self.texts, event, &mut text);
                        values.append_value(&text);
                    } else {
                        values.append_null();
                    }
                });
                Arc::new(values.finish())
            }
        }
    }
}

impl RowMaker for Events {
    fn make(&self, rows: &RowNumbers) -> RecordBatch {
        let fields = self.schema.fields().iter();
        let columns: Vec<ArrayRef> = fields.map(|field| self.column(field, rows)).collect();
        let count = columns.first().map_or_else(
            || {
                let mut count = 0;
                self.each(rows, |_| count += 1);
                count
            },
            |column| column.len(),
        );
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .expect("the options compare the columns with what is made")
    }
}

/// How many of the first `max` numbers follow each other without a gap; if not all do,
/// only the first is counted. Numbers rise.
fn in_a_row(numbers: &[u64], max: u64) -> usize {
    let count = numbers.len().min(small(max));
    let ends = numbers.first().zip(numbers.get(count - 1));
    let has_gap = ends.is_some_and(|(first, last)| last - first >= count as u64);
    if has_gap { 1 } else { count }
}

fn small(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
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
