//! Rows as bytes: an Arrow IPC message and its body under a checksum, without
//! the schema, which the operator brings.
//!
//! ```text
//! checksum u64 | kind u8 | length of the message u32 | message | body
//! ```
//! Numbers are little-endian; the checksum (xxh3) covers all that follows it.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow_ipc::reader::RecordBatchDecoder;
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};
use arrow_ipc::{FieldNode, MetadataVersion, root_as_message};
use xxhash_rust::xxh3::xxh3_64;

use super::{DeltaKind, Error, Result};

/// The largest blob that is written if more than one row has to fit. With its
/// key it fills a page of redb, whose pages are 4 KiB times a power of two.
const BLOB_BYTES_MAX: usize = 64 * 1024 - KEY_BYTES;

/// Room for the key and the bookkeeping of redb beside a blob.
const KEY_BYTES: usize = 256;

/// What a blob of no rows takes, about, and each column of it.
const BLOB_BYTES_MIN: usize = 128;
const COLUMN_BYTES: usize = 96;

/// What is smaller than this is not cut for the sake of full pages.
const ROOM_BYTES_MIN: usize = 8 * 1024;

const HEAD_BYTES: usize = 8 + 1 + 4;
const PUT: u8 = 1;
const MERGE: u8 = 2;

/// Encodes rows into blobs of bounded size.
pub(super) struct Encoder {
    options: IpcWriteOptions,
    context: IpcWriteContext,
}

/// One blob and the rows that it holds.
pub(super) struct Blob {
    /// The place of its first row in the batch that was encoded.
    pub first_row: usize,
    pub bytes: Vec<u8>,
}

impl Encoder {
    pub fn new() -> Self {
        Self {
            options: IpcWriteOptions::try_new(8, false, MetadataVersion::V5)
                .expect("8 is an alignment of IPC"),
            context: IpcWriteContext::default(),
        }
    }

    /// The rows of `records` in blobs, in order. A blob exceeds the size only if
    /// a single row does.
    pub fn encode(&mut self, kind: DeltaKind, records: &RecordBatch) -> Result<Vec<Blob>> {
        let rows = records.num_rows();
        let overhead = BLOB_BYTES_MIN + COLUMN_BYTES * records.num_columns();
        let row_bytes = slice_bytes(records).div_ceil(rows.max(1)).max(1);
        let mut blobs = Vec::new();
        let mut start = 0;
        while start < rows {
            let room = room_for(overhead + (rows - start) * row_bytes);
            let mut take = (room.saturating_sub(overhead) / row_bytes).clamp(1, rows - start);
            let bytes = loop {
                let bytes = self.encode_blob(kind, &records.slice(start, take))?;
                if bytes.len() <= BLOB_BYTES_MAX || take == 1 {
                    break bytes;
                }
                take = take.div_ceil(2);
            };
            blobs.push(Blob {
                first_row: start,
                bytes,
            });
            start += take;
        }
        Ok(blobs)
    }

    fn encode_blob(&mut self, kind: DeltaKind, records: &RecordBatch) -> Result<Vec<u8>> {
        let (dictionaries, data) = IpcDataGenerator::default()
            .encode(
                records,
                &mut DictionaryTracker::new(false),
                &self.options,
                &mut self.context,
            )
            .map_err(|error| refused("encode", &error))?;
        assert!(
            dictionaries.is_empty(),
            "rows of the state have no dictionaries"
        );
        let message_bytes =
            u32::try_from(data.ipc_message.len()).expect("a message is far below 4 GiB");
        let mut bytes =
            Vec::with_capacity(HEAD_BYTES + data.ipc_message.len() + data.arrow_data.len());
        bytes.extend_from_slice(&[0; 8]);
        bytes.push(match kind {
            DeltaKind::Put => PUT,
            DeltaKind::Merge => MERGE,
        });
        bytes.extend_from_slice(&message_bytes.to_le_bytes());
        bytes.extend_from_slice(&data.ipc_message);
        bytes.extend_from_slice(&data.arrow_data);
        let (checksum, rest) = bytes.split_at_mut(8);
        checksum.copy_from_slice(&xxh3_64(rest).to_le_bytes());
        Ok(bytes)
    }
}

/// The rows of a blob, which have the columns `schema`.
///
/// # Errors
/// If the bytes are not what [`Encoder::encode`] made for this schema.
pub(super) fn decode(schema: &SchemaRef, bytes: &[u8]) -> Result<(DeltaKind, RecordBatch)> {
    let (kind, message_bytes, body) =
        split(bytes).ok_or_else(|| corrupt("it is too short or altered"))?;
    let kind = match kind {
        PUT => DeltaKind::Put,
        MERGE => DeltaKind::Merge,
        other => return Err(corrupt(format_args!("it is of the unknown kind {other}"))),
    };
    let message = root_as_message(message_bytes).map_err(corrupt)?;
    let batch = message
        .header_as_record_batch()
        .ok_or_else(|| corrupt("it holds no rows"))?;
    check_shape(schema, batch, body.len())
        .ok_or_else(|| corrupt("a column has no proper shape"))?;
    if !(0..=i64::from(u32::MAX)).contains(&batch.length()) {
        return Err(corrupt("its number of rows is impossible"));
    }
    let records = RecordBatchDecoder::try_new(
        &Buffer::from(body),
        batch,
        schema.clone(),
        &HashMap::new(),
        &message.version(),
    )
    .and_then(RecordBatchDecoder::read_record_batch)
    .map_err(corrupt)?;
    Ok((kind, records))
}

/// Checks what Arrow takes on trust and would panic at: that every buffer lies in
/// the body, that every validity bitmap
/// covers its column, and that offsets are whole.
fn check_shape(
    schema: &SchemaRef,
    batch: arrow_ipc::RecordBatch<'_>,
    body_bytes: usize,
) -> Option<()> {
    for buffer in batch.buffers()? {
        let offset = usize::try_from(buffer.offset()).ok()?;
        let length = usize::try_from(buffer.length()).ok()?;
        if offset.checked_add(length)? > body_bytes {
            return None;
        }
    }
    let mut nodes = batch.nodes()?.iter();
    let mut buffers = batch.buffers()?.iter();
    for field in schema.fields() {
        check_column(field.data_type(), &mut nodes, &mut buffers)?;
    }
    Some(())
}

fn check_column<'a>(
    data_type: &DataType,
    nodes: &mut impl Iterator<Item = &'a FieldNode>,
    buffers: &mut impl Iterator<Item = &'a arrow_ipc::Buffer>,
) -> Option<()> {
    let node = nodes.next()?;
    let rows = u64::try_from(node.length()).ok()?;
    let null_rows = u64::try_from(node.null_count()).ok()?;
    if *data_type == DataType::Null {
        return Some(());
    }
    let bitmap_bytes = u64::try_from(buffers.next()?.length()).ok()?;
    if null_rows > rows || (null_rows > 0 && bitmap_bytes < rows.div_ceil(8)) {
        return None;
    }
    match data_type {
        DataType::Struct(fields) => {
            for field in fields {
                check_column(field.data_type(), nodes, buffers)?;
            }
        }
        DataType::List(field) | DataType::Map(field, _) => {
            check_offsets::<i32>(buffers.next()?)?;
            check_column(field.data_type(), nodes, buffers)?;
        }
        DataType::LargeList(field) => {
            check_offsets::<i64>(buffers.next()?)?;
            check_column(field.data_type(), nodes, buffers)?;
        }
        DataType::FixedSizeList(field, _) => check_column(field.data_type(), nodes, buffers)?,
        DataType::Utf8 | DataType::Binary => {
            check_offsets::<i32>(buffers.next()?)?;
            buffers.next()?;
        }
        DataType::LargeUtf8 | DataType::LargeBinary => {
            check_offsets::<i64>(buffers.next()?)?;
            buffers.next()?;
        }
        other if other.is_primitive() || *other == DataType::Boolean => {
            buffers.next()?;
        }
        DataType::FixedSizeBinary(_) => {
            buffers.next()?;
        }
        // No operator keeps columns of other types.
        _ => return None,
    }
    Some(())
}

/// Arrow views the offsets of texts and lists as whole numbers of type `T`.
fn check_offsets<T>(buffer: &arrow_ipc::Buffer) -> Option<()> {
    let bytes = usize::try_from(buffer.length()).ok()?;
    bytes.is_multiple_of(size_of::<T>()).then_some(())
}

/// The kind, the message and the body of a blob whose checksum is right.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (checksum, rest) = bytes.split_first_chunk::<8>()?;
    if u64::from_le_bytes(*checksum) != xxh3_64(rest) {
        return None;
    }
    let (&kind, rest) = rest.split_first()?;
    let (message_bytes, rest) = rest.split_first_chunk::<4>()?;
    let message_bytes = usize::try_from(u32::from_le_bytes(*message_bytes)).ok()?;
    let (message, body) = rest.split_at_checked(message_bytes)?;
    Some((kind, message, body))
}

/// The largest blob that wastes little of a page of redb when `bytes` are left:
/// a power of two of 4 KiB, less the room for the key.
fn room_for(bytes: usize) -> usize {
    let mut room = BLOB_BYTES_MAX + KEY_BYTES;
    while room > ROOM_BYTES_MIN && bytes < room - KEY_BYTES {
        room /= 2;
    }
    room - KEY_BYTES
}

/// The bytes of the rows of a batch, not of the buffers that they are part of.
fn slice_bytes(records: &RecordBatch) -> usize {
    let bytes_of = |column: &arrow::array::ArrayRef| {
        let data = column.to_data();
        data.get_slice_memory_size()
            .unwrap_or_else(|_| data.get_buffer_memory_size())
    };
    records.columns().iter().map(bytes_of).sum()
}

fn corrupt(why: impl std::fmt::Display) -> Error {
    Error::Corrupt(format!("a blob of rows cannot be read: {why}"))
}

fn refused(act: &str, error: &ArrowError) -> Error {
    Error::Corrupt(format!("cannot {act} rows of the state: {error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Decimal128Array, Int64Array, ListArray, StringArray};
    use arrow::datatypes::{Int64Type, UInt64Type};
    use proptest::prelude::*;

    use super::*;

    fn records(columns: Vec<ArrayRef>) -> RecordBatch {
        let names = (0..columns.len()).map(|column| format!("c{column}"));
        RecordBatch::try_from_iter_with_nullable(
            names
                .zip(columns)
                .map(|(name, column)| (name, column, true)),
        )
        .unwrap()
    }

    fn wide(rows: usize, text_bytes: usize) -> RecordBatch {
        let number = |row| i64::try_from(row).unwrap();
        let numbers: Int64Array = (0..rows)
            .map(|row| (row % 7 != 0).then_some(number(row)))
            .collect();
        let text = "x".repeat(text_bytes);
        let texts: StringArray = (0..rows)
            .map(|row| (row % 5 != 0).then_some(&text))
            .collect();
        let decimals = Decimal128Array::from_iter_values((0..rows).map(|row| row as i128));
        let lists = ListArray::from_iter_primitive::<UInt64Type, _, _>(
            (0..rows).map(|row| Some((0..row as u64 % 4).map(Some))),
        );
        records(vec![
            Arc::new(numbers),
            Arc::new(texts),
            Arc::new(decimals),
            Arc::new(lists),
        ])
    }

    #[test]
    fn rows_come_back_in_blobs_that_fill_pages() {
        for (rows, text_bytes) in [(0, 0), (1, 0), (1, 200_000), (3, 70_000), (10_000, 90)] {
            let all = wide(rows + 20, text_bytes);
            let records = all.slice(10, rows);
            let blobs = Encoder::new().encode(DeltaKind::Merge, &records).unwrap();
            let mut next = 0;
            for blob in &blobs {
                let (kind, decoded) = decode(&records.schema(), &blob.bytes).unwrap();
                assert_eq!(kind, DeltaKind::Merge);
                assert_eq!(blob.first_row, next);
                assert_eq!(decoded, records.slice(next, decoded.num_rows()));
                assert!(blob.bytes.len() <= BLOB_BYTES_MAX || decoded.num_rows() == 1);
                next += decoded.num_rows();
            }
            assert_eq!(next, rows);
            if rows == 10_000 {
                let bytes: usize = blobs.iter().map(|blob| blob.bytes.len()).sum();
                let room = |blob: &Blob| (blob.bytes.len() + KEY_BYTES).next_power_of_two();
                let room: usize = blobs.iter().map(room).sum();
                assert!(room * 10 < bytes * 11, "{room} bytes of pages for {bytes}");
            }
        }
    }

    #[test]
    fn another_schema_is_refused() {
        let number: ArrayRef = Arc::new(Int64Array::from_iter_values(0..9));
        let numbers = records(vec![number]);
        let blob = Encoder::new().encode(DeltaKind::Put, &numbers).unwrap();
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        for wrong in [wide(0, 0).schema(), records(vec![text.clone()]).schema()] {
            assert!(decode(&wrong, &blob[0].bytes).is_err());
        }
    }

    proptest! {
        #[test]
        fn altered_bytes_are_refused(place in 0_usize..2_000, bits in 1_u8.., cut in 0_usize..2_000) {
            let records = wide(20, 8);
            let mut bytes = Encoder::new().encode(DeltaKind::Put, &records).unwrap().remove(0).bytes;
            let cut = cut % bytes.len();
            prop_assert!(decode(&records.schema(), &bytes[..cut]).is_err());
            let place = place % bytes.len();
            bytes[place] ^= bits;
            prop_assert!(decode(&records.schema(), &bytes).is_err());
        }

        /// Even if the checksum is right by bad luck, nothing panics.
        #[test]
        fn altered_bytes_never_panic(place in 8_usize..2_000, bits in 1_u8..) {
            let records = wide(20, 8);
            let mut bytes = Encoder::new().encode(DeltaKind::Put, &records).unwrap().remove(0).bytes;
            let place = 8 + place % (bytes.len() - 8);
            bytes[place] ^= bits;
            let (checksum, rest) = bytes.split_at_mut(8);
            checksum.copy_from_slice(&xxh3_64(rest).to_le_bytes());
            if let Ok((_, read)) = decode(&records.schema(), &bytes) {
                prop_assert!(read.column(0).as_any().is::<Int64Array>());
                let _ = arrow::array::AsArray::as_primitive::<Int64Type>(read.column(0));
            }
        }
    }
}
