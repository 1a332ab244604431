//! The topic of alignment groups: members publish how far they are, and read how far the others
//! are. One thread of a pipeline, which is one member; what follows from reports is told by
//! [`Membership`], and Kafka is the only coordinator.
//!
//! ```text
//! EventTime::standing ─► Membership::due ─► producer ─► topic, keyed by member
//! EventTime::see_group ◄─ Membership::floor ◄─ receive ◄─ consumer, from the topic's beginning
//! ```
//!
//! While brokers are not reached, members do not hear of each other: after the timeout nobody
//! waits for anybody, and each goes on by itself.

mod topic;

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

pub(crate) use self::topic::explore;
use super::native::{Event, EventQueue, Message};
use super::{LoggingContext, Renewal, Tokens, Use, acl, client_config, log_line};
use crate::config::{AlignmentGroup, ClientProperties};
use crate::event_time::{EventTime, GroupView, Membership, NoReport, Pace, Report, Standing};
use crate::stop::Stop;

/// How soon a member notices that it is further than it has said.
const LOOK: Duration = Duration::from_millis(20);
/// How many reports are taken before a member looks at itself again.
const REPORTS_PER_LOOK: usize = 1_000;
/// The parts of the publish interval, and of the drift, that are worth a report.
const SOONER: u32 = 20;
const STEP: i64 = 8;
/// How long the last words may take.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);
/// How often a passing error that goes on is told.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);
/// Where reports are, however many partitions the topic has.
const PARTITION: i32 = 0;

/// Why a member cannot take part.
#[derive(Debug, thiserror::Error)]
pub enum AlignmentError {
    /// librdkafka refused the configuration.
    #[error("watermark.alignment.group.id: the Kafka client cannot be made: {0}")]
    Client(KafkaError),
    /// There is no topic, and it cannot be made.
    #[error(
        "watermark.alignment.group.topic: there is no topic {topic}, and it cannot be made: {why}. \
         Make it: {fix}"
    )]
    NoTopic {
        /// Its name.
        topic: String,
        /// What brokers say.
        why: String,
        /// The command.
        fix: String,
    },
    /// An ACL is missing.
    #[error(
        "watermark.alignment.group.topic: {operation} on topic {topic} is not allowed. Allow it: {fix}"
    )]
    NotAllowed {
        /// Its name.
        topic: String,
        /// As Kafka names it.
        operation: &'static str,
        /// The command.
        fix: String,
    },
}

/// How a member is joined to its pipeline.
pub(crate) struct Links {
    pub(crate) event_time: EventTime,
    pub(crate) stop: Stop,
    /// Closes when the source has ended.
    pub(crate) source: Receiver<()>,
    /// New certificates and secrets.
    pub(crate) renewals: Receiver<Renewal>,
}

impl Links {
    fn is_over(&self) -> bool {
        self.stop.is_requested() || self.source.try_recv() == Err(TryRecvError::Disconnected)
    }
}

/// Takes part in a group until the pipeline ends or is asked to stop, and leaves it then.
/// `max_drift` in ms; `client` is the source's.
///
/// # Errors
/// [`AlignmentError`]: what a person has to mend. All else is told and tried again.
pub(crate) fn run(
    group: &AlignmentGroup,
    max_drift: i64,
    pipeline: &str,
    client: &ClientProperties,
    links: Links,
) -> Result<(), AlignmentError> {
    let pace = Pace {
        interval: group.publish_interval,
        least: group.publish_interval / SOONER,
        step: max_drift / STEP,
        timeout: group.member_timeout,
    };
    let name = format!("{pipeline}-{:016x}", random());
    let clients = Clients::new(group, client)?;
    let outcome = match topic::prepare(&group.topic, client, &clients, &links) {
        Ok(false) => Ok(()),
        Ok(true) => Member {
            group,
            name: name.clone(),
            clients,
            membership: Membership::new(group.id.clone(), name, pace),
            links: &links,
            started: Instant::now(),
            known: false,
            warned: HashSet::new(),
            complained: None,
        }
        .take_part(),
        Err(error) => Err(error),
    };
    if outcome.is_ok() {
        // Nobody is waited for in a group that is left. After an error the pipeline stops, and
        // nothing more goes on in it.
        links.event_time.see_group(GroupView {
            known: true,
            ..unknown(group)
        });
    }
    outcome
}

/// What is said of the group before anything is heard of it.
pub(crate) fn unknown(group: &AlignmentGroup) -> GroupView {
    GroupView {
        id: group.id.clone(),
        ..GroupView::default()
    }
}

struct Clients {
    consumer: Arc<BaseConsumer<LoggingContext>>,
    queue: EventQueue,
    producer: Arc<BaseProducer<Outcomes>>,
    client: ClientProperties,
    /// Of the two, if they need any.
    _tokens: [Tokens; 2],
}

struct Member<'m> {
    group: &'m AlignmentGroup,
    name: String,
    clients: Clients,
    membership: Membership,
    links: &'m Links,
    started: Instant,
    /// Whether the topic was read to its end.
    known: bool,
    warned: HashSet<Discriminant<NoReport>>,
    complained: Option<Instant>,
}

impl Clients {
    fn new(group: &AlignmentGroup, client: &ClientProperties) -> Result<Self, AlignmentError> {
        let mut connection = client.clone();
        connection.keep_connection();
        let base = client_config(&connection);
        let consumer: BaseConsumer<_> = base
            .clone()
            // A consumer has to name one. It is never joined, nor is anything committed.
            .set("group.id", client.get("group.id").unwrap_or(&group.id))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "100")
            .create_with_context(LoggingContext)
            .map_err(AlignmentError::Client)?;
        let timeout = group.member_timeout.as_millis().to_string();
        let producer: BaseProducer<_> = base
            .clone()
            .set("linger.ms", "0")
            .set("acks", "1")
            .set("max.in.flight.requests.per.connection", "1")
            // A report that is older says nothing to anybody.
            .set("message.timeout.ms", timeout)
            .set("queue.buffering.max.messages", "1000")
            .create_with_context(Outcomes::default())
            .map_err(AlignmentError::Client)?;
        let (consumer, producer) = (Arc::new(consumer), Arc::new(producer));
        Ok(Self {
            _tokens: [
                Tokens::for_consumer(&connection, &consumer),
                Tokens::for_producer(&connection, &producer),
            ],
            queue: EventQueue::of(&consumer),
            consumer,
            producer,
            client: client.clone(),
        })
    }

    fn read_from_the_beginning(&self, group: &AlignmentGroup) -> Result<(), AlignmentError> {
        let mut all = TopicPartitionList::new();
        all.add_partition_offset(&group.topic, PARTITION, Offset::Beginning)
            .and_then(|()| self.consumer.assign(&all))
            .map_err(AlignmentError::Client)
    }
}

impl Member<'_> {
    fn take_part(mut self) -> Result<(), AlignmentError> {
        self.clients.read_from_the_beginning(self.group)?;
        while !self.links.is_over() {
            while let Ok(renewal) = self.links.renewals.try_recv() {
                self.renew(renewal)?;
            }
            self.listen()?;
            let now = self.started.elapsed();
            for silent in self.membership.expire(now, epoch_ms()) {
                tracing::warn!(
                    "alignment group {}: {silent} has said nothing for {:?}, and is not waited for \
                     any more",
                    self.group.id,
                    self.group.member_timeout
                );
                self.publish(&silent, None);
            }
            self.links.event_time.see_group(self.view());
            let standing = self.links.event_time.standing();
            if let Some(report) = self.membership.due(standing, now, epoch_ms()) {
                self.publish(&report.member, Some(&report.to_json()));
            }
            self.clients.producer.poll(Duration::ZERO);
            self.check_outcomes()?;
        }
        self.leave();
        Ok(())
    }

    /// Takes what comes for a moment.
    fn listen(&mut self) -> Result<(), AlignmentError> {
        let mut patience = LOOK;
        for _ in 0..REPORTS_PER_LOOK {
            let Some(event) = self.clients.queue.poll(patience) else {
                break;
            };
            patience = Duration::ZERO;
            match event {
                Event::Message(message) => self.take(&message),
                Event::EndOfPartition { .. } => self.known = true,
                Event::Error {
                    code: Code::TopicAuthorizationFailed,
                    ..
                } => return Err(self.not_allowed(Use::Read)),
                Event::Error { code, text, .. } => self.complain(&format!("{text} ({code})")),
                _ => {}
            }
        }
        Ok(())
    }

    fn take(&mut self, message: &Message) {
        // Compaction's own: whoever leaves says so in a report, and whoever is silent is told by
        // one's own clock.
        let Some(value) = message.value() else { return };
        let now = self.started.elapsed();
        let taken =
            Report::from_json(value).and_then(|report| self.membership.receive(&report, now));
        let Err(why) = taken else { return };
        let at = message.offset();
        if self.warned.insert(discriminant(&why)) {
            tracing::warn!(
                "alignment group {}: topic {} has at offset {at} what is not taken: {why}. More of \
                 that kind is not told",
                self.group.id,
                self.group.topic
            );
        } else {
            tracing::debug!("{} at offset {at}: {why}", self.group.topic);
        }
    }

    fn view(&self) -> GroupView {
        let mut view = GroupView {
            known: self.known,
            floor: self.membership.floor(None),
            ..unknown(self.group)
        };
        for (name, standing) in self.membership.others() {
            view.members += 1;
            if matches!(standing, Standing::At { watermark } if Some(watermark) == view.floor) {
                view.holder = Some(name.to_owned());
            }
        }
        view
    }

    /// What does not fit the queue is superseded by the next report.
    fn publish(&self, member: &str, value: Option<&[u8]>) {
        let record = BaseRecord::to(&self.group.topic)
            .partition(PARTITION)
            .key(member);
        let record = match value {
            Some(value) => record.payload(value),
            None => record,
        };
        if let Err((error, _)) = self.clients.producer.send::<str, [u8]>(record) {
            tracing::debug!("a report to {}: {error}", self.group.topic);
        }
    }

    fn check_outcomes(&mut self) -> Result<(), AlignmentError> {
        match self.clients.producer.context().take() {
            None => Ok(()),
            Some(KafkaError::MessageProduction(Code::TopicAuthorizationFailed)) => {
                Err(self.not_allowed(Use::Write))
            }
            Some(error) => {
                self.complain(&format!("the others do not hear of this member: {error}"));
                Ok(())
            }
        }
    }

    fn leave(&mut self) {
        let left = self.membership.leave(self.started.elapsed(), epoch_ms());
        if let Some(report) = left {
            self.publish(&report.member, Some(&report.to_json()));
            self.publish(&report.member, None);
        }
        if let Err(error) = self.clients.producer.flush(LEAVE_WITHIN) {
            tracing::debug!(
                "{} leaves alignment group {} unheard: {error}",
                self.name,
                self.group.id
            );
        }
    }

    fn renew(&mut self, renewal: Renewal) -> Result<(), AlignmentError> {
        let (Renewal::Client(client) | Renewal::Password { client }) = renewal;
        match Clients::new(self.group, &client) {
            Ok(clients) => {
                self.clients = clients;
                // What was heard before is heard again, and is not news.
                self.clients.read_from_the_beginning(self.group)
            }
            Err(error) => {
                tracing::warn!("the old client is kept: {error}");
                Ok(())
            }
        }
    }

    fn complain(&mut self, what: &str) {
        if self
            .complained
            .is_none_or(|said| said.elapsed() >= COMPLAINT_INTERVAL)
        {
            self.complained = Some(Instant::now());
            tracing::warn!("alignment group {}: {what}; still trying", self.group.id);
        }
    }

    fn not_allowed(&self, what: Use) -> AlignmentError {
        not_allowed(&self.group.topic, &self.clients.client, what)
    }
}

fn not_allowed(topic: &str, client: &ClientProperties, what: Use) -> AlignmentError {
    AlignmentError::NotAllowed {
        topic: topic.to_owned(),
        operation: what.operation(),
        fix: acl(client, what.operation(), &format!("--topic {topic}")),
    }
}

/// What became of reports: the last one that did not arrive.
#[derive(Default)]
struct Outcomes(Mutex<Option<KafkaError>>);

impl Outcomes {
    fn take(&self) -> Option<KafkaError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ClientContext for Outcomes {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level as i32, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "kafka", "{error}: {reason}");
    }
}

impl ProducerContext for Outcomes {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        }
    }
}

fn epoch_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// A number that no other member has drawn.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
