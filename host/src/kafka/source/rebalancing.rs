//! Taking partitions and giving them up.

use std::collections::HashSet;
use std::time::Instant;

use crossbeam_channel::RecvTimeoutError;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{Consumer, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;

use super::lists::{list, partition_of};
use super::reader::{Partition, Reader};
use super::{SourceError, SourceItem};
use crate::batch::TopicPartition;
use crate::kafka::batching::Filling;
use crate::progress::PartitionProgress;

impl Reader<'_> {
    pub(super) fn assign(&mut self, partitions: &TopicPartitionList) -> Result<(), SourceError> {
        let positions = self.positions(partitions)?;
        self.lookup.clear();
        let start = list(
            positions
                .iter()
                .map(|p| (&p.source, Offset::Offset(p.start))),
        );
        let assigned = match self.consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => self.consumer.incremental_assign(&start),
            _ => self.consumer.assign(&start),
        };
        assigned.map_err(|source| SourceError::Request {
            what: "taking partitions".into(),
            source,
        })?;
        for position in positions {
            self.assignments += 1;
            let source = position.source;
            self.offsets.assign(
                source.clone(),
                self.assignments,
                position.start,
                position.committed,
                position.claim,
            );
            self.links.progress.assign(
                source.clone(),
                PartitionProgress {
                    start: position.start,
                    position: position.start,
                    delivered: position.start,
                    end: position.stop_at,
                    log_end: None,
                },
            );
            if let Some(event_time) = &self.links.event_time {
                event_time.assign(self.assignments, source.clone());
                if self.links.settles {
                    event_time.restore(self.assignments, position.claim);
                }
            }
            let finished = position.stop_at.is_some_and(|stop| position.start >= stop);
            if finished {
                self.stop_fetching(&source);
                if let Some(event_time) = &self.links.event_time {
                    event_time.finish(self.assignments);
                }
            }
            self.partitions.push(Partition {
                filling: Filling::new(source.clone()),
                source,
                assignment: self.assignments,
                stop_at: position.stop_at,
                finished,
                parked: false,
            });
        }
        tracing::info!("{} partitions assigned", self.partitions.len());
        if self.paused {
            self.pause(true)?;
        }
        self.look_at_others(Instant::now());
        Ok(())
    }

    /// Gives partitions up: waits for what is under way, commits, and lets go.
    pub(super) fn revoke(&mut self, revoked: &TopicPartitionList) -> Result<(), SourceError> {
        let revoked: HashSet<TopicPartition> =
            revoked.elements().iter().map(partition_of).collect();
        // What was cut and not handed on is the next owner's, and not waited for.
        let offsets = &mut self.offsets;
        self.outbox.retain(|item| {
            let stays = !revoked.contains(&item.batch.source);
            if !stays {
                offsets.withdrawn(&item.batch.source, item.batch.offsets[0]);
            }
            stays
        });
        for partition in &self.partitions {
            if revoked.contains(&partition.source)
                && let Some(first) = self.waiting.withdraw(partition.assignment)
            {
                offsets.withdrawn(&partition.source, first);
            }
        }
        self.lookup.clear();
        let waiting: Vec<TopicPartition> = revoked.iter().cloned().collect();
        let deadline = Instant::now() + self.config.session_timeout / 2;
        for worker in &self.links.batches {
            // A worker that is gone has said why, and one that stays full is waited for below.
            let _ = worker.send_deadline(SourceItem::Flush, deadline);
        }
        while !self.offsets.all_delivered(waiting.iter()) {
            match self.links.delivered.recv_deadline(deadline) {
                Ok(report) => self.note(&report),
                Err(RecvTimeoutError::Timeout) => {
                    tracing::warn!(
                        "partitions are given up before all of their messages are delivered: some will be delivered twice"
                    );
                    break;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // Who is turned away would wait a minute for the answer that there is none.
        let committed = match self.turned_away {
            true => Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::Authentication)),
            false => self.commit_now(),
        };
        if let Err(error) = committed.and_then(|()| self.commit_handed_over(&waiting)) {
            tracing::warn!(
                "offsets were not committed at a rebalance: {error}; some messages will be delivered twice"
            );
        }
        // Whoever gets them back expects that they are fetched.
        for partition in self.partitions.iter().filter(|p| p.parked) {
            if revoked.contains(&partition.source) {
                self.fetch(&partition.source, true)?;
            }
        }
        let released = match self.consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => self.consumer.incremental_unassign(&list(
                revoked.iter().map(|source| (source, Offset::Invalid)),
            )),
            _ => self.consumer.unassign(),
        };
        for source in &revoked {
            self.offsets.revoke(source);
            self.links.progress.revoke(source);
        }
        self.forget_others();
        if let Some(event_time) = &self.links.event_time {
            let leaving = self.partitions.iter();
            let leaving = leaving.filter(|p| revoked.contains(&p.source));
            event_time.revoke(leaving.map(|p| p.assignment));
        }
        self.partitions.retain(|p| !revoked.contains(&p.source));
        tracing::info!(
            "{} partitions revoked, {} left",
            revoked.len(),
            self.partitions.len()
        );
        released.map_err(|source| SourceError::Request {
            what: "giving partitions up".into(),
            source,
        })
    }
}
