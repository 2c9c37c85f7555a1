//! Which index a key has.

use arrow::array::ArrayRef;
use arrow::datatypes::Fields;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use xxhash_rust::xxh3::xxh3_64;

use super::{EncodedRows, Result, RowBytes};

/// The keys of a task, each with an index of its own: the place of everything that is
/// aggregated of it. An index that is free is used again.
pub struct KeyIndex {
    bytes: RowBytes,
    table: HashTable<u32>,
    /// By index, as bytes.
    keys: Vec<Box<[u8]>>,
    free: Vec<u32>,
}

impl KeyIndex {
    /// No keys yet, of these columns.
    ///
    /// # Errors
    /// If one of them is of a type whose values cannot be keys.
    pub fn new(keys: &Fields) -> Result<Self> {
        Ok(Self {
            bytes: RowBytes::new(keys)?,
            table: HashTable::new(),
            keys: Vec::new(),
            free: Vec::new(),
        })
    }

    /// One more than the highest index that there has been.
    pub fn index_bound(&self) -> usize {
        self.keys.len()
    }

    /// Keys as the bytes under which they are known.
    ///
    /// # Errors
    /// If the columns are not of the types.
    pub fn encode(&self, columns: &[ArrayRef]) -> Result<EncodedRows> {
        Ok(self.bytes.encode(columns)?)
    }

    /// The indexes of the keys of `rows` rows; keys that are new get one.
    ///
    /// # Errors
    /// If the columns are not of the types.
    pub fn indexes(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Vec<u32>> {
        let keys = self.encode(columns)?;
        Ok((0..rows).map(|row| self.index(keys.row(row))).collect())
    }

    /// The index of a key, which it gets if it is new.
    pub fn index(&mut self, key: &[u8]) -> u32 {
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
    ///
    /// # Errors
    /// As [`Self::columns`].
    pub fn columns_of(&self, indexes: impl IntoIterator<Item = u32>) -> Result<Vec<ArrayRef>> {
        self.columns(indexes.into_iter().map(|index| self.key(index)))
    }

    /// The columns of keys.
    ///
    /// # Errors
    /// If the bytes are not those of keys.
    pub fn columns<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        Ok(self.bytes.decode(keys)?)
    }
}
