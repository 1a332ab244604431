//! `weir check --connect`: whether brokers and registry would let a run do what it has to.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::CliError;
use super::show;
use crate::config::{ClientProperties, PipelineConfig, SchemasConfig, SinkConfig, Topics};
use crate::kafka::{self, Finding, Found, Outcome, PlannedPosition};
use crate::schemas::{self, SchemaError, SchemaSource};
use crate::sink::kafka as kafka_sink;

/// Positions that are shown, over all topics.
const POSITIONS_SHOWN: usize = 100;
/// Topics whose schemas the registry is asked for.
const TOPICS_ASKED: usize = 10;

/// What the parts of a pipeline would meet, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Source,
    Alignment,
    SideTopic,
    Registry,
    Sink,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Alignment => "alignment group",
            Self::SideTopic => "side topic",
            Self::Registry => "schema registry",
            Self::Sink => "sink",
        }
    }
}

/// Looks, and prints what it finds; an error if anything is not as a run needs it.
pub(super) fn connect(
    config: &PipelineConfig,
    schemas: &Arc<dyn SchemaSource>,
    timeout: Duration,
) -> Result<(), CliError> {
    let deadline = Instant::now() + timeout;
    let mut checked = 0;
    let mut wrong = 0;
    for (part, mut found) in look(config, schemas, deadline)? {
        hide_secrets(config, &mut found);
        let (text, failures) = shown(part, &found);
        checked += found
            .iter()
            .filter(|f| matches!(f, Found::Finding(_)))
            .count();
        wrong += failures;
        show::answer(&text);
    }
    match wrong {
        0 => Ok(()),
        _ => Err(CliError::failed(format!(
            "{wrong} of {checked} things would stop a run, or keep it waiting: see what is marked \
             as `failed`"
        ))),
    }
}

/// Looks at all parts at the same time. Whatever hangs is left behind at the deadline.
fn look(
    config: &PipelineConfig,
    schemas: &Arc<dyn SchemaSource>,
    deadline: Instant,
) -> Result<Vec<(Part, Vec<Found>)>, CliError> {
    let mut looks = Vec::new();
    let mut start = |part, look: Box<dyn FnOnce(Sender<Found>) + Send>| {
        let (found_in, found) = mpsc::channel();
        looks.push((part, found));
        let name = format!("weir-check-{}", part_thread(part));
        let spawned = std::thread::Builder::new()
            .name(name)
            .spawn(move || look(found_in));
        spawned.map(|_| ()).map_err(CliError::failed)
    };
    let source = config.source.clone();
    start(
        Part::Source,
        Box::new(move |found| {
            // A closed channel: the time is over.
            kafka::explore(&source, deadline, &mut |one| drop(found.send(one)));
        }),
    )?;
    if let Some(group) = config.watermark.as_ref().and_then(|w| w.group.clone()) {
        let client = config.source.client.clone();
        start(
            Part::Alignment,
            Box::new(move |found| {
                kafka::alignment::explore(&group, &client, deadline, &mut |one| {
                    drop(found.send(Found::Finding(one)));
                });
            }),
        )?;
    }
    if let Some(topic) = config.watermark.as_ref().and_then(|w| w.side_topic.clone()) {
        let client = config.source.client.clone();
        start(
            Part::SideTopic,
            Box::new(move |found| {
                let access = kafka::look_until(&topic, &client, deadline);
                let finding = access.map_or_else(
                    |wrong| wrong,
                    |access| kafka::topic_finding(&access, kafka::Use::Write, &client),
                );
                drop(found.send(Found::Finding(finding)));
            }),
        )?;
    }
    if let SchemasConfig::Registry(registry) = &config.schemas {
        let (url, schemas) = (registry.urls.join(", "), Arc::clone(schemas));
        let topics: Vec<String> = match &config.source.topics {
            Topics::Names(names) => names.clone(),
            Topics::Partitions(partitions) => partitions.keys().cloned().collect(),
            Topics::Pattern(_) => Vec::new(),
        };
        start(
            Part::Registry,
            Box::new(move |found| ask_registry(&url, &*schemas, &topics, &found)),
        )?;
    }
    if let SinkConfig::Kafka(sink) = &config.sink {
        let sink = sink.clone();
        start(
            Part::Sink,
            Box::new(move |found| {
                kafka_sink::explore(&sink, deadline, &mut |one| {
                    drop(found.send(Found::Finding(one)));
                });
            }),
        )?;
    }
    // Longer than what is found out with regard to the deadline.
    let last = deadline + Duration::from_millis(500);
    Ok(looks
        .into_iter()
        .map(|(part, found)| {
            let mut all = Vec::new();
            loop {
                match found.recv_timeout(last.saturating_duration_since(Instant::now())) {
                    Ok(one) => all.push(one),
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => {
                        let fix = "give more --timeout, or look why it is so slow";
                        let wrong = Finding::wrong("the rest", "no answer in time", fix);
                        all.push(Found::Finding(wrong));
                        break;
                    }
                }
            }
            (part, all)
        })
        .collect())
}

const fn part_thread(part: Part) -> &'static str {
    match part {
        Part::Source => "source",
        Part::Alignment => "alignment",
        Part::SideTopic => "aside",
        Part::Registry => "registry",
        Part::Sink => "sink",
    }
}

/// Whether the registry answers, by asking for what it most likely has.
fn ask_registry(
    url: &str,
    schemas: &dyn schemas::SchemaSource,
    topics: &[String],
    found: &Sender<Found>,
) {
    let say = |finding| drop(found.send(Found::Finding(finding)));
    let subjects: Vec<String> = match topics {
        // Any question shows whether there is an answer.
        [] => vec!["weir-check".to_owned()],
        _ => topics
            .iter()
            .take(TOPICS_ASKED)
            .map(|topic| format!("{topic}-value"))
            .collect(),
    };
    for (n, subject) in subjects.iter().enumerate() {
        let answer = schemas.latest(subject);
        match &answer {
            Ok(_) | Err(SchemaError::NotFound(_)) if n == 0 => {
                say(Finding::fine("registry", format!("answers at {url}")));
            }
            Ok(_) | Err(SchemaError::NotFound(_)) => {}
            Err(SchemaError::Unavailable(why)) => {
                let fix = "check schema.registry.url, and that a registry runs there";
                return say(Finding::wrong("registry", why, fix));
            }
            Err(SchemaError::Refused(why)) => {
                let fix = "check schema.registry.url and the keys beside it";
                return say(Finding::wrong("registry", why, fix));
            }
        }
        let what = format!("subject {subject}");
        match answer {
            Ok(schema) => say(Finding::fine(
                what,
                format!("{:?}", schema.schema.schema_type),
            )),
            Err(_) if topics.is_empty() => {}
            // Messages may name others by their ids.
            Err(_) => say(Finding::untold(
                what,
                "not there; messages may have other schemas",
            )),
        }
    }
}

/// Whatever brokers and libraries say of a secret is not shown.
fn hide_secrets(config: &PipelineConfig, found: &mut [Found]) {
    let sink = match &config.sink {
        SinkConfig::Kafka(sink) => Some(&sink.client),
        SinkConfig::Stdout | SinkConfig::File(_) => None,
    };
    let clients = [Some(&config.source.client), sink].into_iter().flatten();
    let secrets: Vec<&str> = clients.flat_map(ClientProperties::secrets).collect();
    for one in found {
        let Found::Finding(finding) = one else {
            continue;
        };
        let (Outcome::Fine(text) | Outcome::Untold(text) | Outcome::Wrong { why: text, .. }) =
            &mut finding.outcome;
        for secret in &secrets {
            *text = text.replace(secret, "***");
        }
    }
}

/// The lines of one part, and how many of them are failures.
fn shown(part: Part, found: &[Found]) -> (String, usize) {
    let findings: Vec<&Finding> = found
        .iter()
        .filter_map(|found| match found {
            Found::Finding(finding) => Some(finding),
            Found::Position(_) => None,
        })
        .collect();
    let positions: Vec<&PlannedPosition> = found
        .iter()
        .filter_map(|found| match found {
            Found::Finding(_) => None,
            Found::Position(position) => Some(position),
        })
        .collect();
    let width = findings.iter().map(|finding| finding.what.chars().count());
    let width = width.max().unwrap_or(0);
    let mut text = format!("\n{}\n", part.name());
    let mut failures = 0;
    for finding in findings {
        let what = &finding.what;
        match &finding.outcome {
            Outcome::Fine(result) => text.push_str(&format!("  ok      {what:width$}  {result}\n")),
            Outcome::Untold(result) => {
                text.push_str(&format!("  ?       {what:width$}  {result}\n"));
            }
            Outcome::Wrong { why, fix } => {
                failures += 1;
                text.push_str(&format!("  failed  {what:width$}  {why}\n"));
                text.push_str(&format!("          {:width$}  fix: {fix}\n", ""));
            }
        }
    }
    text.push_str(&table(&positions));
    (text, failures)
}

/// Where each partition would be read from, and up to where.
fn table(positions: &[&PlannedPosition]) -> String {
    if positions.is_empty() {
        return String::new();
    }
    let head = [
        "partition",
        "committed",
        "starts at",
        "ends at",
        "to read now",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(positions.iter().take(POSITIONS_SHOWN).map(|position| {
        let committed = position
            .committed
            .map_or("-".to_owned(), |at| at.to_string());
        let stop = position.stop_at.map_or("-".to_owned(), |at| at.to_string());
        let until = position.stop_at.unwrap_or(position.end).min(position.end);
        [
            position.source.to_string(),
            committed,
            position.start.to_string(),
            stop,
            until.saturating_sub(position.start).max(0).to_string(),
        ]
    }));
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = "\n".to_owned();
    for row in &rows {
        let [name, numbers @ ..] = row;
        text.push_str(&format!("  {name:0$}", widths[0]));
        for (cell, width) in numbers.iter().zip(&widths[1..]) {
            text.push_str(&format!("  {cell:>width$}"));
        }
        text.push('\n');
    }
    if let Some(more) = positions
        .len()
        .checked_sub(POSITIONS_SHOWN)
        .filter(|n| *n > 0)
    {
        text.push_str(&format!("  and {more} partitions more\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::TopicPartition;

    #[test]
    fn what_is_found_is_a_table_and_failures_have_their_fix_below() {
        let position = |partition, committed, stop_at| {
            Found::Position(PlannedPosition {
                source: TopicPartition {
                    topic: "orders".into(),
                    partition,
                },
                committed,
                start: 10,
                stop_at,
                end: 100,
            })
        };
        let found = [
            Found::Finding(Finding::fine(
                "topic orders",
                "2 partitions; Read is allowed",
            )),
            position(0, Some(10), Some(90)),
            position(1, None, None),
            Found::Finding(Finding::wrong(
                "group g",
                "Read is not allowed",
                "kafka-acls …",
            )),
        ];
        let (text, failures) = shown(Part::Source, &found);
        assert_eq!(failures, 1);
        assert_eq!(
            text,
            "
source
  ok      topic orders  2 partitions; Read is allowed
  failed  group g       Read is not allowed
                        fix: kafka-acls …

  partition  committed  starts at  ends at  to read now
  orders[0]         10         10       90           80
  orders[1]          -         10        -           90
"
        );
    }
}
