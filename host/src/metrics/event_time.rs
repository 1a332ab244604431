//! How far event time has come. Times are in seconds since the epoch, as Prometheus has them.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use super::{Value, labels_of, write};
use crate::batch::TopicPartition;
use crate::event_time::{PartitionTime, State};
use crate::progress::Progress;

pub(super) fn write_event_time(
    encoder: &mut DescriptorEncoder<'_>,
    progress: &Progress,
) -> fmt::Result {
    let Some(event_time) = progress.event_time() else {
        return Ok(());
    };
    let view = event_time.view();
    for (name, help, counter) in [
        ("late_rows", "Rows below the watermark", &progress.late),
        (
            "late_rows_dropped",
            "Those of them that were dropped",
            &progress.late_dropped,
        ),
        (
            "excess_rows",
            "Rows too far ahead of other partitions to be taken",
            &progress.excess,
        ),
        (
            "excess_rows_dropped",
            "Those of them that were dropped",
            &progress.excess_dropped,
        ),
        (
            "aside_messages",
            "Messages put aside, to the side topic",
            &progress.aside,
        ),
        (
            "future_rows",
            "Rows whose event time is too far in the future to be believed",
            &progress.future,
        ),
        (
            "timeless_rows",
            "Rows without an event time",
            &progress.timeless,
        ),
    ] {
        let count = Value::Count(counter.get());
        write(encoder, (name, help), [(Vec::new(), count)])?;
    }
    let about = ("watermark_seconds", "The combined watermark");
    let combined = view.watermark.map(|ms| (Vec::new(), seconds(ms)));
    write(encoder, about, combined)?;

    if let Some(group) = &view.group {
        let about = (
            "alignment_group_members",
            "Other members of the alignment group that are known",
        );
        let members = Value::Level(i64::try_from(group.members).unwrap_or(i64::MAX));
        write(encoder, about, [(Vec::new(), members)])?;
        let about = (
            "alignment_group_watermark_seconds",
            "The least watermark of those that are waited for",
        );
        let floor = group.floor.map(|ms| (Vec::new(), seconds(ms)));
        write(encoder, about, floor)?;
    }

    type Sample<'a> = &'a dyn Fn(&TopicPartition, &PartitionTime) -> Option<Value>;
    let flag = |holds: bool| Some(Value::Level(holds.into()));
    let metrics: [(&str, &str, Sample<'_>); 6] = [
        (
            "partition_event_time_seconds",
            "The latest event time of a partition",
            &|_, time| time.event_time.map(seconds),
        ),
        (
            "partition_watermark_seconds",
            "The watermark of a partition",
            &|_, time| time.watermark.map(seconds),
        ),
        (
            "partition_drift_seconds",
            "How far that is ahead of the combined one",
            &|_, time| Some(seconds(time.watermark?.saturating_sub(view.watermark?))),
        ),
        (
            "partition_idle",
            "1 while nobody waits for the partition",
            &|_, time| flag(time.state == State::Idle),
        ),
        (
            "partition_waits",
            "1 while the partition waits for others",
            &|_, time| flag(time.paused),
        ),
        (
            "partition_holds_watermark",
            "1 for the partition that holds the watermark back",
            &|source, _| flag(view.holder.as_ref() == Some(source)),
        ),
    ];
    for (name, help, sample) in metrics {
        let partitions = view.partitions.iter();
        let samples = partitions
            .filter_map(|(source, time)| Some((labels_of(source), sample(source, time)?)));
        write(encoder, (name, help), samples)?;
    }
    Ok(())
}

fn seconds(ms: i64) -> Value {
    Value::Real(ms as f64 / 1e3)
}
