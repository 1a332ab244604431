//! What the members of a group agree on.

use crate::config::choice::choice;
use crate::config::client::ClientProperties;
use crate::config::key::Key;
use crate::config::keys::consumer;
use crate::config::reader::Reader;

choice! {
    /// Who decides how a group shares its partitions.
    pub enum GroupProtocol {
        /// One of the members.
        Classic = "classic",
        /// The broker (KIP-848).
        Consumer = "consumer",
    }
}

/// With the broker's protocol, sessions, heartbeats and assignors are the broker's.
pub(super) fn check_group(reader: &mut Reader<'_>, client: &mut ClientProperties) {
    let protocol = reader.choice(&consumer::GROUP_PROTOCOL);
    let classic = [
        &consumer::SESSION_TIMEOUT,
        &consumer::HEARTBEAT_INTERVAL,
        &consumer::ASSIGNMENT_STRATEGY,
    ];
    if protocol == Some(GroupProtocol::Consumer) {
        for key in classic {
            if reader.given(key).is_some() {
                reader.contradiction(
                    key,
                    "the broker decides this with `group.protocol: consumer` (KIP-848): remove it",
                );
            }
            client.remove(key.librdkafka.unwrap_or_default());
        }
        return;
    }
    if reader.given(&consumer::REMOTE_ASSIGNOR).is_some() {
        reader.contradiction(
            &consumer::REMOTE_ASSIGNOR,
            "has no effect without `group.protocol: consumer`",
        );
    }
    let strategies = reader.list(&consumer::ASSIGNMENT_STRATEGY);
    const KNOWN: [&str; 3] = ["cooperative-sticky", "range", "roundrobin"];
    for strategy in &strategies {
        if !KNOWN.contains(&strategy.value.as_str()) {
            let message = format!("`{}` is not one of {}", strategy.shown, KNOWN.join(", "));
            reader.invalid(&consumer::ASSIGNMENT_STRATEGY, strategy.span, message);
        }
    }
    if strategies.len() > 1 && strategies.iter().any(|s| s.value == KNOWN[0]) {
        reader.contradiction(
            &consumer::ASSIGNMENT_STRATEGY,
            "librdkafka cannot mix cooperative-sticky with the others: keep it alone, or leave it \
             out",
        );
    }
    smaller(
        reader,
        client,
        (&consumer::HEARTBEAT_INTERVAL, "heartbeat.interval.ms"),
        (&consumer::SESSION_TIMEOUT, "session.timeout.ms"),
    );
    smaller(
        reader,
        client,
        (&consumer::SESSION_TIMEOUT, "session.timeout.ms"),
        (&consumer::MAX_POLL_INTERVAL, "max.poll.interval.ms"),
    );
}

/// Reports that the first of two numbers is larger than the second.
fn smaller(
    reader: &mut Reader<'_>,
    client: &ClientProperties,
    (low_key, low): (&'static Key, &str),
    (high_key, high): (&'static Key, &str),
) {
    let (Some(low_value), Some(high_value)) = (client.number(low), client.number(high)) else {
        return;
    };
    if low_value > high_value {
        let key = match reader.given(high_key) {
            Some(_) => high_key,
            None => low_key,
        };
        reader.contradiction(
            key,
            format!("`{high}` ({high_value}) must not be smaller than `{low}` ({low_value})"),
        );
    }
}
