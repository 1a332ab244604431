//! What `weir check --connect` finds: one line for each thing that a run would need.

use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::metadata::Metadata;

use super::native::access::{self, Allowed, Refused, TopicAccess};
use super::without_places;
use crate::config::ClientProperties;

/// How long one request may take, unless less is left.
const ATTEMPT: Duration = Duration::from_secs(2);
/// How often brokers are asked what is allowed.
const ATTEMPTS: usize = 3;

/// What was looked at, and how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Brokers, a topic, a group.
    pub(crate) what: String,
    pub(crate) outcome: Outcome,
}

/// How something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As a run needs it.
    Fine(String),
    /// Not for certain: brokers do not tell.
    Untold(String),
    /// Not as a run needs it.
    Wrong { why: String, fix: String },
}

impl Finding {
    pub(crate) fn fine(what: impl Into<String>, result: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            outcome: Outcome::Fine(result.into()),
        }
    }

    pub(crate) fn untold(what: impl Into<String>, result: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            outcome: Outcome::Untold(result.into()),
        }
    }

    pub(crate) fn wrong(
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            what: what.into(),
            outcome: Outcome::Wrong {
                why: why.into(),
                fix: fix.into(),
            },
        }
    }
}

/// How long the next request may take; `None` when no time is left.
pub(crate) fn attempt(deadline: Instant) -> Option<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    (!left.is_zero()).then(|| left.min(ATTEMPT))
}

/// What brokers say of topics; what is known anyway where they do not tell.
pub(crate) fn topics<C: ClientContext>(
    client: &Client<C>,
    names: &[String],
    metadata: &Metadata,
    deadline: Instant,
) -> Vec<TopicAccess> {
    // The one that has answered, unless that was before it was known by its number.
    let first = metadata.brokers().first().map(|broker| broker.id());
    let answering = Some(metadata.orig_broker_id()).filter(|id| *id >= 0);
    let broker = answering.or(first).unwrap_or(0);
    for _ in 0..ATTEMPTS {
        let Some(timeout) = attempt(deadline) else {
            break;
        };
        match access::topics(client, broker, names, timeout * 2) {
            Ok(topics) => return topics,
            Err(refused) => {
                tracing::debug!(
                    "asking what is allowed: {} ({})",
                    refused.text,
                    refused.code
                );
                // Such as a connection that is just being made.
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }
    names.iter().map(|name| known(name, metadata)).collect()
}

/// What a topic's access lets a client do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Read,
    Write,
}

impl Use {
    /// As Kafka names the operation.
    pub(crate) const fn operation(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
        }
    }

    fn is_in(self, allowed: Allowed) -> bool {
        match self {
            Self::Read => allowed.read,
            Self::Write => allowed.write,
        }
    }
}

/// What to make of what brokers say of a topic.
pub(crate) fn topic(access: &TopicAccess, wanted: Use, client: &ClientProperties) -> Finding {
    let what = format!("topic {}", access.name);
    let operation = wanted.operation();
    let acl = acl(client, operation, &format!("--topic {}", access.name));
    match (&access.partitions, access.allowed) {
        (Err(Code::TopicAuthorizationFailed), _) => Finding::wrong(
            what,
            format!("{operation} is not allowed, nor is Describe"),
            acl,
        ),
        (Err(Code::UnknownTopicOrPartition | Code::UnknownTopic), _) => Finding::wrong(
            what,
            "there is no such topic",
            "create it, or correct the name (names are case-sensitive)",
        ),
        (Err(code), _) => Finding::wrong(what, code.to_string(), "ask who runs the cluster"),
        (Ok(_), Some(allowed)) if !wanted.is_in(allowed) => {
            Finding::wrong(what, format!("{operation} is not allowed"), acl)
        }
        (Ok(numbers), Some(_)) => Finding::fine(
            what,
            format!("{}; {operation} is allowed", partitions(numbers.len())),
        ),
        (Ok(numbers), None) => Finding::untold(
            what,
            format!(
                "{}; the brokers do not tell whether {operation} is allowed",
                partitions(numbers.len())
            ),
        ),
    }
}

/// What is known of a topic whose brokers do not tell more.
fn known(name: &str, metadata: &Metadata) -> TopicAccess {
    let topic = metadata.topics().iter().find(|topic| topic.name() == name);
    let partitions = topic.map_or(Err(Code::UnknownTopicOrPartition), |topic| {
        match topic.error() {
            Some(error) => Err(error.into()),
            None => Ok(topic.partitions().iter().map(|p| p.id()).collect()),
        }
    });
    TopicAccess {
        name: name.to_owned(),
        partitions,
        allowed: None,
    }
}

/// What to make of what brokers say of the group.
pub(crate) fn group(
    name: &str,
    answer: Result<Option<Allowed>, Refused>,
    client: &ClientProperties,
) -> Finding {
    let what = format!("group {name}");
    let acl = acl(client, "Read", &format!("--group {name}"));
    match answer {
        Err(Refused {
            code: Code::GroupAuthorizationFailed,
            ..
        }) => Finding::wrong(what, "Read is not allowed, nor is Describe", acl),
        Ok(Some(allowed)) if !allowed.read => Finding::wrong(what, "Read is not allowed", acl),
        Ok(Some(_)) => Finding::fine(what, "Read is allowed"),
        Ok(None) => Finding::untold(what, "the brokers do not tell whether Read is allowed"),
        Err(Refused { text, .. }) => Finding::untold(
            what,
            format!("the brokers do not tell whether Read is allowed: {text}"),
        ),
    }
}

fn partitions(count: usize) -> String {
    match count {
        1 => "1 partition".to_owned(),
        _ => format!("{count} partitions"),
    }
}

/// The command that adds what is missing.
pub(crate) fn acl(client: &ClientProperties, operation: &str, resource: &str) -> String {
    if client.get("sasl.aws.region").is_some() {
        return format!(
            "allow {} for {resource} in the IAM policy of who connects",
            iam_action(operation, resource)
        );
    }
    let servers = client.get("bootstrap.servers").unwrap_or("BROKERS");
    // By other mechanisms, brokers make the user of a token, a ticket or a certificate.
    let user = client.get("sasl.username").unwrap_or("USER");
    format!(
        "kafka-acls --bootstrap-server {servers} --add --allow-principal User:{user} \
         --operation {operation} {resource}"
    )
}

/// What Amazon MSK calls an operation.
fn iam_action(operation: &str, resource: &str) -> &'static str {
    match (operation, resource.split_once(' ').map(|(kind, _)| kind)) {
        ("Read", Some("--group")) => "kafka-cluster:AlterGroup and kafka-cluster:DescribeGroup",
        ("Read", _) => "kafka-cluster:ReadData and kafka-cluster:DescribeTopic",
        ("Write", _) => "kafka-cluster:WriteData and kafka-cluster:DescribeTopic",
        _ => "kafka-cluster:WriteDataIdempotently",
    }
}

/// Why brokers were not reached.
#[derive(Clone, Debug)]
pub(crate) struct Unreached {
    pub(crate) code: Code,
    pub(crate) text: String,
}

impl Unreached {
    pub(crate) fn timed_out() -> Self {
        Self {
            code: Code::OperationTimedOut,
            text: "no answer".to_owned(),
        }
    }

    /// Whether waiting may help.
    pub(crate) fn is_final(&self) -> bool {
        self.code == Code::Authentication || super::is_refused_handshake(self.code, &self.text)
    }

    pub(crate) fn finding(&self, client: &ClientProperties) -> Finding {
        let servers = client.get("bootstrap.servers").unwrap_or_default();
        let fix = match self.code {
            Code::Authentication => match client.get("sasl.mechanisms") {
                _ if client.get("sasl.aws.region").is_some() => {
                    "check the AWS credentials, sasl.aws.region, and that kafka-cluster:Connect is \
                     allowed"
                }
                Some("OAUTHBEARER") => {
                    "check the keys sasl.oauthbearer.…, and that the endpoint knows the client"
                }
                Some("GSSAPI") => "check the keys sasl.kerberos.…, and krb5.conf",
                _ => "check sasl.mechanism, sasl.username and sasl.password",
            },
            code if super::is_refused_handshake(code, &self.text) => {
                "check ssl.ca.location, ssl.certificate.location and the broker's certificate"
            }
            Code::Resolve => "check the host names of bootstrap.servers",
            _ => {
                "check bootstrap.servers, that brokers listen there, and that security.protocol is \
                 the listener's"
            }
        };
        let why = if super::is_refused_handshake(self.code, &self.text) {
            super::explained(client, &self.text)
        } else {
            without_places(&self.text)
        };
        Finding::wrong("brokers", format!("not reached at {servers}: {why}"), fix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(partitions: Result<Vec<i32>, Code>, allowed: Option<Allowed>) -> TopicAccess {
        TopicAccess {
            name: "orders".to_owned(),
            partitions,
            allowed,
        }
    }

    fn user() -> ClientProperties {
        let mut client = ClientProperties::default();
        client.set_by_weir("bootstrap.servers", "b:9092");
        client.set_by_weir("sasl.username", "bob");
        client
    }

    #[test]
    fn what_is_missing_is_named_with_the_command_that_adds_it() {
        let read_only = Some(Allowed {
            read: true,
            write: false,
        });
        let written = topic(&access(Ok(vec![0]), read_only), Use::Write, &user());
        assert_eq!(
            written,
            Finding::wrong(
                "topic orders",
                "Write is not allowed",
                "kafka-acls --bootstrap-server b:9092 --add --allow-principal User:bob \
                 --operation Write --topic orders",
            )
        );
        let read = topic(&access(Ok(vec![0, 1]), read_only), Use::Read, &user());
        assert_eq!(
            read,
            Finding::fine("topic orders", "2 partitions; Read is allowed")
        );
        let untold = topic(&access(Ok(vec![0]), None), Use::Read, &user());
        assert!(matches!(untold.outcome, Outcome::Untold(_)));
        let hidden = Err(Code::TopicAuthorizationFailed);
        let hidden = topic(&access(hidden, None), Use::Read, &user());
        assert!(matches!(hidden.outcome, Outcome::Wrong { fix, .. } if fix.contains("Read")));
    }

    #[test]
    fn a_group_that_may_not_be_read_is_wrong_and_one_that_is_not_told_is_not() {
        let refused = Err(Refused {
            code: Code::GroupAuthorizationFailed,
            text: String::new(),
        });
        let is_wrong = |finding: Finding| matches!(finding.outcome, Outcome::Wrong { .. });
        assert!(is_wrong(group("g", refused, &user())));
        assert!(is_wrong(group("g", Ok(Some(Allowed::default())), &user())));
        assert!(!is_wrong(group("g", Ok(None), &user())));
    }
}
