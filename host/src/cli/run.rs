//! `weir run`.

use std::io::{IsTerminal, stderr, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressStyle};

use super::{CliError, log, reload, show, signals, wiring};
use crate::config::{PipelineConfig, SinkConfig, StopAt};
use crate::metrics::Listener;
use crate::pipeline::{self, PipelineError};
use crate::progress::Progress;
use crate::sink::SinkError;

/// How often figures are drawn, and the end is looked for.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(file: &Path, workers: Option<usize>) -> Result<(), CliError> {
    let bars = MultiProgress::new();
    log::start(&bars);
    let config = PipelineConfig::load(file, &wiring::env).map_err(CliError::config)?;
    config.check_files().map_err(CliError::config)?;
    let metrics = listener(&config)?;
    let parts = wiring::parts(&config, workers)?;
    let started = Instant::now();
    let running = pipeline::start(&config, parts).map_err(CliError::config)?;
    let reload = reload::watch(file, &config, &running).map_err(CliError::failed)?;
    signals::heed(running.stopper(), reload).map_err(CliError::failed)?;
    // Last: who gets an answer may send a signal.
    if let Some(metrics) = metrics {
        let registry = running.figures().into_registry(&config.name);
        metrics.serve(registry).map_err(CliError::failed)?;
    }
    if stderr().is_terminal() {
        show::note(&format!(
            "{}: {} ─► {}; Ctrl-C to stop",
            config.name,
            show::source(&config.source),
            show::sink(&config.sink)
        ));
    }

    let progress = running.progress();
    let bar = bar(&config).map(|bar| bars.add(bar));
    while !running.is_finished() {
        std::thread::sleep(LOOK);
        if let Some(bar) = &bar {
            draw(bar, &progress, started.elapsed());
        }
    }
    let outcome = running.wait();
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    show::note(&show::summary(&config.name, &progress, started.elapsed()));
    match outcome {
        Ok(()) | Err(PipelineError::Sink(SinkError::Closed)) => Ok(()),
        Err(error) => Err(CliError::failed(error)),
    }
}

/// The port for metrics, before anything is started.
fn listener(config: &PipelineConfig) -> Result<Option<Listener>, CliError> {
    let Some(address) = &config.metrics_listen else {
        return Ok(None);
    };
    let bound = Listener::bind(address).and_then(|bound| Ok((bound.address()?, bound)));
    let (address, listener) =
        bound.map_err(|error| CliError::config(format!("metrics.listen: {address}: {error}")))?;
    show::note(&format!("metrics are at http://{address}/metrics"));
    Ok(Some(listener))
}

/// A bar where somebody sees it, and rows do not go to the same terminal.
fn bar(config: &PipelineConfig) -> Option<ProgressBar> {
    let rows_on_terminal = matches!(config.sink, SinkConfig::Stdout) && stdout().is_terminal();
    if !stderr().is_terminal() || rows_on_terminal {
        return None;
    }
    let (bar, template) = match config.source.stop {
        StopAt::Never => (ProgressBar::new_spinner(), "{spinner} {prefix}  {msg}"),
        _ => (
            ProgressBar::new(0),
            "{prefix}  {bar:30} {percent:>3}%  {msg}",
        ),
    };
    let style = ProgressStyle::with_template(template).expect("the template is valid");
    Some(
        bar.with_style(style.progress_chars("━╸─"))
            .with_prefix(config.name.clone()),
    )
}

fn draw(bar: &ProgressBar, progress: &Progress, elapsed: Duration) {
    let (mut done, mut all, mut lag) = (0, 0, None);
    for partition in progress.partitions().values() {
        if let Some(behind) = partition.lag() {
            lag = Some(lag.unwrap_or(0) + behind.unsigned_abs());
        }
        if let Some(end) = partition.end {
            all += end.abs_diff(partition.start);
            done += partition.delivered.min(end).abs_diff(partition.start);
        }
    }
    bar.set_length(all);
    bar.set_position(done);
    let rows = progress.rows.get();
    let mut message = format!(
        "{} rows, {}/s",
        HumanCount(rows),
        HumanCount(show::per_second(rows, elapsed.as_secs_f64().max(0.1)))
    );
    if let Some(lag) = lag {
        message.push_str(&format!(", {} behind", HumanCount(lag)));
    }
    if progress.errors.get() > 0 {
        message.push_str(&format!(
            ", {} bad records",
            HumanCount(progress.errors.get())
        ));
    }
    if let Some(event_time) = progress.event_time() {
        let view = event_time.view();
        if let Some(watermark) = view.watermark {
            message.push_str(&format!(", watermark {}", show::instant(watermark)));
        }
        if let Some(holder) = show::holder(&view) {
            message.push_str(&format!(", {holder}"));
        }
        if let Some(group) = show::group(&view) {
            message.push_str(&format!(", {group}"));
        }
    }
    bar.set_message(message);
    bar.tick();
}
