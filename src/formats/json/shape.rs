//! What the objects of one place look like: which of their fields are columns, and
//! in which order the fields were seen to follow each other.

#![expect(
    clippy::inline_always,
    reason = "the cursor stays in registers only where each step is part of the loop"
)]

use std::collections::HashMap;

use arrow::datatypes::{DataType, FieldRef, Fields};

use super::cursor::Cursor;
use super::scan;
use super::sweep;

/// Names beyond this many are not learned, so that names without end take no memory.
const FIELDS_MAX: usize = 4_096;

/// Names longer than this are not learned.
const NAME_BYTES_MAX: usize = 256;

/// How many fields that are left out may be stepped over without a look-up.
const LEFT_OUT_MAX: usize = 3;

/// The fields of an object. It learns, so the next object is read faster.
#[derive(Debug)]
pub(super) struct Shape {
    fields: Vec<Field>,
    /// The place in `fields` of each name as it is written between its quotes.
    places: HashMap<Box<[u8]>, usize>,
    /// The columns by their names.
    columns: HashMap<Box<[u8]>, usize>,
    /// The field with which objects begin.
    first: usize,
    /// What is known of each column.
    slots: Vec<Slot>,
    /// The object at hand.
    object: u64,
}

#[derive(Debug)]
struct Slot {
    /// The object in which the column was found last.
    object: u64,
    inner: Inner,
}

/// What is inside the values of a column.
#[derive(Debug)]
pub(super) enum Inner {
    /// Nothing that has a shape.
    Nothing,
    /// The fields of a `ROW`.
    Row(Shape),
    /// The elements of an `ARRAY` or the values of a `MAP`.
    Elements(Box<Inner>),
}

/// A field and what was seen behind it.
#[derive(Debug)]
struct Field {
    labels: Labels,
    column: Option<usize>,
    next: usize,
}

/// A name with its quotes and the colon, so that one comparison finds all of it.
#[derive(Debug)]
struct Label {
    bytes: Box<[u8]>,
    /// The first sixteen bytes in two words, and which of them belong to the label.
    head: [u64; 2],
    mask: [u64; 2],
}

/// A field's label at the beginning of an object, and behind a comma.
#[derive(Debug)]
struct Labels {
    first: Label,
    behind_comma: Label,
}

/// A field that was found in a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Its place in what was learned, if it was.
    pub place: Option<usize>,
    /// The column that it is.
    pub column: Option<usize>,
    /// The place of the field that is expected behind it.
    next: usize,
}

impl Field {
    #[inline(always)]
    fn found_at(&self, place: usize) -> Found {
        Found {
            place: Some(place),
            column: self.column,
            next: self.next,
        }
    }
}

impl Label {
    fn new(before: &[u8], name: &[u8]) -> Self {
        let bytes = [before, b"\"", name, b"\":"].concat();
        let mut head = [0; 16];
        let mut mask = [0; 16];
        for ((byte, head), mask) in bytes.iter().zip(&mut head).zip(&mut mask) {
            (*head, *mask) = (*byte, 0xff);
        }
        Self {
            bytes: bytes.into(),
            head: words(&head),
            mask: words(&mask),
        }
    }

    #[inline(always)]
    fn stands_at(&self, cursor: &Cursor) -> bool {
        let Some(chunk) = cursor.chunk() else {
            return cursor.rest().starts_with(&self.bytes);
        };
        let ([first, second], [first_mask, second_mask]) = (words(chunk), self.mask);
        // One word after the other: a name seldom differs, and mostly in the first.
        if first & first_mask != self.head[0] || second & second_mask != self.head[1] {
            return false;
        }
        self.bytes.len() <= 16 || cursor.rest().starts_with(&self.bytes)
    }
}

/// Sixteen bytes as two words.
#[inline(always)]
fn words(bytes: &[u8; 16]) -> [u64; 2] {
    [0, 8].map(|at| {
        let word = bytes.get(at..).and_then(<[u8]>::first_chunk);
        u64::from_le_bytes(word.copied().unwrap_or_default())
    })
}

impl Inner {
    fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Struct(fields) => Self::Row(Shape::new(fields)),
            DataType::List(element) => Self::Elements(Box::new(Self::new(element.data_type()))),
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) => {
                    let value = fields.last().map(|value| Self::new(value.data_type()));
                    Self::Elements(Box::new(value.unwrap_or(Self::Nothing)))
                }
                _ => Self::Nothing,
            },
            _ => Self::Nothing,
        }
    }
}

impl Shape {
    /// Objects whose fields are these columns, and perhaps others.
    pub(super) fn new(columns: &Fields) -> Self {
        let slot = |column: &FieldRef| Slot {
            object: 0,
            inner: Inner::new(column.data_type()),
        };
        let mut shape = Self {
            fields: Vec::with_capacity(columns.len()),
            places: HashMap::new(),
            columns: HashMap::new(),
            first: 0,
            slots: columns.iter().map(slot).collect(),
            object: 0,
        };
        for (place, column) in columns.iter().enumerate() {
            let name = column.name().as_bytes();
            shape.columns.insert(name.into(), place);
            // Other names are written with escapes, in one of several ways.
            if sweep::special(name, 0) == name.len() {
                let field = shape.learn(name, Some(place));
                if let Some(field) = shape.fields.get_mut(field) {
                    field.next = shape.places.len();
                }
            }
        }
        shape
    }

    /// Begins another object.
    #[inline(always)]
    pub(super) fn begin(&mut self) {
        self.object += 1;
    }

    /// Notes that a column was found in this object, and gives what is inside its values;
    /// `None` if it was found before.
    #[inline(always)]
    pub(super) fn note(&mut self, column: usize) -> Option<&mut Inner> {
        let slot = self.slots.get_mut(column)?;
        let is_new = slot.object != self.object;
        slot.object = self.object;
        is_new.then_some(&mut slot.inner)
    }

    /// Whether a column was found in this object.
    pub(super) fn has(&self, column: usize) -> bool {
        let slot = self.slots.get(column);
        slot.is_some_and(|slot| slot.object == self.object)
    }

    /// What stands before the first field.
    #[inline(always)]
    pub(super) fn start(&self) -> Found {
        Found {
            place: None,
            column: None,
            next: self.first,
        }
    }

    /// Steps over the name that stands here, to the field's value or to space before it.
    /// `before` is the field before it.
    #[inline(always)]
    pub(super) fn name(&mut self, cursor: &mut Cursor, before: Found) -> Option<Found> {
        match self.fields.get(before.next) {
            Some(field) if field.labels.first.stands_at(cursor) => {
                cursor.step(field.labels.first.bytes.len());
                Some(field.found_at(before.next))
            }
            _ => {
                let (found, at) = self.unexpected_name(*cursor, before)?;
                cursor.go_to(at);
                Some(found)
            }
        }
    }

    /// Steps over a comma and the name that is expected behind it, if they stand here.
    #[inline(always)]
    pub(super) fn expected_name(&self, cursor: &mut Cursor, before: Found) -> Option<Found> {
        let field = self.fields.get(before.next)?;
        let label = &field.labels.behind_comma;
        label.stands_at(cursor).then(|| {
            cursor.step(label.bytes.len());
            field.found_at(before.next)
        })
    }

    /// Steps over a name with space before it, or of another field.
    #[inline(never)]
    fn unexpected_name(&mut self, mut cursor: Cursor, before: Found) -> Option<(Found, usize)> {
        if cursor.byte() <= b' ' {
            let at = cursor.at();
            cursor.next_byte();
            if cursor.at() == at {
                return None;
            }
            let found = self.name(&mut cursor, before)?;
            return Some((found, cursor.at()));
        }
        // A field that is left out now and then does not change what follows what.
        let mut place = before.next;
        for _ in 0..LEFT_OUT_MAX {
            place = self
                .fields
                .get(place)
                .map_or(usize::MAX, |field| field.next);
            if let Some(field) = self.fields.get(place)
                && field.labels.first.stands_at(&cursor)
            {
                cursor.step(field.labels.first.bytes.len());
                return Some((field.found_at(place), cursor.at()));
            }
        }
        let name = cursor.string()?;
        cursor.colon()?;
        let found = match self.places.get(name.bytes) {
            Some(place) => self.fields.get(*place)?.found_at(*place),
            None => self.unknown(name.bytes),
        };
        if let Some(place) = found.place {
            match before.place.and_then(|before| self.fields.get_mut(before)) {
                Some(before) => before.next = place,
                None => self.first = place,
            }
        }
        Some((found, cursor.at()))
    }

    /// A name that was not seen before, as it is written.
    fn unknown(&mut self, written: &[u8]) -> Found {
        let mut name = Vec::new();
        scan::unescape_into(written, &mut name);
        let column = self.columns.get(name.as_slice()).copied();
        let has_room = self.fields.len() < FIELDS_MAX && written.len() <= NAME_BYTES_MAX;
        Found {
            place: has_room.then(|| self.learn(written, column)),
            column,
            next: if has_room { usize::MAX } else { self.first },
        }
    }

    fn learn(&mut self, written: &[u8], column: Option<usize>) -> usize {
        let place = self.fields.len();
        self.places.insert(written.into(), place);
        self.fields.push(Field {
            labels: Labels {
                first: Label::new(b"", written),
                behind_comma: Label::new(b",", written),
            },
            column,
            // Nothing is known to follow yet.
            next: usize::MAX,
        });
        place
    }
}
