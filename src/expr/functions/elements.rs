//! The elements of arrays in one pool, from which rows pick those of their results.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field};
use arrow::row::{Row, RowConverter, Rows, SortField};
use datafusion_common::{Result, exec_err};

/// The elements of several arguments of one batch, and which each row has of them.
pub(super) struct Elements {
    pool: ArrayRef,
    keys: Rows,
    ranges: Vec<Ranges>,
}

/// Where the elements of each row stand in the pool; `None` is a null array.
type Ranges = Vec<Option<Range<usize>>>;

/// Elements that rows have picked; `None` is null.
pub(super) type Picks = Vec<Option<Vec<usize>>>;

impl Elements {
    /// The elements of arguments: of each array its elements, of others the value of the
    /// row. All are of one type.
    pub(super) fn of(arguments: &[&ArrayRef], are_lists: &[bool]) -> Result<Self> {
        let mut parts: Vec<ArrayRef> = Vec::new();
        let mut ranges = Vec::new();
        let mut base = 0;
        for (argument, is_list) in arguments.iter().zip(are_lists) {
            let (part, own): (ArrayRef, Ranges) = if *is_list {
                let list = argument.as_list::<i32>();
                let ends = list.value_offsets();
                let range = |row: usize| {
                    let bound = |place: usize| usize::try_from(ends[place]).unwrap_or(0) + base;
                    list.is_valid(row).then(|| bound(row)..bound(row + 1))
                };
                (
                    Arc::clone(list.values()),
                    (0..list.len()).map(range).collect(),
                )
            } else {
                let rows = 0..argument.len();
                let ranges = rows.map(|row| Some(base + row..base + row + 1));
                (Arc::clone(argument), ranges.collect())
            };
            base += part.len();
            parts.push(part);
            ranges.push(own);
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        let pool = concat(&parts)?;
        let converter = RowConverter::new(vec![SortField::new(pool.data_type().clone())])?;
        let keys = converter.convert_columns(&[Arc::clone(&pool)])?;
        Ok(Self { pool, keys, ranges })
    }

    /// The places in the pool of what a row has of an argument.
    pub(super) fn range(&self, argument: usize, row: usize) -> Option<Range<usize>> {
        self.ranges.get(argument)?.get(row)?.clone()
    }

    /// What equal elements have in common, and by which they are sorted.
    pub(super) fn key(&self, place: usize) -> Row<'_> {
        self.keys.row(place)
    }

    pub(super) fn is_null(&self, place: usize) -> bool {
        self.pool.is_null(place)
    }

    /// The places without those whose elements stand before them, too.
    pub(super) fn distinct(&self, places: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut known = std::collections::HashSet::new();
        let places = places.into_iter();
        places
            .filter(|place| known.insert(self.key(*place)))
            .collect()
    }

    /// An array for each row.
    pub(super) fn lists(&self, picks: &Picks) -> Result<ArrayRef> {
        let lengths = picks.iter().map(|picks| picks.as_ref().map_or(0, Vec::len));
        let total: usize = lengths.clone().sum();
        if i32::try_from(total).is_err() {
            return exec_err!("the arrays of a batch are too long");
        }
        let nulls: NullBuffer = picks.iter().map(Option::is_some).collect();
        let places = picks.iter().flatten().flatten().copied();
        let elements = self.taken(places.map(Some))?;
        let field = Arc::new(element_field(self.pool.data_type().clone()));
        let ends = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(ListArray::try_new(
            field,
            ends,
            elements,
            Some(nulls),
        )?))
    }

    /// An element for each row.
    pub(super) fn values(&self, picks: &[Option<usize>]) -> Result<ArrayRef> {
        self.taken(picks.iter().copied())
    }

    fn taken(&self, places: impl Iterator<Item = Option<usize>>) -> Result<ArrayRef> {
        let places = places.map(|place| place.and_then(|place| u32::try_from(place).ok()));
        let places: UInt32Array = places.collect();
        Ok(take(&self.pool, &places, None)?)
    }
}

/// The field of the elements of an array.
pub(super) fn element_field(data_type: DataType) -> Field {
    Field::new("element", data_type, true)
}

/// The type of an array of these elements.
pub(super) fn list_of(data_type: DataType) -> DataType {
    DataType::List(Arc::new(element_field(data_type)))
}

/// The type of the elements of an array.
pub(super) fn element_type(list: &DataType) -> DataType {
    match list {
        DataType::List(element) => element.data_type().clone(),
        _ => DataType::Null,
    }
}
