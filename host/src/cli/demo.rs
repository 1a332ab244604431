//! `weir demo`.

mod view;

use std::io::{IsTerminal, stderr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::MultiProgress;

use self::view::{Seen, View, WatchedSink};
use super::{CliError, log, show, signals, wiring};
use crate::config::PipelineConfig;
use crate::demo::cluster::EmbeddedCluster;
use crate::demo::{DemoSchemas, PARTITIONS, PIPELINE, PIPELINE_PATH, TOPIC, dataset, publisher};
use crate::pipeline::{self, Parts};
use crate::progress::Progress;
use crate::stop::Stop;

/// Messages a second when somebody watches.
const WATCHED_RATE: u32 = 250;
/// The end when nothing comes for so long after all is published.
const SILENCE: Duration = Duration::from_secs(20);
/// How often the picture is drawn.
const FRAME: Duration = Duration::from_millis(80);

#[derive(Args)]
pub(super) struct DemoArgs {
    /// Publish to these brokers, and read from them, in place of the embedded one
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap_servers: Option<String>,
    /// Messages to publish each second, 0 for as fast as possible [default: 250 on a terminal, else 0]
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
}

pub(super) fn demo(args: &DemoArgs) -> Result<(), CliError> {
    let started = Instant::now();
    let watched = stderr().is_terminal();
    let bars = MultiProgress::new();
    log::start(&bars);
    let mut config = PipelineConfig::parse(PIPELINE, Path::new(PIPELINE_PATH), &wiring::env)
        .map_err(CliError::config)?;
    let (embedded, partitions) = match &args.bootstrap_servers {
        Some(brokers) => {
            config
                .source
                .client
                .set_by_weir("bootstrap.servers", brokers);
            let partitions =
                publisher::prepare_topic(brokers, TOPIC, PARTITIONS).map_err(|error| {
                    CliError::Failed(format!("making topic {TOPIC} at {brokers}: {error}"))
                })?;
            (None, partitions)
        }
        None => (Some(embedded(&mut config)?), PARTITIONS),
    };
    let engine = wiring::engine()?;
    let plugins = wiring::plugins(&config, &engine)?;
    let plugin = plugins.deserializer.0.clone();
    let seen = Arc::new(Seen::new(started));
    let parts = Parts {
        plugins,
        schemas: Arc::new(DemoSchemas),
        sink: Box::new(WatchedSink::new(Arc::clone(&seen))),
        workers: pipeline::default_workers(),
    };

    let messages = dataset::messages().map_err(CliError::failed)?;
    let total = messages.len();
    let published = Stop::default();
    let brokers = config.source.client.get("bootstrap.servers");
    let brokers = brokers.unwrap_or_default().to_owned();
    let publisher = std::thread::spawn({
        let (brokers, stop) = (brokers.clone(), published.clone());
        let rate = args.rate.unwrap_or(if watched { WATCHED_RATE } else { 0 });
        move || publisher::publish(&brokers, TOPIC, partitions, &messages, rate, &stop)
    });
    let pipeline_started = started.elapsed();
    let running = pipeline::start(&config, parts).map_err(CliError::config)?;
    let (stop, progress) = (running.stopper(), running.progress());
    signals::heed(stop.clone(), || {}).map_err(CliError::failed)?;

    show::note(&format!(
        "{total} earthquakes as Avro, {} partitions of topic {TOPIC} at {brokers}{}, through {} {} in a sandbox",
        partitions,
        if embedded.is_some() {
            " (embedded)"
        } else {
            ""
        },
        plugin.description().name,
        plugin.description().version,
    ));
    let mut view = View::new(&bars, watched, total);
    let mut last_news = (0, Instant::now());
    while !running.is_finished() && !stop.is_requested() && handled(&progress) < total as u64 {
        std::thread::sleep(FRAME);
        if handled(&progress) > last_news.0 {
            last_news = (handled(&progress), Instant::now());
        } else if publisher.is_finished() && last_news.1.elapsed() > SILENCE {
            break;
        }
        view.draw(&progress, &seen);
    }
    view.draw(&progress, &seen);
    let interrupted = stop.is_requested();
    stop.request();
    published.request();
    let outcome = running.wait();
    view.close();
    publisher
        .join()
        .map_err(|_| CliError::Failed("the publisher panicked".into()))?
        .map_err(|error| CliError::Failed(format!("publishing to {brokers}: {error}")))?;
    outcome.map_err(CliError::failed)?;
    show::note(&format!(
        "{}; first row after {:.2} s",
        show::summary(
            &config.name,
            &progress,
            seen.last_row().saturating_sub(pipeline_started)
        ),
        seen.first_row().unwrap_or_default().as_secs_f64(),
    ));
    if handled(&progress) < total as u64 && !interrupted {
        return Err(CliError::Failed(format!(
            "{} of {total} messages arrived",
            handled(&progress)
        )));
    }
    show::note(&format!(
        "this was {PIPELINE_PATH}; change bootstrap.servers in it to run it on brokers of your own"
    ));
    Ok(())
}

fn embedded(config: &mut PipelineConfig) -> Result<EmbeddedCluster, CliError> {
    let failed = |error| CliError::Failed(format!("the embedded broker did not start: {error}"));
    let cluster = EmbeddedCluster::start().map_err(failed)?;
    cluster.create_topic(TOPIC, PARTITIONS).map_err(failed)?;
    let client = &mut config.source.client;
    client.set_by_weir("bootstrap.servers", cluster.brokers());
    // The embedded broker lets each empty fetch wait its whole time.
    client.set_by_weir("fetch.wait.max.ms", "10");
    Ok(cluster)
}

/// Messages of which it is known what became of them.
fn handled(progress: &Progress) -> u64 {
    progress.rows.get()
        + progress.errors.get()
        + progress.tombstones.get()
        + progress.skipped.get()
        + progress.dropped.get()
}
