//! Records as an encoder has written them, one behind the other.

/// Room for records, which is used again after they were sent.
#[derive(Debug, Default)]
pub struct EncodedRecords {
    bytes: Vec<u8>,
    /// The offset behind each record and its terminator.
    ends: Vec<usize>,
    terminator: &'static [u8],
}

impl EncodedRecords {
    /// Records that are lines: a line feed ends each.
    pub fn lines() -> Self {
        Self {
            terminator: b"\n",
            ..Self::default()
        }
    }

    /// Adds what `write` appends as a record.
    ///
    /// # Errors
    /// If `write` fails; what it has appended is taken back then.
    pub fn push<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let start = self.bytes.len();
        write(&mut self.bytes).inspect_err(|_| self.bytes.truncate(start))?;
        match self.terminator {
            // Mostly one byte, which takes no call.
            [byte] => self.bytes.push(*byte),
            terminator => self.bytes.extend_from_slice(terminator),
        }
        self.ends.push(self.bytes.len());
        Ok(())
    }

    /// All records, each with its terminator.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, without the room.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The records without their terminators.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let record = self.bytes.get(start..end - self.terminator.len());
            start = end;
            record.unwrap_or_default()
        })
    }

    /// Forgets the records and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}
