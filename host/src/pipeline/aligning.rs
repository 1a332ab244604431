//! Event time of a pipeline, and the thread that takes part in its alignment group.

use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::Receiver;

use super::{Failure, spawn};
use crate::config::{AlignmentMode, PipelineConfig, WatermarkConfig};
use crate::event_time::{Alignment, EventTime, Settings};
use crate::kafka::{Renewal, alignment};
use crate::stop::Stop;

/// How the thread is joined to the others.
pub(super) struct Links {
    pub(super) event_time: Option<EventTime>,
    /// Closes when the source has ended.
    pub(super) source: Receiver<()>,
    pub(super) renewals: Receiver<Renewal>,
    pub(super) stop: Stop,
    pub(super) failure: Failure,
}

pub(super) fn event_time(config: &WatermarkConfig) -> EventTime {
    let settings = Settings {
        max_out_of_orderness: config.max_out_of_orderness,
        idle_timeout: config.idle_timeout,
    };
    // In the other modes nobody waits.
    let alignment = config
        .alignment
        .filter(|alignment| alignment.mode == AlignmentMode::Pause)
        .map(|alignment| Alignment::new(alignment.max_drift));
    EventTime::new(settings, alignment, config.max_future, Instant::now())
}

/// Starts the thread, if the pipeline is in a group. Before this returns, nothing is read.
pub(super) fn start(config: &PipelineConfig, links: Links) -> Option<JoinHandle<()>> {
    let watermark = config.watermark.as_ref()?;
    let max_drift = watermark.alignment?.max_drift;
    let (group, event_time) = (watermark.group.clone()?, links.event_time?);
    event_time.see_group(alignment::unknown(&group));
    let (name, client) = (config.name.clone(), config.source.client.clone());
    let (stop, failure) = (links.stop, links.failure);
    let links = alignment::Links {
        event_time,
        stop: stop.clone(),
        source: links.source,
        renewals: links.renewals,
    };
    Some(spawn("weir-alignment", move || {
        if let Err(error) = alignment::run(&group, max_drift, &name, &client, links) {
            failure.report(error.into(), &stop);
        }
    }))
}
