//! Figures of event time: how far it has come, and what holds it back.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;

use super::{Figures, Labels, Value, write};
use crate::batch::TopicPartition;
use crate::event_time::{EventTimeView, PartitionTime, State};

/// Of one partition in the view of all.
type Of = fn(&EventTimeView, &TopicPartition, &PartitionTime) -> Option<Value>;

impl Figures {
    /// Nothing where it is not tracked.
    pub(super) fn event_time(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Some(event_time) = self.progress.event_time() else {
            return Ok(());
        };
        let p = &self.progress;
        for (name, help, value) in [
            ("late_rows", "Rows that came below the watermark", &p.late),
            (
                "late_rows_dropped",
                "Those of them that were dropped",
                &p.late_dropped,
            ),
            (
                "excess_rows_dropped",
                "Rows dropped as too far ahead of other partitions",
                &p.excess,
            ),
            (
                "future_rows",
                "Rows whose event time is too far in the future to count",
                &p.future,
            ),
            ("timeless_rows", "Rows without an event time", &p.timeless),
        ] {
            let count = Value::Count(value.get());
            write(encoder, (name, help), [(Labels::new(), count)])?;
        }
        let view = event_time.view();
        let about = (
            "watermark_seconds",
            "Below this event time, nothing is expected any more; since 1970",
        );
        let watermark = view.watermark.map(seconds);
        write(encoder, about, watermark.map(|w| (Labels::new(), w)))?;
        let of_partition: [(&str, &str, Of); 6] = [
            (
                "partition_event_time_seconds",
                "The latest event time of the partition, since 1970",
                |_, _, time| time.event_time.map(seconds),
            ),
            (
                "partition_watermark_seconds",
                "The watermark of the partition, since 1970",
                |_, _, time| time.watermark.map(seconds),
            ),
            (
                "partition_drift_seconds",
                "How far that is ahead of the combined watermark",
                |view, _, time| Some(seconds(time.watermark?.saturating_sub(view.watermark?))),
            ),
            (
                "partition_idle",
                "1 when nothing has come for so long that the others do not wait for it",
                |_, _, time| Some(flag(time.state == State::Idle)),
            ),
            (
                "partition_waiting",
                "1 while it waits for the others, as alignment asks",
                |_, _, time| Some(flag(time.paused)),
            ),
            (
                "partition_holds_watermark",
                "1 when it is behind all others that are waited for",
                |view, source, _| Some(flag(view.holder.as_ref() == Some(source))),
            ),
        ];
        for (name, help, value) in of_partition {
            let samples = view.partitions.iter().filter_map(|(source, time)| {
                let labels = vec![
                    ("topic", source.topic.to_string()),
                    ("partition", source.partition.to_string()),
                ];
                Some((labels, value(&view, source, time)?))
            });
            write(encoder, (name, help), samples)?;
        }
        Ok(())
    }
}

/// Of ms.
fn seconds(ms: i64) -> Value {
    Value::Real(ms as f64 / 1e3)
}

fn flag(is: bool) -> Value {
    Value::Level(is.into())
}
