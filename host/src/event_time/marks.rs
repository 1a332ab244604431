//! Event time that plug-ins give.

use std::sync::Arc;

use super::scan::Times;
use crate::rows::Rows;

/// What plug-ins say of one batch of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// By offset, in ascending order: event times in ms since the epoch, [`Times::NONE`] for none.
    times: Vec<(i64, i64)>,
    /// No row of the partition below this comes after the batch, in ms since the epoch.
    pub(crate) watermark: Option<i64>,
}

impl Marks {
    /// Event times of the messages with these offsets, which rise.
    ///
    /// # Errors
    /// When there are not as many.
    pub(crate) fn mark(&mut self, offsets: &[i64], times: &[i64]) -> Result<(), String> {
        if offsets.len() != times.len() {
            return Err(format!(
                "{} event times for {} messages",
                times.len(),
                offsets.len()
            ));
        }
        self.times = offsets.iter().copied().zip(times.iter().copied()).collect();
        Ok(())
    }

    /// The greatest that was given counts.
    pub(crate) fn give_watermark(&mut self, time: i64) {
        self.watermark = self.watermark.max(Some(time));
    }

    /// Takes in what was said later: of the same messages, or of others.
    pub(crate) fn merge(&mut self, later: Marks) {
        self.watermark = self.watermark.max(later.watermark);
        if self.times.is_empty() {
            self.times = later.times;
        } else if !later.times.is_empty() {
            self.times.extend(later.times);
            // Stable: of two for one message, the later one is the last.
            self.times.sort_by_key(|(offset, _)| *offset);
            self.times.reverse();
            self.times.dedup_by_key(|(offset, _)| *offset);
            self.times.reverse();
        }
    }

    /// The event times of rows: those of their messages.
    pub(crate) fn times_of(&self, rows: &Rows) -> Times {
        let time = |offset: i64| {
            let found = self
                .times
                .binary_search_by_key(&offset, |(known, _)| *known);
            found.map_or(Times::NONE, |index| self.times[index].1)
        };
        Times {
            values: Arc::new(rows.offsets().map(time).collect()),
            none: Times::NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::testing::{numbers, rows_of};

    #[test]
    fn later_marks_take_the_place_of_earlier_ones() {
        let mut marks = Marks::default();
        marks.mark(&[100, 101, 103], &[1, 2, 3]).unwrap();
        marks.give_watermark(5);
        marks.give_watermark(4);
        let mut later = Marks::default();
        later.mark(&[101, 104], &[7, Times::NONE]).unwrap();
        marks.merge(later);
        assert_eq!(marks.watermark, Some(5));
        let times = marks.times_of(&rows_of(numbers(0..5)));
        let none = Times::NONE;
        assert_eq!(*times.values, [1, 7, none, 3, none]);
        assert!(marks.mark(&[1], &[]).is_err());
    }
}
