//! The consumer's event queue, straight from librdkafka.
//!
//! rdkafka's own `poll` makes each message an `Arc` of its event, has no topic in an
//! end-of-partition event, and panics on header names that are not UTF-8. This module
//! reads the same queue: it is the only unsafe code of the Kafka side, and each
//! pointer lives no longer than the event it was taken from.

#![expect(unsafe_code, reason = "FFI: every block says why it is sound")]

pub(crate) mod access;
pub(crate) mod credentials;
mod producing;

use std::ffi::CStr;
use std::os::raw::{c_char, c_void};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as ffi;
use rdkafka::config::NativeClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::Offset;

use crate::batch::{TimestampType, TopicPartition};

pub(crate) use producing::{NativeProducer, Outgoing, TOPICS_MAX, TakenBack};

/// The queue on which a consumer gets everything: messages, rebalances, errors.
///
/// Whoever polls this must not call `BaseConsumer::poll` as well.
pub(super) struct EventQueue<C: ConsumerContext + 'static = super::LoggingContext> {
    queue: *mut ffi::rd_kafka_queue_t,
    client: *mut ffi::rd_kafka_t,
    /// The queue must not outlive its client.
    _consumer: Arc<BaseConsumer<C>>,
}

/// What the queue had.
pub(super) enum Event {
    /// A message.
    Message(Message),
    /// The end of a partition, as far as it is known now: the offset of the next message.
    EndOfPartition {
        topic: String,
        partition: i32,
        offset: i64,
    },
    /// Partitions to be assigned.
    Assign(TopicPartitionList),
    /// Partitions to be given up.
    Revoke(TopicPartitionList),
    /// The outcome of an [`EventQueue::commit`]: what the group has now, or the first error.
    Committed(Result<Vec<(TopicPartition, i64)>, RDKafkaErrorCode>),
    /// Anything that went wrong; librdkafka goes on trying unless `fatal`.
    Error {
        code: RDKafkaErrorCode,
        text: String,
        partition: Option<(String, i32)>,
        fatal: bool,
    },
    /// The client's own figures, as JSON most of the time.
    Statistics(Vec<u8>),
    /// Nothing of interest.
    Other,
}

impl<C: ConsumerContext + 'static> EventQueue<C> {
    /// The queue of this consumer, which must have a `group.id`.
    pub(super) fn of(consumer: &Arc<BaseConsumer<C>>) -> Self {
        let client = consumer.client().native_ptr();
        // SAFETY: the client is alive, and the reference to its queue that this makes is
        // given back in `drop`, before the client is.
        let queue = unsafe { ffi::rd_kafka_queue_get_consumer(client) };
        assert!(!queue.is_null(), "a consumer with a group.id has a queue");
        EventQueue {
            queue,
            client,
            _consumer: Arc::clone(consumer),
        }
    }

    /// The next event; `None` when there was none for so long.
    pub(super) fn poll(&self, timeout: Duration) -> Option<Event> {
        let ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive; the event is ours to destroy.
        let event = OwnedEvent(unsafe { ffi::rd_kafka_queue_poll(self.queue, ms) });
        (!event.0.is_null()).then(|| event.read())
    }

    /// Asks for offsets to be committed. The outcome comes as [`Event::Committed`], which
    /// rdkafka's own asynchronous commit never sends: librdkafka only logs its failure.
    pub(super) fn commit(&self, offsets: &TopicPartitionList) -> Result<(), RDKafkaErrorCode> {
        // SAFETY: client and queue are alive, and the list is copied by the call.
        let error = unsafe {
            ffi::rd_kafka_commit_queue(
                self.client,
                offsets.ptr(),
                self.queue,
                None,
                ptr::null_mut(),
            )
        };
        match error {
            ffi::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            error => Err(error.into()),
        }
    }
}

impl<C: ConsumerContext + 'static> Drop for EventQueue<C> {
    fn drop(&mut self) {
        // SAFETY: gives back the reference taken in `of`.
        unsafe { ffi::rd_kafka_queue_destroy(self.queue) }
    }
}

/// An event that is destroyed with this value.
struct OwnedEvent(*mut ffi::rd_kafka_event_t);

impl Drop for OwnedEvent {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: owned, and destroyed once.
            unsafe { ffi::rd_kafka_event_destroy(self.0) }
        }
    }
}

impl OwnedEvent {
    fn read(self) -> Event {
        // SAFETY: the event is alive and not null; each accessor is one that its type
        // permits, and what it returns is copied before the event is destroyed.
        unsafe {
            match ffi::rd_kafka_event_type(self.0) {
                ffi::RD_KAFKA_EVENT_FETCH => {
                    let message = ffi::rd_kafka_event_message_next(self.0);
                    if message.is_null() {
                        return Event::Other;
                    }
                    Event::Message(Message {
                        message,
                        _event: self,
                    })
                }
                ffi::RD_KAFKA_EVENT_REBALANCE => {
                    let partitions = partitions(ffi::rd_kafka_event_topic_partition_list(self.0));
                    match ffi::rd_kafka_event_error(self.0) {
                        ffi::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                            Event::Assign(partitions)
                        }
                        _ => Event::Revoke(partitions),
                    }
                }
                ffi::RD_KAFKA_EVENT_OFFSET_COMMIT => Event::Committed(committed(
                    ffi::rd_kafka_event_error(self.0),
                    ffi::rd_kafka_event_topic_partition_list(self.0),
                )),
                ffi::RD_KAFKA_EVENT_ERROR => self.read_error(),
                ffi::RD_KAFKA_EVENT_STATS => {
                    let json = ffi::rd_kafka_event_stats(self.0);
                    Event::Statistics(CStr::from_ptr(json).to_bytes().to_vec())
                }
                ffi::RD_KAFKA_EVENT_LOG => {
                    self.log();
                    Event::Other
                }
                _ => Event::Other,
            }
        }
    }

    fn read_error(&self) -> Event {
        // SAFETY: as in `read`; the topic partition is ours to destroy.
        unsafe {
            let code: RDKafkaErrorCode = ffi::rd_kafka_event_error(self.0).into();
            let at = ffi::rd_kafka_event_topic_partition(self.0);
            let mut partition = None;
            if !at.is_null() {
                let topic = CStr::from_ptr((*at).topic).to_string_lossy().into_owned();
                let (number, offset) = ((*at).partition, (*at).offset);
                ffi::rd_kafka_topic_partition_destroy(at);
                if code == RDKafkaErrorCode::PartitionEOF {
                    return Event::EndOfPartition {
                        topic,
                        partition: number,
                        offset,
                    };
                }
                partition = Some((topic, number));
            }
            Event::Error {
                code,
                text: CStr::from_ptr(ffi::rd_kafka_event_error_string(self.0))
                    .to_string_lossy()
                    .into_owned(),
                partition,
                fatal: ffi::rd_kafka_event_error_is_fatal(self.0) != 0,
            }
        }
    }

    fn log(&self) {
        let (mut facility, mut text, mut level) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the event is a log event; the strings live as long as it does.
        unsafe {
            if ffi::rd_kafka_event_log(self.0, &raw mut facility, &raw mut text, &raw mut level)
                == 0
            {
                let line = CStr::from_ptr(text).to_string_lossy();
                super::log_line(
                    level,
                    &CStr::from_ptr(facility).to_string_lossy(),
                    line.trim(),
                );
            }
        }
    }
}

/// All properties of a configuration, by name.
pub(super) fn dump(config: &NativeClientConfig) -> Vec<(String, String)> {
    let mut count = 0;
    let mut properties = Vec::new();
    // SAFETY: the configuration is alive; the dump is an array of `count` strings, names and
    // values in turns, and is given back after they were copied.
    unsafe {
        let dump = ffi::rd_kafka_conf_dump(config.ptr(), &raw mut count);
        if dump.is_null() {
            return properties;
        }
        for i in (0..count).step_by(2) {
            let text = |i| CStr::from_ptr(*dump.add(i)).to_string_lossy().into_owned();
            properties.push((text(i), text(i + 1)));
        }
        ffi::rd_kafka_conf_dump_free(dump, count);
    }
    properties
}

/// What became of a commit. A request can succeed where one of its partitions does not.
///
/// # Safety
/// `list` is null or a valid list.
unsafe fn committed(
    request: ffi::rd_kafka_resp_err_t,
    list: *mut ffi::rd_kafka_topic_partition_list_t,
) -> Result<Vec<(TopicPartition, i64)>, RDKafkaErrorCode> {
    const FINE: ffi::rd_kafka_resp_err_t = ffi::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
    if request != FINE {
        return Err(request.into());
    }
    if list.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: `elems` has `cnt` elements, and topics are NUL-terminated.
    unsafe {
        (0..usize::try_from((*list).cnt).unwrap_or(0))
            .map(|i| {
                let element = &*(*list).elems.add(i);
                if element.err != FINE {
                    return Err(element.err.into());
                }
                let source = TopicPartition {
                    topic: CStr::from_ptr(element.topic).to_string_lossy().into(),
                    partition: element.partition,
                };
                Ok((source, element.offset))
            })
            .collect()
    }
}

/// Copies a list, because the event owns it.
///
/// # Safety
/// `list` is null or a valid list.
unsafe fn partitions(list: *mut ffi::rd_kafka_topic_partition_list_t) -> TopicPartitionList {
    let mut copy = TopicPartitionList::new();
    if list.is_null() {
        return copy;
    }
    // SAFETY: `elems` has `cnt` elements, and topics are NUL-terminated.
    unsafe {
        for i in 0..usize::try_from((*list).cnt).unwrap_or(0) {
            let element = &*(*list).elems.add(i);
            let topic = CStr::from_ptr(element.topic).to_string_lossy();
            copy.add_partition_offset(&topic, element.partition, Offset::Invalid)
                .expect("`Invalid` is an offset that a list takes");
        }
    }
    copy
}

/// One message, in librdkafka's memory.
pub(super) struct Message {
    message: *const ffi::rd_kafka_message_t,
    _event: OwnedEvent,
}

impl Message {
    /// Stands for the topic: the same for all messages of a topic while the assignment
    /// does not change.
    pub(super) fn topic_handle(&self) -> usize {
        self.raw().rkt as usize
    }

    pub(super) fn topic(&self) -> String {
        // SAFETY: a message's topic is alive with it.
        unsafe {
            CStr::from_ptr(ffi::rd_kafka_topic_name(self.raw().rkt))
                .to_string_lossy()
                .into_owned()
        }
    }

    pub(super) fn partition(&self) -> i32 {
        self.raw().partition
    }

    pub(super) fn offset(&self) -> i64 {
        self.raw().offset
    }

    /// In ms since the epoch; -1 for none.
    pub(super) fn timestamp(&self) -> (i64, TimestampType) {
        let mut kind = ffi::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive.
        let timestamp = unsafe { ffi::rd_kafka_message_timestamp(self.message, &raw mut kind) };
        let kind = match kind {
            ffi::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME => {
                TimestampType::CreateTime
            }
            ffi::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => {
                TimestampType::LogAppendTime
            }
            ffi::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => {
                TimestampType::NotAvailable
            }
        };
        (timestamp, kind)
    }

    /// The epoch of the leader that took the message; `None` where the broker does not say.
    pub(super) fn leader_epoch(&self) -> Option<i32> {
        // SAFETY: the message is alive.
        let epoch = unsafe { ffi::rd_kafka_message_leader_epoch(self.message) };
        (epoch >= 0).then_some(epoch)
    }

    pub(super) fn key(&self) -> Option<&[u8]> {
        // SAFETY: key and length belong together, and live as long as the message.
        unsafe { bytes(self.raw().key, self.raw().key_len) }
    }

    /// `None` for a tombstone.
    pub(super) fn value(&self) -> Option<&[u8]> {
        // SAFETY: payload and length belong together, and live as long as the message.
        unsafe { bytes(self.raw().payload, self.raw().len) }
    }

    /// Calls `each` with name and value of the headers, in order.
    pub(super) fn headers(&self, each: impl FnMut(&[u8], Option<&[u8]>)) {
        // SAFETY: the message is alive, and nobody else has it.
        unsafe { each_header(self.message, each) }
    }

    fn raw(&self) -> &ffi::rd_kafka_message_t {
        // SAFETY: not null, and alive as long as the event.
        unsafe { &*self.message }
    }
}

/// Calls `each` with name and value of a message's headers, in order.
///
/// # Safety
/// A valid message that nobody else has: librdkafka parses headers only here, which changes it.
unsafe fn each_header(
    message: *const ffi::rd_kafka_message_t,
    mut each: impl FnMut(&[u8], Option<&[u8]>),
) {
    let mut headers = ptr::null_mut();
    // SAFETY: the message is alive, and its headers live as long as it does.
    unsafe {
        if ffi::rd_kafka_message_headers(message, &raw mut headers)
            != ffi::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            return;
        }
        for i in 0.. {
            let (mut name, mut value, mut len): (*const c_char, *const c_void, usize) =
                (ptr::null(), ptr::null(), 0);
            let found = ffi::rd_kafka_header_get_all(
                headers,
                i,
                &raw mut name,
                &raw mut value,
                &raw mut len,
            );
            if found != ffi::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return;
            }
            each(CStr::from_ptr(name).to_bytes(), bytes(value, len));
        }
    }
}

/// # Safety
/// `start` is null, or points to `len` bytes that live for `'a`.
unsafe fn bytes<'a>(start: *const c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start.cast(), len) })
}
