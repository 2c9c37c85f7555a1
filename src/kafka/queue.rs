//! Records by the batch, straight from the library's memory.
//!
//! One call takes thousands of records, where the safe interface makes an event, a
//! lock and an allocation of each. The queue is our own: partitions are forwarded to
//! it before they are assigned, so only records, ends of partitions and their errors
//! come here; everything else stays with the client's own queue.
#![expect(unsafe_code, reason = "the library hands over batches in C only")]

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use tokio::sync::Notify;

use super::aside::Aside;
use super::context::Context;
use super::{Error, Result};

/// A client with the queue into which its partitions are forwarded.
pub(super) struct MessageQueue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    wake: Arc<Notify>,
    /// Comes last: the queue must be gone before the client is.
    pub client: Aside<Arc<BaseConsumer<Context>>>,
}

// SAFETY: the library's queues and clients may be used from any thread.
unsafe impl Send for MessageQueue {}
// SAFETY: as above.
unsafe impl Sync for MessageQueue {}

impl MessageQueue {
    pub fn new(client: Arc<BaseConsumer<Context>>) -> Self {
        let wake = Arc::new(Notify::new());
        // SAFETY: the client is alive; `wake` outlives the callback, which `drop` takes away.
        let queue = unsafe {
            let queue = sys::rd_kafka_queue_new(client.client().native_ptr());
            sys::rd_kafka_queue_cb_event_enable(
                queue,
                Some(on_nonempty),
                Arc::as_ptr(&wake).cast_mut().cast(),
            );
            queue
        };
        Self {
            queue: NonNull::new(queue).expect("the library makes a queue or aborts"),
            wake,
            client: Aside::new(client),
        }
    }

    /// Lets the records of a partition come to this queue.
    ///
    /// # Errors
    /// If the topic has no such name.
    pub fn forward(&self, topic: &str, partition: i32) -> Result<()> {
        let bad = || Error::Fatal(format!("'{topic}' is no name of a topic"));
        let name = CString::new(topic).map_err(|_| bad())?;
        let client = self.client.client().native_ptr();
        // SAFETY: the client and both queues are alive; the reference to the
        // partition's queue is given back.
        unsafe {
            let from = sys::rd_kafka_queue_get_partition(client, name.as_ptr(), partition);
            if from.is_null() {
                return Err(bad());
            }
            sys::rd_kafka_queue_forward(from, self.queue.as_ptr());
            sys::rd_kafka_queue_destroy(from);
        }
        Ok(())
    }

    /// Resolves once something may have come since the last call of [`Self::take`].
    pub async fn filled(&self) {
        self.wake.notified().await;
    }

    /// Takes what is there, at most `max`, without waiting.
    pub fn take(self: &Arc<Self>, max: usize) -> Messages {
        let mut messages = Vec::with_capacity(max);
        // SAFETY: there is room for `max` pointers, of which the library writes as many as
        // it says. They are ours until `Messages` gives them back.
        unsafe {
            let (queue, room) = (self.queue.as_ptr(), messages.as_mut_ptr());
            let taken = sys::rd_kafka_consume_batch_queue(queue, 0, room, max);
            messages.set_len(usize::try_from(taken).unwrap_or(0));
        }
        Messages {
            taken: messages,
            next: 0,
            partition: None,
            _queue: Arc::clone(self),
        }
    }

    /// The end of a partition's log as the last fetch has shown it.
    pub fn high_watermark(&self, topic: &str, partition: i32) -> Option<i64> {
        let name = CString::new(topic).ok()?;
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the client is alive and the two numbers are there to be written.
        let code = unsafe {
            sys::rd_kafka_get_watermark_offsets(
                self.client.client().native_ptr(),
                name.as_ptr(),
                partition,
                &raw mut low,
                &raw mut high,
            )
        };
        let known = code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0;
        known.then_some(high)
    }
}

impl Drop for MessageQueue {
    fn drop(&mut self) {
        // SAFETY: nobody has the queue any more: `Messages` hold the owner.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

unsafe extern "C" fn on_nonempty(_: *mut sys::rd_kafka_t, wake: *mut c_void) {
    // SAFETY: it is the pointer that was given with the callback.
    let wake = unsafe { &*wake.cast::<Notify>() };
    wake.notify_one();
}

/// Messages that were taken from a queue; they are given back when this is dropped.
pub struct Messages {
    taken: Vec<*mut sys::rd_kafka_message_t>,
    next: usize,
    /// The partition whose records were found to be next.
    partition: Option<(usize, i32)>,
    _queue: Arc<MessageQueue>,
}

// SAFETY: messages belong to no thread.
unsafe impl Send for Messages {}
// SAFETY: through a shared reference `peek` alone gives a message, to this module's
// parent, and that only reads its fields.
unsafe impl Sync for Messages {}

impl Messages {
    /// The next record, if it is of the partition that [`super::Polled::Records`] has
    /// named; it stays the next until [`Self::pass`].
    pub fn next_of_partition(&mut self) -> Option<Message<'_>> {
        let message = self.peek()?;
        let partition = Some((message.topic_handle(), message.partition()));
        (partition == self.partition && message.error().is_none()).then_some(message)
    }

    /// Names the partition of the next message.
    pub(super) fn name_partition(&mut self, partition: (usize, i32)) {
        self.partition = Some(partition);
    }

    /// The next message, which stays the next until [`Self::pass`].
    pub(super) fn peek(&self) -> Option<Message<'_>> {
        let message = self.taken.get(self.next)?;
        // SAFETY: the library gave the pointer, and it is valid until it is destroyed.
        Some(Message(unsafe { &**message }))
    }

    /// Goes on to the message after it.
    pub fn pass(&mut self) {
        self.next += 1;
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        for message in &self.taken {
            // SAFETY: each is ours and destroyed once.
            unsafe { sys::rd_kafka_message_destroy(*message) };
        }
    }
}

/// A record, or what happened in its place.
#[derive(Clone, Copy)]
pub struct Message<'a>(&'a sys::rd_kafka_message_t);

impl<'a> Message<'a> {
    /// What tells its topic from others of the same consumer, faster than the name.
    pub(super) fn topic_handle(self) -> usize {
        self.0.rkt.addr()
    }

    /// Its topic's name.
    pub fn topic(self) -> &'a str {
        // SAFETY: the name lives as long as the topic, which the message holds.
        let name = unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(self.0.rkt)) };
        name.to_str().unwrap_or_default()
    }

    /// The number of its partition.
    pub fn partition(self) -> i32 {
        self.0.partition
    }

    /// Its place in the partition.
    pub fn offset(self) -> i64 {
        self.0.offset
    }

    /// Its time in milliseconds since 1970, -1 if it has none.
    pub fn timestamp(self) -> i64 {
        self.time().0
    }

    /// What its time means, in Kafka's words.
    pub fn timestamp_type(self) -> &'static str {
        use sys::rd_kafka_timestamp_type_t as Type;
        match self.time().1 {
            Type::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => "NoTimestampType",
            Type::RD_KAFKA_TIMESTAMP_CREATE_TIME => "CreateTime",
            Type::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => "LogAppendTime",
        }
    }

    fn time(self) -> (i64, sys::rd_kafka_timestamp_type_t) {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is the library's, and `kind` is there to be written.
        let millis = unsafe { sys::rd_kafka_message_timestamp(self.0, &raw mut kind) };
        (millis, kind)
    }

    /// The term of the leader that appended it, if the broker says.
    pub fn leader_epoch(self) -> Option<i32> {
        // SAFETY: the message is the library's.
        let epoch = unsafe { sys::rd_kafka_message_leader_epoch(self.0) };
        (epoch >= 0).then_some(epoch)
    }

    /// Its headers in order; a key may come again.
    pub fn headers(self) -> impl Iterator<Item = (Cow<'a, str>, Option<&'a [u8]>)> {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is the library's, and `headers` is there to be written. The
        // library takes the headers apart at the first call: nobody else can call it,
        // since `next_of_partition` has borrowed all messages for this thread alone.
        let code = unsafe { sys::rd_kafka_message_headers(self.0, &raw mut headers) };
        let has_some = code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        let places = 0..if has_some { usize::MAX } else { 0 };
        places.map_while(move |place| {
            let (mut name, mut value, mut length) = (ptr::null(), ptr::null(), 0);
            // SAFETY: the headers are there, and so are the three to be written.
            let code = unsafe {
                sys::rd_kafka_header_get_all(
                    headers,
                    place,
                    &raw mut name,
                    &raw mut value,
                    &raw mut length,
                )
            };
            if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return None;
            }
            // SAFETY: the library ends the name with a zero; the message holds it.
            let name = unsafe { CStr::from_ptr::<'a>(name) };
            Some((name.to_string_lossy(), bytes(value, length)))
        })
    }

    /// Why there is no record.
    pub(super) fn error(self) -> Option<RDKafkaErrorCode> {
        let code = self.0.err;
        (code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| code.into())
    }

    /// What the library says of the error.
    pub(super) fn error_text(self) -> String {
        String::from_utf8_lossy(self.payload().unwrap_or_default()).into_owned()
    }

    /// Its value; `None` is a tombstone.
    pub fn payload(self) -> Option<&'a [u8]> {
        bytes(self.0.payload, self.0.len)
    }

    /// Its key.
    pub fn key(self) -> Option<&'a [u8]> {
        bytes(self.0.key, self.0.key_len)
    }
}

fn bytes<'a>(start: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: the message holds so many bytes there, as long as it lives.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start.cast(), length) })
}
