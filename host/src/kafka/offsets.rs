//! Which offsets may be committed. No I/O and no clock.

use std::collections::HashMap;

use crate::batch::TopicPartition;
use crate::event_time::Claim;

/// Says that everything of a partition before an offset is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The partition.
    pub source: TopicPartition,
    /// Which assignment of the partition the messages were read in. A report about an
    /// earlier one comes too late to count.
    pub assignment: u64,
    /// The offset after the last message delivered.
    pub next: i64,
    /// The partition's watermark after that, in ms since the epoch, if there is one.
    pub watermark: Option<i64>,
}

/// How far each assigned partition is sent, delivered and committed.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    partitions: HashMap<TopicPartition, Progress>,
}

#[derive(Debug)]
struct Progress {
    assignment: u64,
    /// The offset after the last message handed on.
    sent: i64,
    /// The offset that will be next when all that was handed on is delivered: beyond `sent`
    /// where the partition ends in transaction markers or compacted records.
    position: i64,
    /// The offset to commit.
    delivered: i64,
    /// What the group has, or was asked to take; `None` for nothing that is known.
    committed: Option<i64>,
    /// What the group is known to have.
    confirmed: Option<i64>,
    /// The watermark at `delivered`.
    watermark: Option<i64>,
    /// What is committed with the offset, where that is asked for.
    claim: Claim,
    /// What the group has, or was asked to take.
    claimed: Claim,
}

impl Offsets {
    /// Begins a partition at an offset.
    pub(super) fn assign(
        &mut self,
        source: TopicPartition,
        assignment: u64,
        start: i64,
        committed: Option<i64>,
        claim: Claim,
    ) {
        let progress = Progress {
            assignment,
            sent: start,
            position: start,
            delivered: start,
            committed,
            confirmed: committed,
            watermark: claim.watermark,
            claim,
            claimed: claim,
        };
        self.partitions.insert(source, progress);
    }

    /// Ends a partition.
    pub(super) fn revoke(&mut self, source: &TopicPartition) {
        self.partitions.remove(source);
    }

    /// A batch was handed on; `next` is the offset after its last message.
    pub(super) fn sent(&mut self, source: &TopicPartition, next: i64) {
        if let Some(progress) = self.partitions.get_mut(source) {
            progress.sent = next;
            progress.position = progress.position.max(next);
        }
    }

    /// The messages from this offset on were not handed on after all.
    pub(super) fn withdrawn(&mut self, source: &TopicPartition, from: i64) {
        if let Some(progress) = self.partitions.get_mut(source) {
            progress.sent = progress.sent.min(from);
            progress.position = progress.position.min(from);
        }
    }

    /// Nothing of interest lies between what was handed on and this offset.
    pub(super) fn skipped_to(&mut self, source: &TopicPartition, position: i64) {
        if let Some(progress) = self.partitions.get_mut(source) {
            let idle = progress.delivered >= progress.sent;
            progress.position = progress.position.max(position);
            if idle {
                progress.delivered = progress.delivered.max(progress.position);
            }
        }
    }

    /// A batch, and with it all before it, is delivered.
    pub(super) fn delivered(&mut self, report: &Delivered) {
        let Some(progress) = self.partitions.get_mut(&report.source) else {
            return;
        };
        if progress.assignment != report.assignment {
            return;
        }
        let reached = if report.next >= progress.sent {
            progress.position
        } else {
            report.next
        };
        progress.delivered = progress.delivered.max(reached);
        progress.watermark = progress.watermark.max(report.watermark);
    }

    /// Brings what is committed beside offsets up to date. `now` says what holds of an assignment
    /// of which all is delivered.
    pub(super) fn claim(&mut self, now: impl Fn(u64) -> Option<Claim>) {
        for progress in self.partitions.values_mut() {
            let is_delivered = progress.delivered >= progress.sent;
            let claim = now(progress.assignment).filter(|_| is_delivered);
            progress.claim = claim.unwrap_or(Claim {
                watermark: progress.watermark,
                idle: false,
            });
        }
    }

    /// What is committed beside the offset of a partition.
    pub(super) fn claim_of(&self, source: &TopicPartition) -> Claim {
        let progress = self.partitions.get(source);
        progress.map_or(Claim::default(), |progress| progress.claim)
    }

    /// Whether everything handed on is delivered, for these partitions or for all.
    pub(super) fn all_delivered<'a>(
        &self,
        mut of: impl Iterator<Item = &'a TopicPartition>,
    ) -> bool {
        of.all(|source| {
            self.partitions
                .get(source)
                .is_none_or(|p| p.delivered >= p.sent)
        })
    }

    /// What should be committed now, and was not asked for.
    pub(super) fn to_commit(&self) -> Vec<(TopicPartition, i64)> {
        self.due(|p| p.committed)
    }

    /// What should be committed now, and may not be.
    pub(super) fn unconfirmed(&self) -> Vec<(TopicPartition, i64)> {
        self.due(|p| p.confirmed)
    }

    /// How far these are delivered.
    pub(super) fn delivered_of<'a>(
        &self,
        of: impl Iterator<Item = &'a TopicPartition>,
    ) -> Vec<(TopicPartition, i64)> {
        let known = of.filter_map(|source| self.partitions.get_key_value(source));
        known
            .map(|(source, p)| (source.clone(), p.delivered))
            .collect()
    }

    fn due(&self, known: impl Fn(&Progress) -> Option<i64>) -> Vec<(TopicPartition, i64)> {
        let mut due: Vec<_> = self
            .partitions
            .iter()
            .filter(|(_, p)| known(p) != Some(p.delivered) || p.claimed != p.claim)
            .map(|(source, p)| (source.clone(), p.delivered))
            .collect();
        due.sort();
        due
    }

    /// The group was asked to take these.
    pub(super) fn asked(&mut self, offsets: &[(TopicPartition, i64)]) {
        for (source, offset) in offsets {
            if let Some(progress) = self.partitions.get_mut(source) {
                progress.committed = Some(*offset);
                progress.claimed = progress.claim;
            }
        }
    }

    /// The group has these.
    pub(super) fn confirmed(&mut self, offsets: &[(TopicPartition, i64)]) {
        for (source, offset) in offsets {
            if let Some(progress) = self.partitions.get_mut(source) {
                progress.confirmed = Some(*offset);
            }
        }
    }

    /// A commit failed: all that the group is not known to have is due again.
    pub(super) fn commit_failed(&mut self) {
        for progress in self.partitions.values_mut() {
            progress.committed = progress.confirmed;
            progress.claimed = Claim::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tp(partition: i32) -> TopicPartition {
        TopicPartition {
            topic: "t".into(),
            partition,
        }
    }

    fn delivered(partition: i32, assignment: u64, next: i64) -> Delivered {
        Delivered {
            source: tp(partition),
            assignment,
            next,
            watermark: None,
        }
    }

    fn assign(offsets: &mut Offsets, assignment: u64, start: i64, committed: Option<i64>) {
        offsets.assign(tp(0), assignment, start, committed, Claim::default());
    }

    #[test]
    fn only_what_is_delivered_is_due() {
        let mut offsets = Offsets::default();
        assign(&mut offsets, 1, 10, Some(10));
        assert_eq!(offsets.to_commit(), []);
        offsets.sent(&tp(0), 20);
        offsets.sent(&tp(0), 30);
        assert_eq!(offsets.to_commit(), []);
        offsets.delivered(&delivered(0, 1, 20));
        assert_eq!(offsets.to_commit(), [(tp(0), 20)]);
        assert!(!offsets.all_delivered([tp(0)].iter()));
        offsets.delivered(&delivered(0, 1, 30));
        assert!(offsets.all_delivered([tp(0)].iter()));
        offsets.asked(&[(tp(0), 30)]);
        assert_eq!(offsets.to_commit(), []);
        offsets.commit_failed();
        assert_eq!(offsets.to_commit(), [(tp(0), 30)]);
    }

    #[test]
    fn what_was_asked_for_is_not_yet_what_the_group_has() {
        let mut offsets = Offsets::default();
        assign(&mut offsets, 1, 0, Some(0));
        assert_eq!(offsets.unconfirmed(), []);
        offsets.sent(&tp(0), 5);
        offsets.delivered(&delivered(0, 1, 5));
        offsets.asked(&[(tp(0), 5)]);
        assert_eq!(offsets.unconfirmed(), [(tp(0), 5)]);
        offsets.confirmed(&[(tp(0), 5)]);
        assert_eq!(offsets.unconfirmed(), []);
        offsets.commit_failed();
        assert_eq!(offsets.to_commit(), [], "that one succeeded");
    }

    #[test]
    fn a_start_that_the_group_does_not_know_is_due() {
        let mut offsets = Offsets::default();
        assign(&mut offsets, 1, 7, None);
        assert_eq!(
            offsets.to_commit(),
            [(tp(0), 7)],
            "else `latest` would lose what comes before the first commit"
        );
    }

    #[test]
    fn reports_of_an_earlier_assignment_do_not_count() {
        let mut offsets = Offsets::default();
        assign(&mut offsets, 1, 0, Some(0));
        offsets.sent(&tp(0), 50);
        offsets.revoke(&tp(0));
        offsets.delivered(&delivered(0, 1, 50));
        assign(&mut offsets, 2, 20, Some(20));
        offsets.delivered(&delivered(0, 1, 50));
        assert_eq!(offsets.to_commit(), []);
    }

    #[test]
    fn transaction_markers_at_the_end_are_passed_once_all_before_them_is_delivered() {
        let mut offsets = Offsets::default();
        assign(&mut offsets, 1, 0, Some(0));
        offsets.sent(&tp(0), 5);
        offsets.skipped_to(&tp(0), 7);
        assert_eq!(offsets.to_commit(), []);
        offsets.delivered(&delivered(0, 1, 5));
        assert_eq!(offsets.to_commit(), [(tp(0), 7)]);
        offsets.skipped_to(&tp(0), 9);
        assert_eq!(offsets.to_commit(), [(tp(0), 9)]);
    }

    #[test]
    fn what_is_withdrawn_is_neither_waited_for_nor_committed() {
        let mut offsets = Offsets::default();
        assign(&mut offsets, 1, 0, Some(0));
        offsets.sent(&tp(0), 5);
        offsets.sent(&tp(0), 9);
        offsets.skipped_to(&tp(0), 12);
        offsets.withdrawn(&tp(0), 5);
        assert!(!offsets.all_delivered([tp(0)].iter()));
        offsets.delivered(&delivered(0, 1, 5));
        assert!(offsets.all_delivered([tp(0)].iter()));
        assert_eq!(offsets.to_commit(), [(tp(0), 5)]);
    }

    #[test]
    fn delivery_never_goes_back() {
        let mut offsets = Offsets::default();
        assign(&mut offsets, 1, 0, Some(0));
        offsets.sent(&tp(0), 5);
        offsets.sent(&tp(0), 9);
        offsets.delivered(&delivered(0, 1, 9));
        offsets.delivered(&delivered(0, 1, 5));
        assert_eq!(offsets.to_commit(), [(tp(0), 9)]);
    }

    #[test]
    fn what_is_said_beside_an_offset_is_due_when_it_changes() {
        let at = |watermark, idle| Claim {
            watermark: Some(watermark),
            idle,
        };
        let mut offsets = Offsets::default();
        offsets.assign(tp(0), 1, 0, Some(0), at(50, false));
        assert_eq!(offsets.to_commit(), [], "the group has that");
        offsets.sent(&tp(0), 5);
        offsets.sent(&tp(0), 9);
        offsets.delivered(&Delivered {
            watermark: Some(70),
            ..delivered(0, 1, 5)
        });
        // Not all is delivered: what holds for what was read does not hold for what is committed.
        offsets.claim(|_| Some(at(90, false)));
        assert_eq!(offsets.to_commit(), [(tp(0), 5)]);
        assert_eq!(offsets.claim_of(&tp(0)), at(70, false));
        offsets.delivered(&Delivered {
            watermark: Some(90),
            ..delivered(0, 1, 9)
        });
        offsets.claim(|_| Some(at(90, false)));
        offsets.asked(&[(tp(0), 9)]);
        assert_eq!(offsets.to_commit(), []);
        offsets.claim(|_| Some(at(95, true)));
        assert_eq!(offsets.to_commit(), [(tp(0), 9)], "it is idle by now");
        assert_eq!(offsets.claim_of(&tp(0)), at(95, true));
        offsets.asked(&[(tp(0), 9)]);
        assert_eq!(offsets.to_commit(), []);
        offsets.commit_failed();
        assert_eq!(offsets.to_commit(), [(tp(0), 9)]);
    }
}
