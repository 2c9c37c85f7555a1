//! Which index a key has.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use arrow::row::{RowConverter, SortField};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use xxhash_rust::xxh3::xxh3_64;

use crate::expr::{Error, Result};

/// The keys of a task, each with an index of its own: the place of everything that is
/// aggregated of it. A index that is free is used again.
pub(super) struct KeyIndex {
    converter: RowConverter,
    num_columns: usize,
    table: HashTable<u32>,
    /// By index, as the converter writes them.
    keys: Vec<Box<[u8]>>,
    free: Vec<u32>,
}

impl KeyIndex {
    pub fn new(keys: &Schema) -> Result<Self> {
        Ok(Self {
            converter: converter(keys)?,
            num_columns: keys.fields().len(),
            table: HashTable::new(),
            keys: Vec::new(),
            free: Vec::new(),
        })
    }

    /// One more than the highest index that there has been.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The indexes of the keys of `rows` rows; keys that are new get one.
    pub fn indexes(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Vec<u32>> {
        if self.num_columns == 0 {
            let only = self.index(&[]);
            return Ok(vec![only; rows]);
        }
        let keys = self.converter.convert_columns(columns)?;
        let mut indexes = Vec::with_capacity(rows);
        for key in &keys {
            indexes.push(self.index(key.as_ref()));
        }
        Ok(indexes)
    }

    fn index(&mut self, key: &[u8]) -> u32 {
        let Self {
            table, keys, free, ..
        } = self;
        let of_index = |index: &u32| xxh3_64(&keys[*index as usize]);
        let entry = table.entry(
            xxh3_64(key),
            |index| *keys[*index as usize] == *key,
            of_index,
        );
        match entry {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let index = free.pop().unwrap_or_else(|| {
                    u32::try_from(keys.len()).expect("a task has fewer than 2^32 keys")
                });
                new.insert(index);
                if index as usize == keys.len() {
                    keys.push(key.into());
                } else {
                    keys[index as usize] = key.into();
                }
                index
            }
        }
    }

    /// Forgets a key; its index goes to another.
    pub fn remove(&mut self, index: u32) -> Box<[u8]> {
        let key = std::mem::take(&mut self.keys[index as usize]);
        let entry = self.table.find_entry(xxh3_64(&key), |own| *own == index);
        entry.expect("an index that is in use has a key").remove();
        self.free.push(index);
        key
    }

    /// The key of an index, as the converter writes it.
    pub fn key(&self, index: u32) -> &[u8] {
        &self.keys[index as usize]
    }

    /// The key columns of indexes.
    pub fn columns_of(&self, indexes: &[u32]) -> Result<Vec<ArrayRef>> {
        self.columns(indexes.iter().map(|index| self.key(*index)))
    }

    /// The columns of keys, as the converter writes them.
    pub fn columns<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        if self.num_columns == 0 {
            return Ok(Vec::new());
        }
        columns_of(&self.converter, keys)
    }
}

/// A converter of rows with these columns.
pub(super) fn converter(schema: &Schema) -> Result<RowConverter> {
    let fields = schema.fields().iter();
    let fields = fields.map(|field| SortField::new(field.data_type().clone()));
    Ok(RowConverter::new(fields.collect())?)
}

/// The columns of rows that a converter has written.
pub(super) fn columns_of<'a>(
    converter: &RowConverter,
    rows: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<ArrayRef>> {
    let parser = converter.parser();
    Ok(converter.convert_rows(rows.map(|row| parser.parse(row)))?)
}

/// A batch of columns, of which there may be none.
pub(super) fn batch(
    schema: &arrow::datatypes::SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(schema.clone(), columns, &options);
    batch.map_err(Error::from)
}
