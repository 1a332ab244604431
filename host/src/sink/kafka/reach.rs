//! Whether a run could write, found out without writing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::Metadata;
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer, ProducerContext};

use crate::config::{ClientProperties, KafkaSinkConfig};
use crate::kafka::{
    Finding, Outcome, Tokens, Unreached, Use, acl, ask_topics, attempt, client_config, log_line,
    topic_finding,
};

/// How often librdkafka tells what state its idempotent producer is in.
const STATE_EVERY_MS: &str = "100";

/// More than come while one request is waited for.
const EVENTS: usize = 100;

/// Finds out, until the deadline.
pub(crate) fn explore(
    config: &KafkaSinkConfig,
    deadline: Instant,
    report: &mut dyn FnMut(Finding),
) {
    let created = client_config(&config.client)
        .set("statistics.interval.ms", STATE_EVERY_MS)
        .create_with_context(Watching::default());
    let producer: BaseProducer<Watching> = match created {
        Ok(producer) => producer,
        Err(error) => {
            let wrong = Finding::wrong("client", error.to_string(), "correct what it names");
            return report(wrong);
        }
    };
    let producer = Arc::new(producer);
    let _tokens = Tokens::for_producer(&config.client, &producer);
    let metadata = match reach(&producer, deadline) {
        Ok(metadata) => metadata,
        Err(unreached) => return report(unreached.finding(&config.client)),
    };
    report(brokers_reached(metadata.brokers().len(), &config.client));
    let finding = match &config.topic {
        Some(topic) => ask(&producer, topic, &metadata, deadline, &config.client),
        None => {
            let each = format!("{}: not known before rows are there", config.target());
            Finding::untold("topics", each)
        }
    };
    let is_wrong = matches!(finding.outcome, Outcome::Wrong { .. });
    report(finding);
    if config.client.get("enable.idempotence") == Some("true") {
        report(idempotence(&producer, config, deadline, is_wrong));
    }
}

fn ask(
    producer: &BaseProducer<Watching>,
    topic: &str,
    metadata: &Metadata,
    deadline: Instant,
    client: &ClientProperties,
) -> Finding {
    let names = [topic.to_owned()];
    let answer = ask_topics(producer.client(), &names, metadata, deadline);
    match answer.first() {
        Some(access) => topic_finding(access, Use::Write, client),
        None => Finding::untold(format!("topic {topic}"), "the brokers do not tell"),
    }
}

fn brokers_reached(count: usize, client: &ClientProperties) -> Finding {
    let servers = client.get("bootstrap.servers").unwrap_or_default();
    let plural = if count == 1 { "broker" } else { "brokers" };
    Finding::fine("brokers", format!("{count} {plural}, reached at {servers}"))
}

/// Asks until brokers answer, or say that they never will.
///
/// About no topic: a producer that asks for one by its name makes brokers create it.
fn reach(producer: &BaseProducer<Watching>, deadline: Instant) -> Result<Metadata, Unreached> {
    while let Some(timeout) = attempt(deadline) {
        match producer.client().fetch_metadata(None, timeout) {
            Ok(metadata) => return Ok(metadata),
            Err(error) => tracing::debug!("asking for the cluster's brokers: {error}"),
        }
        // One event each, and statistics are among them.
        (0..EVENTS).for_each(|_| producer.poll(Duration::ZERO));
        let trouble = producer.context().trouble();
        if let Some(trouble) = trouble.filter(Unreached::is_final) {
            return Err(trouble);
        }
    }
    Err(producer
        .context()
        .trouble()
        .unwrap_or_else(Unreached::timed_out))
}

/// An idempotent producer asks for an id by itself, once it is connected: that keeps nothing.
fn idempotence(
    producer: &BaseProducer<Watching>,
    config: &KafkaSinkConfig,
    deadline: Instant,
    may_not_write: bool,
) -> Finding {
    let what = "idempotent writing";
    while Instant::now() < deadline {
        producer.poll(Duration::from_millis(100));
        if producer.context().has_id() {
            return Finding::fine(what, "allowed");
        }
        let fatal = producer.client().fatal_error();
        let refused = match fatal {
            Some((code, reason)) => Some((code, reason)),
            None => producer.context().refused_id(),
        };
        match refused {
            Some((Code::ClusterAuthorizationFailed, _)) => {
                let fix = if may_not_write {
                    "Write on a topic, as above, is enough (brokers before 2.8 want IdempotentWrite \
                     on the cluster)"
                        .to_owned()
                } else {
                    acl(&config.client, "IdempotentWrite", "--cluster")
                };
                return Finding::wrong(what, "not allowed", fix);
            }
            Some((_, reason)) => return Finding::wrong(what, reason, "ask who runs the cluster"),
            None => {}
        }
    }
    let fix = "give more --timeout";
    Finding::wrong(what, "the brokers gave no producer id in time", fix)
}

/// Remembers what a client says of itself.
#[derive(Default)]
struct Watching(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    trouble: Option<Unreached>,
    refused_id: Option<(Code, String)>,
    has_id: bool,
}

impl Watching {
    fn trouble(&self) -> Option<Unreached> {
        self.seen(|seen| seen.trouble.clone())
    }

    fn refused_id(&self) -> Option<(Code, String)> {
        self.seen(|seen| seen.refused_id.clone())
    }

    fn has_id(&self) -> bool {
        self.seen(|seen| seen.has_id)
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Watching {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level as i32, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "kafka", "{error}: {reason}");
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        self.seen(|seen| {
            if code == Code::ClusterAuthorizationFailed {
                seen.refused_id.get_or_insert((code, reason.to_owned()));
            } else if code != Code::AllBrokersDown || seen.trouble.is_none() {
                let text = reason.to_owned();
                // What ends the trying is not followed by anything that says more.
                if !seen.trouble.as_ref().is_some_and(Unreached::is_final) {
                    seen.trouble = Some(Unreached { code, text });
                }
            }
        });
    }

    /// As text: rdkafka's own reading of the statistics refuses what librdkafka gets wrong.
    fn stats_raw(&self, statistics: &[u8]) {
        const ASSIGNED: &[u8] = b"\"idemp_state\": \"Assigned\"";
        if statistics.windows(ASSIGNED.len()).any(|w| w == ASSIGNED) {
            self.seen(|seen| seen.has_id = true);
        }
    }
}

impl ProducerContext for Watching {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}
