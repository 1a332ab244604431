//! Producing, straight to librdkafka.
//!
//! rdkafka's own `send` looks the topic up by name for each message, and takes header names
//! that are UTF-8 only.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::raw::c_void;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use rdkafka::bindings as ffi;
use rdkafka::bindings::rd_kafka_vtype_t as vtype;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

use crate::config::ClientProperties;
use crate::kafka::Tokens;

/// Topics that one producer may write: librdkafka keeps each for as long as it lives.
pub(crate) const TOPICS_MAX: usize = 10_000;

/// A producer that writes to topics by their handles.
pub(crate) struct NativeProducer<C: ProducerContext<DeliveryOpaque = usize> + 'static> {
    /// Before `producer`, so that they are given back while it lives.
    topics: HashMap<String, TopicHandle>,
    producer: Arc<BaseProducer<C>>,
    /// What it connects with, if it needs any.
    _tokens: Tokens,
}

/// One message to produce. What is borrowed is copied.
pub(crate) struct Outgoing<'a> {
    pub(crate) topic: &'a str,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    /// Ms since the epoch; `None` for now.
    pub(crate) timestamp: Option<i64>,
    pub(crate) headers: &'a [(&'a [u8], Option<&'a [u8]>)],
    /// What the context's `delivery` gets with the outcome.
    pub(crate) opaque: usize,
}

/// A message that librdkafka gave up because it was asked to, to be sent by another client.
pub(crate) struct TakenBack {
    topic: String,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    timestamp: Option<i64>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub(crate) opaque: usize,
    /// Whether it had not been sent at all.
    pub(crate) was_waiting: bool,
}

impl TakenBack {
    /// `None` for a message that has failed for another reason.
    pub(crate) fn of(
        error: &KafkaError,
        message: &BorrowedMessage<'_>,
        opaque: usize,
    ) -> Option<Self> {
        let was_waiting = match error.rdkafka_error_code()? {
            RDKafkaErrorCode::PurgeQueue => true,
            RDKafkaErrorCode::PurgeInflight => false,
            _ => return None,
        };
        let mut headers = Vec::new();
        // SAFETY: the message is alive for as long as it is borrowed.
        unsafe {
            super::each_header(message.ptr(), |name, value| {
                headers.push((name.to_vec(), value.map(<[u8]>::to_vec)));
            });
        }
        Some(Self {
            topic: message.topic().to_owned(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            timestamp: message.timestamp().to_millis(),
            headers,
            opaque,
            was_waiting,
        })
    }
}

/// A reference to a topic, given back when dropped.
struct TopicHandle(NonNull<ffi::rd_kafka_topic_t>);

// SAFETY: librdkafka's objects may be used from any thread.
unsafe impl Send for TopicHandle {}

impl Drop for TopicHandle {
    fn drop(&mut self) {
        // SAFETY: owned, and its producer is alive: see the order of fields above.
        unsafe { ffi::rd_kafka_topic_destroy(self.0.as_ptr()) }
    }
}

/// Headers that librdkafka has not taken yet.
struct OwnedHeaders(*mut ffi::rd_kafka_headers_t);

impl OwnedHeaders {
    /// None make a null pointer.
    fn new(headers: &[(&[u8], Option<&[u8]>)]) -> Self {
        if headers.is_empty() {
            return Self(ptr::null_mut());
        }
        // SAFETY: name and value are copied, with the lengths that they have.
        unsafe {
            let list = ffi::rd_kafka_headers_new(headers.len());
            for (name, value) in headers {
                let (value, len) = pointer(*value);
                ffi::rd_kafka_header_add(
                    list,
                    name.as_ptr().cast(),
                    length(name.len()),
                    value,
                    length(len),
                );
            }
            Self(list)
        }
    }
}

impl Drop for OwnedHeaders {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: owned, and destroyed once.
            unsafe { ffi::rd_kafka_headers_destroy(self.0) }
        }
    }
}

impl<C: ProducerContext<DeliveryOpaque = usize> + 'static> NativeProducer<C> {
    /// `properties` are those that it was made of.
    pub(crate) fn new(producer: BaseProducer<C>, properties: &ClientProperties) -> Self {
        let producer = Arc::new(producer);
        Self {
            topics: HashMap::new(),
            _tokens: Tokens::for_producer(properties, &producer),
            producer,
        }
    }

    /// The producer itself, to poll it.
    pub(crate) fn get(&self) -> &BaseProducer<C> {
        &self.producer
    }

    /// Puts a message into librdkafka's queue.
    ///
    /// # Errors
    /// [`KafkaError::MessageProduction`]: nothing was queued. With `QueueFull`, poll and
    /// try again; `InvalidArgument` stands for one topic more than [`TOPICS_MAX`].
    pub(crate) fn send(&mut self, message: &Outgoing<'_>) -> Result<(), KafkaError> {
        let topic = self.topic(message.topic)?;
        let headers = OwnedHeaders::new(message.headers);
        let (key, key_len) = pointer(message.key);
        let (value, value_len) = pointer(message.value);
        // SAFETY: the client and the topic are alive; key and value are copied, as the flag
        // says. The arguments are those that each tag asks for.
        let error = unsafe {
            ffi::rd_kafka_producev(
                self.producer.client().native_ptr(),
                vtype::RD_KAFKA_VTYPE_RKT,
                topic,
                vtype::RD_KAFKA_VTYPE_MSGFLAGS,
                ffi::RD_KAFKA_MSG_F_COPY,
                vtype::RD_KAFKA_VTYPE_VALUE,
                value,
                value_len,
                vtype::RD_KAFKA_VTYPE_KEY,
                key,
                key_len,
                vtype::RD_KAFKA_VTYPE_OPAQUE,
                ptr::without_provenance_mut::<c_void>(message.opaque),
                vtype::RD_KAFKA_VTYPE_TIMESTAMP,
                // librdkafka takes 0 for now.
                message.timestamp.unwrap_or(0),
                vtype::RD_KAFKA_VTYPE_HEADERS,
                headers.0,
                vtype::RD_KAFKA_VTYPE_END,
            )
        };
        if error != ffi::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(KafkaError::MessageProduction(error.into()));
        }
        // They are librdkafka's now.
        std::mem::forget(headers);
        Ok(())
    }

    /// As [`NativeProducer::send`].
    pub(crate) fn send_again(&mut self, message: &TakenBack) -> Result<(), KafkaError> {
        let headers = message.headers.iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| (name.as_slice(), value.as_deref()))
            .collect();
        self.send(&Outgoing {
            topic: &message.topic,
            key: message.key.as_deref(),
            value: message.value.as_deref(),
            timestamp: message.timestamp,
            headers: &headers,
            opaque: message.opaque,
        })
    }

    fn topic(&mut self, name: &str) -> Result<*mut ffi::rd_kafka_topic_t, KafkaError> {
        if let Some(topic) = self.topics.get(name) {
            return Ok(topic.0.as_ptr());
        }
        let refused = |code| KafkaError::MessageProduction(code);
        if self.topics.len() == TOPICS_MAX {
            return Err(refused(RDKafkaErrorCode::InvalidArgument));
        }
        let invalid = |_| refused(RDKafkaErrorCode::InvalidTopic);
        let c_name = CString::new(name).map_err(invalid)?;
        let client = self.producer.client().native_ptr();
        // SAFETY: the client is alive; the name is copied; no configuration means the client's.
        let handle = unsafe { ffi::rd_kafka_topic_new(client, c_name.as_ptr(), ptr::null_mut()) };
        let Some(handle) = NonNull::new(handle) else {
            return Err(refused(RDKafkaErrorCode::InvalidTopic));
        };
        self.topics.insert(name.to_owned(), TopicHandle(handle));
        Ok(handle.as_ptr())
    }
}

/// Null for none, which to Kafka is not the same as empty.
fn pointer(bytes: Option<&[u8]>) -> (*const c_void, usize) {
    bytes.map_or((ptr::null(), 0), |bytes| {
        (bytes.as_ptr().cast(), bytes.len())
    })
}

/// A slice is never longer than `isize::MAX`.
fn length(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use rdkafka::ClientConfig;
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{DefaultProducerContext, DeliveryResult};
    use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

    use super::*;
    use crate::kafka::native::{Event, EventQueue};

    struct Ignoring;

    impl rdkafka::ClientContext for Ignoring {}

    impl ProducerContext for Ignoring {
        type DeliveryOpaque = usize;

        fn delivery(&self, _: &DeliveryResult<'_>, _: usize) {}
    }

    type Cluster = MockCluster<'static, DefaultProducerContext>;

    fn producer(cluster: &Cluster) -> NativeProducer<Ignoring> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", cluster.bootstrap_servers());
        let producer = config.create_with_context(Ignoring).unwrap();
        NativeProducer::new(producer, &ClientProperties::default())
    }

    #[test]
    fn everything_arrives_as_it_was() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 1, 1).unwrap();
        let mut producer = producer(&cluster);
        let headers: [(&[u8], Option<&[u8]>); 4] = [
            (b"\xff\xfe", Some(b"1")),
            (b"b", None),
            (b"b", Some(b"")),
            (b"", Some(b"\x00")),
        ];
        let sent = Outgoing {
            topic: "t",
            key: Some(b""),
            value: None,
            timestamp: Some(1_234),
            headers: &headers,
            opaque: 0,
        };
        producer.send(&sent).unwrap();
        producer.get().flush(Duration::from_secs(30)).unwrap();

        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("group.id", "g")
            .create()
            .unwrap();
        let mut all = TopicPartitionList::new();
        all.add_partition_offset("t", 0, Offset::Beginning).unwrap();
        consumer.assign(&all).unwrap();
        let queue = EventQueue::of(&Arc::new(consumer));
        let deadline = Instant::now() + Duration::from_secs(30);
        let message = loop {
            match queue.poll(Duration::from_millis(100)) {
                Some(Event::Message(message)) => break message,
                _ => assert!(Instant::now() < deadline, "no message"),
            }
        };
        assert_eq!((message.key(), message.value()), (Some(&b""[..]), None));
        assert_eq!(message.timestamp().0, 1_234);
        let mut read = Vec::new();
        message.headers(|name, value| read.push((name.to_vec(), value.map(<[u8]>::to_vec))));
        let expected = headers.map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec)));
        assert_eq!(read, expected);
    }

    #[test]
    fn names_that_librdkafka_does_not_take_are_errors() {
        let cluster = MockCluster::new(1).unwrap();
        let mut producer = producer(&cluster);
        for name in ["a\0b", &"x".repeat(600)] {
            let message = Outgoing {
                topic: name,
                key: None,
                value: None,
                timestamp: None,
                headers: &[],
                opaque: 0,
            };
            let error = producer.send(&message).unwrap_err();
            let invalid = RDKafkaErrorCode::InvalidTopic;
            assert_eq!(error.rdkafka_error_code(), Some(invalid), "{name:?}");
        }
    }
}
