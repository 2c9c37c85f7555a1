//! Which index a key has.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use xxhash_rust::xxh3::xxh3_64;

use crate::expr::{Result, RowBytes};

/// The keys of a task, each with an index of its own: the place of everything that is
/// aggregated of it. An index that is free is used again.
pub(super) struct KeyIndex {
    bytes: RowBytes,
    table: HashTable<u32>,
    /// By index, as bytes.
    keys: Vec<Box<[u8]>>,
    free: Vec<u32>,
}

impl KeyIndex {
    pub fn new(keys: &Schema) -> Result<Self> {
        Ok(Self {
            bytes: RowBytes::new(keys.fields())?,
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
        let keys = self.bytes.encode(columns)?;
        Ok((0..rows).map(|row| self.index(keys.row(row))).collect())
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

    /// The key of an index, as bytes.
    pub fn key(&self, index: u32) -> &[u8] {
        &self.keys[index as usize]
    }

    /// The key columns of indexes.
    pub fn columns_of(&self, indexes: &[u32]) -> Result<Vec<ArrayRef>> {
        self.columns(indexes.iter().map(|index| self.key(*index)))
    }

    /// The columns of keys.
    pub fn columns<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        Ok(self.bytes.decode(keys)?)
    }
}

/// A batch of columns, of which there may be none.
pub(super) fn batch(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let schema = SchemaRef::clone(schema);
    Ok(RecordBatch::try_new_with_options(
        schema, columns, &options,
    )?)
}
