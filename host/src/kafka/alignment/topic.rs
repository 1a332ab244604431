//! The topic: found, made, or asked for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::{AlignmentError, Clients, Links, not_allowed};
use crate::config::{AlignmentGroup, ClientProperties};
use crate::kafka::{
    Finding, LoggingContext, Outcome, Tokens, Use, acl, client_config, look, look_until,
    topic_finding,
};

/// One request.
const REQUEST: Duration = Duration::from_secs(5);
/// Between two looks whether a new topic is known everywhere, or brokers are reached.
const AGAIN: Duration = Duration::from_millis(100);
/// What the topic is made with: compacted often, so that whoever joins has little to read. The
/// second where brokers do not allow the first.
const CONFIGS: [&[(&str, &str)]; 2] = [
    &[
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1048576"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("delete.retention.ms", "60000"),
    ],
    &[("cleanup.policy", "compact")],
];

/// Returns when the topic is there and may be used; false when the pipeline ends before that.
///
/// # Errors
/// [`AlignmentError`]: what a person has to mend.
pub(super) fn prepare(
    topic: &str,
    client: &ClientProperties,
    clients: &Clients,
    links: &Links,
) -> Result<bool, AlignmentError> {
    let mut was_made = false;
    while !links.is_over() {
        let Some(access) = look(topic, &clients.consumer, Instant::now() + REQUEST) else {
            // The source says why, and goes on trying as well. Who never polls gets no tokens.
            while clients.queue.poll(Duration::ZERO).is_some() {}
            std::thread::sleep(AGAIN);
            continue;
        };
        match (&access.partitions, access.allowed) {
            (Err(Code::TopicAuthorizationFailed), _) => {
                return Err(not_allowed(topic, client, Use::Read));
            }
            (Ok(_), Some(allowed)) if !allowed.read => {
                return Err(not_allowed(topic, client, Use::Read));
            }
            (Ok(_), Some(allowed)) if !allowed.write => {
                return Err(not_allowed(topic, client, Use::Write));
            }
            (Ok(_), _) => return Ok(true),
            (Err(_), _) if was_made => {}
            (Err(Code::UnknownTopicOrPartition | Code::UnknownTopic), _) => {
                make(topic, client, false).map_err(|error| AlignmentError::NoTopic {
                    topic: topic.to_owned(),
                    why: said(&error),
                    fix: command(topic, client),
                })?;
                tracing::info!("made topic {topic} for alignment groups");
                was_made = true;
            }
            // Such as a leader that is just elected.
            (Err(code), _) => tracing::debug!("topic {topic}: {code}"),
        }
        std::thread::sleep(AGAIN);
    }
    Ok(false)
}

/// For `weir check --connect`: how the topic is, until the deadline.
pub(crate) fn explore(
    group: &AlignmentGroup,
    client: &ClientProperties,
    deadline: Instant,
    report: &mut dyn FnMut(Finding),
) {
    let access = match look_until(&group.topic, client, deadline) {
        Ok(access) => access,
        Err(wrong) => return report(wrong),
    };
    if matches!(
        access.partitions,
        Err(Code::UnknownTopicOrPartition | Code::UnknownTopic)
    ) {
        let what = format!("topic {}", group.topic);
        return report(match make(&group.topic, client, true) {
            Ok(()) => Finding::fine(what, "none yet; a run may make it"),
            Err(error) => {
                let why = format!("there is none, and it cannot be made: {}", said(&error));
                Finding::wrong(what, why, command(&group.topic, client))
            }
        });
    }
    let read = topic_finding(&access, Use::Read, client);
    let may_read = !matches!(read.outcome, Outcome::Wrong { .. });
    report(read);
    if may_read {
        report(topic_finding(&access, Use::Write, client));
    }
}

/// Makes the topic, or asks whether that may be done. That somebody else has made it is as good.
fn make(topic: &str, client: &ClientProperties, only_ask: bool) -> Result<(), KafkaError> {
    let mut connection = client.clone();
    connection.keep_connection();
    let admin: AdminClient<LoggingContext> =
        client_config(&connection).create_with_context(LoggingContext)?;
    let admin = Arc::new(admin);
    let _tokens = Tokens::for_admin(&connection, &admin);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime without drivers needs nothing of the system");
    let options = AdminOptions::new()
        .request_timeout(Some(REQUEST))
        .operation_timeout(Some(REQUEST))
        .validate_only(only_ask);
    let mut refused = KafkaError::AdminOp(Code::PolicyViolation);
    for config in CONFIGS {
        let mut new = NewTopic::new(topic, 1, TopicReplication::Fixed(-1));
        for (name, value) in config {
            new = new.set(name, value);
        }
        let results = runtime.block_on(admin.create_topics([&new], &options))?;
        refused = match results.into_iter().next() {
            None | Some(Ok(_) | Err((_, Code::TopicAlreadyExists))) => return Ok(()),
            Some(Err((_, code @ (Code::PolicyViolation | Code::InvalidConfig)))) => {
                KafkaError::AdminOp(code)
            }
            Some(Err((_, code))) => return Err(KafkaError::AdminOp(code)),
        };
    }
    Err(refused)
}

fn said(error: &KafkaError) -> String {
    match error {
        KafkaError::AdminOp(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed) => {
            "Create is not allowed".to_owned()
        }
        KafkaError::AdminOp(code) => code.to_string(),
        error => error.to_string(),
    }
}

/// The command that makes the topic.
fn command(topic: &str, client: &ClientProperties) -> String {
    let servers = client.get("bootstrap.servers").unwrap_or("BROKERS");
    format!(
        "kafka-topics --bootstrap-server {servers} --create --topic {topic} --partitions 1 \
         --config cleanup.policy=compact (or let weir do it: {})",
        acl(client, "Create", &format!("--topic {topic}"))
    )
}
