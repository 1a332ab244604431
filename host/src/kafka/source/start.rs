//! Where a partition begins and ends, by what is known of it. No I/O.

use crate::batch::TopicPartition;
use crate::config::{Start, StopAt};

/// What the cluster says of one partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// The first offset there is.
    pub(super) low: i64,
    /// The offset after the last.
    pub(super) high: i64,
    /// What the group has.
    pub(super) committed: Option<i64>,
    /// The first message of the start's time or later, where the start is a time.
    pub(super) at_start: Option<i64>,
    /// The first message of the stop's time or later, where the stop is a time.
    pub(super) at_stop: Option<i64>,
    /// What `startup.mode` is about: whether the partition is read for the first time.
    pub(super) is_first: bool,
    /// It did not exist when the pipeline started.
    pub(super) is_new: bool,
}

/// The offset to start from is not in the log: what the group has, or was told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OutOfRange(pub(super) i64);

/// The offset to start from.
pub(super) fn start(
    start: &Start,
    source: &TopicPartition,
    known: &Known,
) -> Result<i64, OutOfRange> {
    let in_log = |offset: i64| {
        if (known.low..=known.high).contains(&offset) {
            Ok(offset)
        } else {
            Err(OutOfRange(offset))
        }
    };
    let group = || known.committed.map_or(Ok(known.low), in_log);
    if !known.is_first {
        return group();
    }
    match start {
        Start::GroupOffsets => group(),
        Start::Earliest => Ok(known.low),
        Start::Latest | Start::Timestamp(_) if known.is_new => Ok(known.low),
        Start::Latest => Ok(known.high),
        Start::Timestamp(_) => Ok(known.at_start.unwrap_or(known.high)),
        Start::Offsets(offsets) => {
            let given = offsets.get(&*source.topic);
            match given.and_then(|partitions| partitions.get(&source.partition)) {
                Some(offset) => in_log(*offset),
                None => group(),
            }
        }
    }
}

/// The offset to stop before, if reading is bounded.
pub(super) fn stop(stop: &StopAt, source: &TopicPartition, known: &Known) -> Option<i64> {
    match stop {
        StopAt::Never => None,
        StopAt::Latest => Some(known.high),
        // Nothing committed: there is nothing to read up to.
        StopAt::GroupOffsets => Some(known.committed.unwrap_or(known.low)),
        StopAt::Timestamp(_) => Some(known.at_stop.unwrap_or(known.high)),
        StopAt::Offsets(offsets) => {
            let given = offsets.get(&*source.topic);
            let offset = given.and_then(|partitions| partitions.get(&source.partition));
            // What is beyond the end may still come; what is not named is not read.
            Some(offset.copied().unwrap_or(known.low))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::config::{Moment, PartitionOffsets};

    const KNOWN: Known = Known {
        low: 10,
        high: 100,
        committed: Some(40),
        at_start: Some(60),
        at_stop: Some(70),
        is_first: true,
        is_new: false,
    };

    fn orders(partition: i32) -> TopicPartition {
        TopicPartition {
            topic: "orders".into(),
            partition,
        }
    }

    fn offsets(offset: i64) -> PartitionOffsets {
        BTreeMap::from([("orders".to_owned(), BTreeMap::from([(0, offset)]))])
    }

    fn hour() -> Moment {
        Moment::Ago(Duration::from_secs(3600))
    }

    #[test]
    fn each_mode_starts_where_it_says() {
        for (mode, expected) in [
            (Start::GroupOffsets, Ok(40)),
            (Start::Earliest, Ok(10)),
            (Start::Latest, Ok(100)),
            (Start::Timestamp(hour()), Ok(60)),
            (Start::Offsets(offsets(50)), Ok(50)),
            (Start::Offsets(offsets(100)), Ok(100)),
            (Start::Offsets(offsets(5)), Err(OutOfRange(5))),
            (Start::Offsets(offsets(101)), Err(OutOfRange(101))),
        ] {
            assert_eq!(start(&mode, &orders(0), &KNOWN), expected, "{mode:?}");
        }
        let unnamed = start(&Start::Offsets(offsets(50)), &orders(1), &KNOWN);
        assert_eq!(unnamed, Ok(40));
    }

    #[test]
    fn a_time_past_the_end_is_the_latest_offset() {
        let known = Known {
            at_start: None,
            at_stop: None,
            ..KNOWN
        };
        assert_eq!(
            start(&Start::Timestamp(hour()), &orders(0), &known),
            Ok(100)
        );
        assert_eq!(
            stop(&StopAt::Timestamp(hour()), &orders(0), &known),
            Some(100)
        );
    }

    #[test]
    fn committed_offsets_that_are_gone_are_an_error_and_none_are_the_earliest() {
        let gone = |committed| Known { committed, ..KNOWN };
        let at = |committed| start(&Start::GroupOffsets, &orders(0), &gone(committed));
        assert_eq!(at(None), Ok(10));
        assert_eq!(at(Some(9)), Err(OutOfRange(9)));
        assert_eq!(at(Some(101)), Err(OutOfRange(101)));
    }

    #[test]
    fn modes_are_for_the_first_time_and_new_partitions_are_read_from_their_beginning() {
        for mode in [Start::Earliest, Start::Latest, Start::Timestamp(hour())] {
            let again = Known {
                is_first: false,
                ..KNOWN
            };
            assert_eq!(start(&mode, &orders(0), &again), Ok(40), "{mode:?}");
            let new = Known {
                is_new: true,
                ..KNOWN
            };
            assert_eq!(start(&mode, &orders(0), &new), Ok(10), "{mode:?}");
        }
    }

    #[test]
    fn each_mode_stops_where_it_says() {
        for (mode, expected) in [
            (StopAt::Never, None),
            (StopAt::Latest, Some(100)),
            (StopAt::GroupOffsets, Some(40)),
            (StopAt::Timestamp(hour()), Some(70)),
            (StopAt::Offsets(offsets(90)), Some(90)),
            (StopAt::Offsets(offsets(900)), Some(900)),
        ] {
            assert_eq!(stop(&mode, &orders(0), &KNOWN), expected, "{mode:?}");
        }
        assert_eq!(
            stop(&StopAt::Offsets(offsets(90)), &orders(1), &KNOWN),
            Some(10)
        );
        let nothing = Known {
            committed: None,
            ..KNOWN
        };
        assert_eq!(stop(&StopAt::GroupOffsets, &orders(0), &nothing), Some(10));
    }
}
