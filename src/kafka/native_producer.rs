//! A producer over the library's C interface, which counts what it sends.
//!
//! The crate's own producer neither lets requests be counted nor flushes without waiting a
//! tenth of a second.

#![expect(
    unsafe_code,
    reason = "the library counts only through its C interface"
)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext as _};
use rdkafka::config::{FromClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::types::RDKafkaType;
use rdkafka::{ClientConfig, TopicPartitionList};

use super::context::Context;
use super::producer::{Header, Record};

/// How long the thread that hears the library waits at a time.
const HEARING_MS: c_int = 1_000;

/// What the library takes for no partition in particular.
const ANY_PARTITION: i32 = -1;

/// A request whose copies must be told apart from new ones, by Kafka's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub(super) enum Request {
    EndTxn = 26,
    TxnOffsetCommit = 28,
}

/// How often a request was sent.
#[derive(Default)]
struct Sent {
    end_txn: AtomicU64,
    txn_offset_commit: AtomicU64,
}

impl Sent {
    fn of(&self, request: i16) -> Option<&AtomicU64> {
        if request == Request::EndTxn as i16 {
            Some(&self.end_txn)
        } else if request == Request::TxnOffsetCommit as i16 {
            Some(&self.txn_offset_commit)
        } else {
            None
        }
    }
}

/// A call that has failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub code: RDKafkaErrorCode,
    pub text: String,
}

/// The producer. What it has to say is heard by a thread of its own.
pub(super) struct NativeProducer {
    hearing: Arc<Hearing>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread shares with the producer.
struct Hearing {
    /// Goes before what it counts in.
    client: Client<Context>,
    queue: *mut sys::rd_kafka_queue_t,
    is_over: AtomicBool,
    sent: Arc<Sent>,
}

// SAFETY: the library's queues may be used by any thread.
unsafe impl Send for Hearing {}
// SAFETY: and by several at once.
unsafe impl Sync for Hearing {}

impl FromClientConfig for NativeProducer {
    fn from_config(_: &ClientConfig) -> KafkaResult<Self> {
        unreachable!("a producer is made with somebody who hears it")
    }
}

impl FromClientConfigAndContext<Context> for NativeProducer {
    fn from_config_and_context(config: &ClientConfig, context: Context) -> KafkaResult<Self> {
        let native = config.create_native_config()?;
        let sent = Arc::new(Sent::default());
        let events = sys::RD_KAFKA_EVENT_DR
            | sys::RD_KAFKA_EVENT_ERROR
            | sys::RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH;
        // SAFETY: the configuration is ours until a client is made of it. The counters live
        // as long as the client ([`Hearing`]).
        unsafe {
            sys::rd_kafka_conf_set_events(native.ptr(), events);
            let counters = Arc::as_ptr(&sent).cast_mut().cast();
            let name = INTERCEPTOR.as_ptr();
            sys::rd_kafka_conf_interceptor_add_on_new(native.ptr(), name, Some(on_new), counters);
        }
        let client = Client::new(config, native, RDKafkaType::RD_KAFKA_PRODUCER, context)?;
        // SAFETY: the client has a main queue, and what is got of it is given back at the end.
        let queue = unsafe { sys::rd_kafka_queue_get_main(client.native_ptr()) };
        let hearing = Arc::new(Hearing {
            client,
            queue,
            is_over: AtomicBool::new(false),
            sent,
        });
        let own = Arc::clone(&hearing);
        let thread = thread::Builder::new().name("kafka hears".to_owned());
        let thread = thread.spawn(move || own.hear());
        let thread = thread.map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        Ok(Self {
            hearing,
            thread: Some(thread),
        })
    }
}

const INTERCEPTOR: &CStr = c"thalweg";

unsafe extern "C" fn on_new(
    client: *mut sys::rd_kafka_t,
    _: *const sys::rd_kafka_conf_t,
    counters: *mut c_void,
    _: *mut c_char,
    _: usize,
) -> sys::rd_kafka_resp_err_t {
    // SAFETY: the client is being made, which is when requests can be asked for.
    unsafe {
        let name = INTERCEPTOR.as_ptr();
        sys::rd_kafka_interceptor_add_on_request_sent(client, name, Some(on_sent), counters)
    }
}

/// A request was written to a connection as a whole; only then can a broker act on it.
unsafe extern "C" fn on_sent(
    _: *mut sys::rd_kafka_t,
    _: c_int,
    _: *const c_char,
    _: i32,
    request: i16,
    _: i16,
    _: i32,
    _: usize,
    counters: *mut c_void,
) -> sys::rd_kafka_resp_err_t {
    // SAFETY: it is the pointer that was given with the callback.
    let sent = unsafe { &*counters.cast::<Sent>() };
    if let Some(count) = sent.of(request) {
        count.fetch_add(1, Ordering::AcqRel);
    }
    sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
}

impl NativeProducer {
    pub fn client(&self) -> &Client<Context> {
        &self.hearing.client
    }

    /// How often a request was sent so far, copies of one counted apart.
    pub fn sent(&self, request: Request) -> u64 {
        let count = self.hearing.sent.of(request as i16);
        count.map_or(0, |count| count.load(Ordering::Acquire))
    }

    /// Hands a record over.
    pub fn produce(&self, record: &Record<'_>) -> Result<(), RDKafkaErrorCode> {
        let topic = CString::new(record.topic).map_err(|_| RDKafkaErrorCode::InvalidTopic)?;
        let (value, value_length) = parts(record.value);
        let (key, key_length) = parts(record.key);
        let headers = headers(record.headers);
        // SAFETY: the library copies what the pointers stand for before it returns; the
        // headers are its own if it takes the record.
        let code = unsafe {
            use sys::rd_kafka_vtype_t as Part;
            sys::rd_kafka_producev(
                self.client().native_ptr(),
                Part::RD_KAFKA_VTYPE_TOPIC,
                topic.as_ptr(),
                Part::RD_KAFKA_VTYPE_PARTITION,
                record.partition.unwrap_or(ANY_PARTITION),
                Part::RD_KAFKA_VTYPE_MSGFLAGS,
                sys::RD_KAFKA_MSG_F_COPY,
                Part::RD_KAFKA_VTYPE_VALUE,
                value,
                value_length,
                Part::RD_KAFKA_VTYPE_KEY,
                key,
                key_length,
                Part::RD_KAFKA_VTYPE_TIMESTAMP,
                record.timestamp.unwrap_or(0),
                Part::RD_KAFKA_VTYPE_HEADERS,
                headers,
                Part::RD_KAFKA_VTYPE_END,
            )
        };
        let produced = done(code);
        if produced.is_err() && !headers.is_null() {
            // SAFETY: they were made here, and the library has not taken them.
            unsafe { sys::rd_kafka_headers_destroy(headers) };
        }
        produced
    }

    /// Waits until everything handed over is written or has failed. It blocks.
    pub fn flush(&self, patience: Duration) -> Result<(), RDKafkaErrorCode> {
        // SAFETY: the client is alive.
        done(unsafe { sys::rd_kafka_flush(self.client().native_ptr(), millis(patience)) })
    }

    /// Shuts earlier owners of the transactional id out. It blocks.
    pub fn init_transactions(&self, patience: Duration) -> Result<(), Failure> {
        // SAFETY: the client is alive.
        failed(unsafe {
            sys::rd_kafka_init_transactions(self.client().native_ptr(), millis(patience))
        })
    }

    /// Opens a transaction.
    pub fn begin_transaction(&self) -> Result<(), Failure> {
        // SAFETY: the client is alive.
        failed(unsafe { sys::rd_kafka_begin_transaction(self.client().native_ptr()) })
    }

    /// Adds offsets of a group that nobody has joined to the open transaction. It blocks.
    pub fn send_offsets(
        &self,
        offsets: &TopicPartitionList,
        group: &str,
        patience: Duration,
    ) -> Result<(), Failure> {
        let group = CString::new(group).map_err(|_| Failure {
            code: RDKafkaErrorCode::InvalidGroupId,
            text: format!("{group:?} is no group"),
        })?;
        // SAFETY: the client and the offsets are alive, and the group is given back.
        failed(unsafe {
            let group = sys::rd_kafka_consumer_group_metadata_new(group.as_ptr());
            let (client, offsets) = (self.client().native_ptr(), offsets.ptr());
            let patience = millis(patience);
            let sent = sys::rd_kafka_send_offsets_to_transaction(client, offsets, group, patience);
            sys::rd_kafka_consumer_group_metadata_destroy(group);
            sent
        })
    }

    /// Commits the open transaction. It blocks.
    pub fn commit_transaction(&self, patience: Duration) -> Result<(), Failure> {
        // SAFETY: the client is alive.
        failed(unsafe {
            sys::rd_kafka_commit_transaction(self.client().native_ptr(), millis(patience))
        })
    }

    /// Aborts the open transaction. It blocks.
    pub fn abort_transaction(&self, patience: Duration) -> Result<(), Failure> {
        // SAFETY: the client is alive.
        failed(unsafe {
            sys::rd_kafka_abort_transaction(self.client().native_ptr(), millis(patience))
        })
    }
}

/// What is not written by now never will be.
impl Drop for NativeProducer {
    fn drop(&mut self) {
        let everything = sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_INFLIGHT;
        self.hearing.is_over.store(true, Ordering::Release);
        // SAFETY: client and queue are alive; this wakes the thread.
        unsafe {
            sys::rd_kafka_purge(self.client().native_ptr(), everything);
            sys::rd_kafka_queue_yield(self.hearing.queue);
        }
        if let Some(thread) = self.thread.take() {
            // It has told what it had to tell.
            let _ = thread.join();
        }
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        // SAFETY: it was got when the client was made, which is still alive.
        unsafe { sys::rd_kafka_queue_destroy(self.queue) };
    }
}

impl Hearing {
    /// Hears the library until the producer goes.
    fn hear(&self) {
        while !self.is_over.load(Ordering::Acquire) {
            // SAFETY: the queue is alive, and each event is given back.
            unsafe {
                let event = sys::rd_kafka_queue_poll(self.queue, HEARING_MS);
                if !event.is_null() {
                    self.heard(event);
                    sys::rd_kafka_event_destroy(event);
                }
            }
        }
    }

    /// Tells the context what an event says.
    ///
    /// # Safety
    /// The event must be alive.
    unsafe fn heard(&self, event: *mut sys::rd_kafka_event_t) {
        let context = self.client.context();
        // SAFETY: the caller says that the event is alive, and so is what it holds.
        unsafe {
            match sys::rd_kafka_event_type(event) {
                sys::RD_KAFKA_EVENT_DR => loop {
                    let message = sys::rd_kafka_event_message_next(event);
                    let Some(message) = message.as_ref() else {
                        break;
                    };
                    if let Err(code) = done(message.err) {
                        context.not_written(&text(sys::rd_kafka_topic_name(message.rkt)), code);
                    }
                },
                sys::RD_KAFKA_EVENT_ERROR => {
                    let code = sys::rd_kafka_event_error(event).into();
                    let reason = text(sys::rd_kafka_event_error_string(event));
                    context.error(KafkaError::Global(code), reason.trim());
                }
                sys::RD_KAFKA_EVENT_LOG => {
                    let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0);
                    let (a, b, c) = (&raw mut facility, &raw mut line, &raw mut level);
                    if sys::rd_kafka_event_log(event, a, b, c) == 0 {
                        let (facility, line) = (text(facility), text(line));
                        context.log(log_level(level), facility.trim(), line.trim());
                    }
                }
                sys::RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH => self.renew_token(),
                _ => {}
            }
        }
    }

    /// Gives the library a new token, or says why there is none.
    fn renew_token(&self) {
        let client = self.client.native_ptr();
        let said = self.client.context().generate_oauth_token(None);
        let given = said.map_err(|error| error.to_string()).and_then(|given| {
            let no_text = |_| "the token holds a zero".to_owned();
            let token = CString::new(given.token).map_err(no_text)?;
            let principal = CString::new(given.principal_name).map_err(no_text)?;
            let mut why = [0_u8; 512];
            // SAFETY: the library copies the texts, and writes no more than it is told.
            let code = unsafe {
                let (token, principal) = (token.as_ptr(), principal.as_ptr());
                let (at, room) = (why.as_mut_ptr().cast(), why.len());
                let (lifetime, none) = (given.lifetime_ms, ptr::null_mut());
                sys::rd_kafka_oauthbearer_set_token(
                    client, token, lifetime, principal, none, 0, at, room,
                )
            };
            let why = CStr::from_bytes_until_nul(&why).unwrap_or_default();
            done(code).map_err(|_| why.to_string_lossy().into_owned())
        });
        if let Err(why) = given {
            let why = CString::new(why).unwrap_or_default();
            // SAFETY: the library copies the text.
            unsafe { sys::rd_kafka_oauthbearer_set_token_failure(client, why.as_ptr()) };
        }
    }
}

fn parts(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    match bytes {
        Some(bytes) => (bytes.as_ptr().cast_mut().cast(), bytes.len()),
        None => (ptr::null_mut(), 0),
    }
}

/// Headers for the library, which whoever gets them has to give back; null if there are none.
fn headers(from: &[Header<'_>]) -> *mut sys::rd_kafka_headers_t {
    if from.is_empty() {
        return ptr::null_mut();
    }
    // SAFETY: the library copies keys and values.
    unsafe {
        let headers = sys::rd_kafka_headers_new(from.len());
        for &(key, value) in from {
            let (at, length) = parts(value);
            let (name, name_length) = (key.as_ptr().cast(), key.len().cast_signed());
            let length = length.cast_signed();
            sys::rd_kafka_header_add(headers, name, name_length, at, length);
        }
        headers
    }
}

fn millis(patience: Duration) -> c_int {
    c_int::try_from(patience.as_millis()).unwrap_or(c_int::MAX)
}

fn done(code: sys::rd_kafka_resp_err_t) -> Result<(), RDKafkaErrorCode> {
    match code {
        sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        code => Err(code.into()),
    }
}

/// What a call has returned.
fn failed(error: *mut sys::rd_kafka_error_t) -> Result<(), Failure> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the call has given the error to us.
    unsafe {
        let code = sys::rd_kafka_error_code(error).into();
        let text = text(sys::rd_kafka_error_string(error));
        sys::rd_kafka_error_destroy(error);
        Err(Failure { code, text })
    }
}

/// A text of the library's.
///
/// # Safety
/// It must end with a zero, or be null.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller says so.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}

fn log_level(level: c_int) -> RDKafkaLogLevel {
    match level {
        0 => RDKafkaLogLevel::Emerg,
        1 => RDKafkaLogLevel::Alert,
        2 => RDKafkaLogLevel::Critical,
        3 => RDKafkaLogLevel::Error,
        4 => RDKafkaLogLevel::Warning,
        5 => RDKafkaLogLevel::Notice,
        6 => RDKafkaLogLevel::Info,
        _ => RDKafkaLogLevel::Debug,
    }
}
