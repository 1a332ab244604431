//! Members of an alignment group, in any number of processes: what they tell each other through
//! a topic, and what follows from that. No I/O and no clock but the receiver's own.
//!
//! ```text
//! member ──Report──► compacted topic, keyed by member ──► every member, itself included
//! ```
//!
//! Event times are compared with event times, and how long a member has been silent is told by
//! when its last report *arrived here*. So nothing depends on whether the clocks of two machines
//! agree.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::edges::{Edge, Wrong};

/// Of reports, as they stand in the topic. Others are not understood, and not taken.
pub(super) const VERSION: u32 = 1;
/// Longer values are no reports.
const REPORT_MAX_BYTES: usize = 4096;
/// Whoever may write the topic may make members up: so many are kept.
const MEMBERS_MAX: usize = 10_000;

/// What a member says of itself: the value of a message whose key is `member`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Of what follows.
    pub(super) version: u32,
    /// The group, as several may share a topic.
    pub group: String,
    /// Who: another one with each start of a process.
    pub member: String,
    /// Grows with each report of a member: a report that was overtaken does not count.
    pub sequence: u64,
    /// How far it is.
    pub standing: Standing,
    /// When it was sent, in ms since the epoch, for people who look into the topic. Nothing is
    /// decided by it.
    pub sent_at: i64,
}

/// How far a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Standing {
    /// The others wait for it: its watermark, in ms since the epoch.
    At {
        /// That of its partition that is behind all others, the held ones included.
        watermark: i64,
    },
    /// It has no watermark yet, or nothing to read: nobody waits for it.
    Idle,
    /// It ends. A tombstone for its key follows, so that compaction forgets it.
    Left,
}

/// Why something in the topic is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReport {
    /// It is none.
    #[error("not a report of a member: {0}")]
    Garbage(String),
    /// It is from a weir that writes them otherwise.
    #[error("a report of version {0}, and this weir reads version {VERSION}")]
    Version(u64),
    /// There are too many members already.
    #[error("more than {MEMBERS_MAX} members")]
    TooMany,
}

impl Report {
    /// As the value of a message.
    ///
    /// # Panics
    /// Never: a report is always JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers are JSON")
    }

    /// From the value of a message, which anybody may have written.
    ///
    /// # Errors
    /// [`NoReport`] if it is something else.
    pub fn from_json(value: &[u8]) -> Result<Self, NoReport> {
        /// What all versions have.
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        if value.len() > REPORT_MAX_BYTES {
            return Err(NoReport::Garbage(format!("{} bytes", value.len())));
        }
        let garbage = |error: serde_json::Error| NoReport::Garbage(error.to_string());
        let Versioned { version } = serde_json::from_slice(value).map_err(garbage)?;
        if version != u64::from(VERSION) {
            return Err(NoReport::Version(version));
        }
        serde_json::from_slice(value).map_err(garbage)
    }
}

/// When a member speaks, and how long it is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How often it reports at least, while something changes.
    pub interval: Duration,
    /// How often it reports at most. In a backlog, event time runs fast, and others can follow
    /// no faster than they hear of it (FLINK-37399).
    pub least: Duration,
    /// A change of the watermark that is worth a report before the interval is over, in ms.
    pub step: i64,
    /// How long a silent member holds the others back. Well over `interval`.
    pub timeout: Duration,
}

/// One member's view of its group.
#[derive(Debug)]
pub struct Membership {
    group: String,
    own: String,
    pace: Pace,
    members: BTreeMap<String, Member>,
    sequence: u64,
    published: Option<(Standing, Duration)>,
    pub(super) wrong: Wrong,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    sequence: u64,
    standing: Standing,
    heard: Duration,
    /// For a mistake that a test makes.
    sent_at: i64,
}

impl Membership {
    /// A member that has heard of nobody. `own` must be another with each start.
    #[must_use]
    pub fn new(group: String, own: String, pace: Pace) -> Self {
        Membership {
            group,
            own,
            pace,
            members: BTreeMap::new(),
            sequence: 0,
            published: None,
            wrong: Wrong::NOTHING,
        }
    }

    /// A report that arrives at `now`. Those that the topic had before this member started are
    /// told in the same way: whoever is not alive any more is forgotten after the timeout.
    ///
    /// # Errors
    /// [`NoReport::TooMany`].
    pub fn receive(&mut self, report: &Report, now: Duration) -> Result<(), NoReport> {
        if report.group != self.group || report.member == self.own {
            return Ok(());
        }
        if self.members.len() >= MEMBERS_MAX && !self.members.contains_key(&report.member) {
            return Err(NoReport::TooMany);
        }
        let is_old = self
            .members
            .get(&report.member)
            .is_some_and(|known| known.sequence >= report.sequence);
        if is_old && !self.wrong.is(Edge::OldReportCounts) {
            return Ok(());
        }
        let member = Member {
            sequence: report.sequence,
            standing: report.standing,
            heard: now,
            sent_at: report.sent_at,
        };
        self.members.insert(report.member.clone(), member);
        Ok(())
    }

    /// Forgets those that have been silent for too long, and names them: their messages in the
    /// topic should be deleted, by a tombstone. One that was only slow comes back by itself.
    /// `epoch_ms` is this machine's clock.
    pub fn expire(&mut self, now: Duration, epoch_ms: i64) -> Vec<String> {
        if self.wrong.is(Edge::DeadHolds) {
            return Vec::new();
        }
        let timeout = self.pace.timeout;
        let trusts_clocks = self.wrong.is(Edge::TrustsClocks);
        let is_silent = |member: &Member| {
            if trusts_clocks {
                let silent = u64::try_from(epoch_ms - member.sent_at).unwrap_or(0);
                return Duration::from_millis(silent) > timeout;
            }
            now.saturating_sub(member.heard) > timeout
        };
        let silent: Vec<String> = self
            .members
            .iter()
            .filter(|(_, member)| is_silent(member))
            .map(|(name, _)| name.clone())
            .collect();
        // Those that left are remembered as long, so that none of their reports that was overtaken
        // brings them back.
        let forget = |name: &String| {
            let member = self.members.remove(name);
            member.is_some_and(|member| member.standing != Standing::Left)
        };
        silent.into_iter().filter(forget).collect()
    }

    /// What this member's partitions are held against: the least watermark of all that are waited
    /// for, its own (see [`Tracker::floor`](super::Tracker::floor)) among them. In ms since the
    /// epoch.
    #[must_use]
    pub fn floor(&self, own: Option<i64>) -> Option<i64> {
        let idle = self.wrong.is(Edge::IdleMemberHolds).then_some(i64::MIN);
        let watermarks = self.members.values().filter_map(|m| match m.standing {
            Standing::At { watermark } => Some(watermark),
            Standing::Idle => idle,
            Standing::Left => None,
        });
        watermarks.chain(own).min()
    }

    /// The members that this one knows of, without itself, and how far they are.
    pub fn others(&self) -> impl Iterator<Item = (&str, Standing)> {
        let others = self.members.iter().map(|(name, m)| (&**name, m.standing));
        others.filter(|(_, standing)| *standing != Standing::Left)
    }

    /// What this member publishes when it ends, so that nobody waits for it any more.
    pub fn leave(&mut self, now: Duration, epoch_ms: i64) -> Option<Report> {
        if self.wrong.is(Edge::LeavesSilently) {
            return None;
        }
        self.due(Standing::Left, now, epoch_ms)
    }

    /// What this member should publish now, if anything.
    pub fn due(&mut self, standing: Standing, now: Duration, epoch_ms: i64) -> Option<Report> {
        if let Some((said, at)) = self.published {
            let since = now.saturating_sub(at);
            let is_news = match (said, standing) {
                (Standing::At { watermark: a }, Standing::At { watermark: b }) => {
                    since >= self.pace.interval && a != b
                        || a.saturating_add(self.pace.step.max(1)) <= b
                        // A partition came in that is behind.
                        || b < a
                }
                (said, standing) => said != standing,
            };
            let heartbeat = since >= self.pace.timeout / 3;
            let may_speak = since >= self.pace.least || standing == Standing::Left;
            if !(may_speak && (is_news || heartbeat)) {
                return None;
            }
        }
        self.sequence += 1;
        self.published = Some((standing, now));
        Some(Report {
            version: VERSION,
            group: self.group.clone(),
            member: self.own.clone(),
            sequence: self.sequence,
            standing,
            sent_at: epoch_ms,
        })
    }
}

#[cfg(test)]
mod tests;
