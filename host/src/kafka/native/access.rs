//! What a client may do with topics and groups, as the brokers tell it (KIP-430).
//!
//! rdkafka's admin client has neither request.

use std::ffi::{CStr, CString};
use std::os::raw::c_char;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::bindings as ffi;
use rdkafka::client::Client;
use rdkafka::error::RDKafkaErrorCode;

/// What a client may do with a topic or group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// Fetch, or join and commit.
    pub(crate) read: bool,
    /// Produce.
    pub(crate) write: bool,
}

/// What brokers say of one topic.
#[derive(Clone, Debug)]
pub(crate) struct TopicAccess {
    pub(crate) name: String,
    /// Its partitions, or why it is not shown.
    pub(crate) partitions: Result<Vec<i32>, RDKafkaErrorCode>,
    /// `None` where brokers do not tell.
    pub(crate) allowed: Option<Allowed>,
}

/// What went wrong with a request.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) code: RDKafkaErrorCode,
    pub(crate) text: String,
}

impl Refused {
    /// Whether the group's coordinator is on its way.
    pub(crate) fn is_passing(&self) -> bool {
        use RDKafkaErrorCode as Code;
        matches!(
            self.code,
            Code::CoordinatorNotAvailable | Code::CoordinatorLoadInProgress | Code::NotCoordinator
        )
    }
}

/// Asks a broker about topics, none of which is created by that.
///
/// Any broker knows: the controller, which librdkafka would ask, is one more to be reached.
pub(crate) fn topics<C: ClientContext>(
    client: &Client<C>,
    broker: i32,
    names: &[String],
    timeout: Duration,
) -> Result<Vec<TopicAccess>, Refused> {
    let (_names, mut pointers) = c_strings(names)?;
    if pointers.is_empty() {
        return Ok(Vec::new());
    }
    let rk = client.native_ptr();
    let options = Options::new(
        rk,
        ffi::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        timeout,
    )?;
    options.set_broker(broker)?;
    let queue = Queue::new(rk);
    // SAFETY: client, options and queue are alive. The collection copies the names, the
    // request copies the collection.
    let event = unsafe {
        let collection =
            ffi::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        ffi::rd_kafka_DescribeTopics(rk, collection, options.0, queue.0);
        ffi::rd_kafka_TopicCollection_destroy(collection);
        queue.answer(timeout)?
    };
    // SAFETY: the event is of this kind, since it has no error; all that is read belongs to it.
    unsafe {
        let result = ffi::rd_kafka_event_DescribeTopics_result(event.0);
        let mut count = 0;
        let topics = ffi::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        Ok((0..count).map(|i| topic(*topics.add(i))).collect())
    }
}

/// Asks about a group; `None` where brokers do not tell what is allowed.
pub(crate) fn group<C: ClientContext>(
    client: &Client<C>,
    name: &str,
    timeout: Duration,
) -> Result<Option<Allowed>, Refused> {
    let (_names, mut pointers) = c_strings(&[name.to_owned()])?;
    let rk = client.native_ptr();
    let options = Options::new(
        rk,
        ffi::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
        timeout,
    )?;
    let queue = Queue::new(rk);
    // SAFETY: client, options and queue are alive, and the request copies the names.
    let event = unsafe {
        ffi::rd_kafka_DescribeConsumerGroups(
            rk,
            pointers.as_mut_ptr(),
            pointers.len(),
            options.0,
            queue.0,
        );
        queue.answer(timeout)?
    };
    // SAFETY: as in `topics`.
    unsafe {
        let result = ffi::rd_kafka_event_DescribeConsumerGroups_result(event.0);
        let mut count = 0;
        let groups = ffi::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        if count == 0 {
            return Ok(None);
        }
        let group = *groups;
        refused(ffi::rd_kafka_ConsumerGroupDescription_error(group))?;
        let mut count = 0;
        let operations =
            ffi::rd_kafka_ConsumerGroupDescription_authorized_operations(group, &raw mut count);
        Ok(allowed(operations, count))
    }
}

/// # Safety
/// The description is valid.
unsafe fn topic(description: *const ffi::rd_kafka_TopicDescription_t) -> TopicAccess {
    // SAFETY: what the accessors return belongs to the description, and is copied.
    unsafe {
        let name = text(ffi::rd_kafka_TopicDescription_name(description));
        if let Err(refused) = refused(ffi::rd_kafka_TopicDescription_error(description)) {
            return TopicAccess {
                name,
                partitions: Err(refused.code),
                allowed: None,
            };
        }
        let mut count = 0;
        let partitions = ffi::rd_kafka_TopicDescription_partitions(description, &raw mut count);
        let number = |i| ffi::rd_kafka_TopicPartitionInfo_partition(*partitions.add(i));
        let mut numbers: Vec<i32> = (0..count).map(number).collect();
        numbers.sort_unstable();
        let mut count = 0;
        let operations =
            ffi::rd_kafka_TopicDescription_authorized_operations(description, &raw mut count);
        TopicAccess {
            name,
            partitions: Ok(numbers),
            allowed: allowed(operations, count),
        }
    }
}

/// # Safety
/// `operations` is null or has `count` elements.
unsafe fn allowed(
    operations: *const ffi::rd_kafka_AclOperation_t,
    count: usize,
) -> Option<Allowed> {
    if operations.is_null() {
        return None;
    }
    // As numbers: a library newer than its bindings may know more than the enum.
    let operations = operations.cast::<u32>();
    // SAFETY: the caller's promise. The enum is as large as a C enum.
    let has = |wanted: ffi::rd_kafka_AclOperation_t| unsafe {
        (0..count).any(|i| *operations.add(i) == wanted as u32)
    };
    use ffi::rd_kafka_AclOperation_t as Operation;
    Some(Allowed {
        read: has(Operation::RD_KAFKA_ACL_OPERATION_READ),
        write: has(Operation::RD_KAFKA_ACL_OPERATION_WRITE),
    })
}

/// The strings, and pointers to them that are valid as long as they are.
fn c_strings(names: &[String]) -> Result<(Vec<CString>, Vec<*const c_char>), Refused> {
    let strings: Result<Vec<CString>, _> = names.iter().map(|n| CString::new(n.as_str())).collect();
    let strings = strings.map_err(|_| Refused {
        code: RDKafkaErrorCode::InvalidArgument,
        text: "a name with a NUL character".to_owned(),
    })?;
    let pointers = strings.iter().map(|string| string.as_ptr()).collect();
    Ok((strings, pointers))
}

/// # Safety
/// Null, or a NUL-terminated string.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}

/// # Safety
/// Null, or a valid error.
unsafe fn refused(error: *const ffi::rd_kafka_error_t) -> Result<(), Refused> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the caller's promise.
    unsafe {
        match ffi::rd_kafka_error_code(error) {
            ffi::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            code => Err(Refused {
                code: code.into(),
                text: text(ffi::rd_kafka_error_string(error)),
            }),
        }
    }
}

/// Options of a request that are destroyed with this value.
struct Options(*mut ffi::rd_kafka_AdminOptions_t);

impl Options {
    fn new(
        rk: *mut ffi::rd_kafka_t,
        request: ffi::rd_kafka_admin_op_t,
        timeout: Duration,
    ) -> Result<Self, Refused> {
        let ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the client is alive; the options are ours. What is written of an error is
        // not longer than the size that is given.
        unsafe {
            let options = Self(ffi::rd_kafka_AdminOptions_new(rk, request));
            let mut why = [0; 256];
            ffi::rd_kafka_AdminOptions_set_request_timeout(
                options.0,
                ms.max(1),
                why.as_mut_ptr(),
                why.len(),
            );
            let error = ffi::rd_kafka_AdminOptions_set_include_authorized_operations(options.0, 1);
            let outcome = refused(error);
            if !error.is_null() {
                ffi::rd_kafka_error_destroy(error);
            }
            outcome.map(|()| options)
        }
    }
}

impl Options {
    fn set_broker(&self, broker: i32) -> Result<(), Refused> {
        let mut why = [0; 256];
        // SAFETY: the options are alive. What is written of an error is not longer than the
        // size that is given, and has its NUL.
        unsafe {
            let code =
                ffi::rd_kafka_AdminOptions_set_broker(self.0, broker, why.as_mut_ptr(), why.len());
            match code {
                ffi::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
                code => Err(Refused {
                    code: code.into(),
                    text: text(why.as_ptr()),
                }),
            }
        }
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: owned, and destroyed once.
        unsafe { ffi::rd_kafka_AdminOptions_destroy(self.0) }
    }
}

/// A queue for one answer.
struct Queue(*mut ffi::rd_kafka_queue_t);

impl Queue {
    fn new(rk: *mut ffi::rd_kafka_t) -> Self {
        // SAFETY: the client is alive.
        Self(unsafe { ffi::rd_kafka_queue_new(rk) })
    }

    /// Waits for the answer, a little longer than the request may take.
    fn answer(&self, timeout: Duration) -> Result<super::OwnedEvent, Refused> {
        let timeout = timeout + Duration::from_secs(1);
        let ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive; the event is ours, and its text is copied.
        unsafe {
            let event = super::OwnedEvent(ffi::rd_kafka_queue_poll(self.0, ms));
            if event.0.is_null() {
                let code = RDKafkaErrorCode::OperationTimedOut;
                return Err(Refused {
                    code,
                    text: code.to_string(),
                });
            }
            match ffi::rd_kafka_event_error(event.0) {
                ffi::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(event),
                code => Err(Refused {
                    code: code.into(),
                    text: text(ffi::rd_kafka_event_error_string(event.0)),
                }),
            }
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: owned, and destroyed once.
        unsafe { ffi::rd_kafka_queue_destroy(self.0) }
    }
}
