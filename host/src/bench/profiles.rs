//! Small and larger messages, on few and many partitions, with each profile: what is read
//! against a bare consumer, what is written against a bare producer.

use super::cluster::Cluster;
use super::{BenchError, Measurement, consume, produce};
use crate::config::Profile;
use crate::plugin::PluginEngine;

/// Rounds in which both sides have their turn; the fastest counts.
pub(super) const ROUNDS: usize = 3;
/// Bytes of a message.
const BYTES: [usize; 2] = [100, 1_000];
const PARTITIONS: [i32; 3] = [1, 8, 64];
const PROFILES: [Profile; 3] = [Profile::Latency, Profile::Balanced, Profile::Throughput];

/// What is measured at once.
pub(super) struct Case {
    pub(super) bytes: usize,
    pub(super) partitions: i32,
    pub(super) profile: Profile,
}

impl Case {
    /// The middle of a measurement's name.
    pub(super) fn name(&self, cluster: &Cluster) -> String {
        format!(
            "{}/{} B, {} partitions, {}",
            cluster.kind(),
            self.bytes,
            self.partitions,
            self.profile.as_str()
        )
    }
}

/// Measures all of them; `each` gets what was measured of one.
///
/// # Errors
/// When the brokers cannot be used, or messages are missing.
pub fn run(
    engine: &PluginEngine,
    brokers: Option<&str>,
    mut each: impl FnMut(Vec<Measurement>),
) -> Result<(), BenchError> {
    let cluster = Cluster::open(brokers)?;
    for bytes in BYTES {
        for partitions in PARTITIONS {
            let topic = consume::payloads(&cluster, bytes, partitions)?;
            for profile in PROFILES {
                let case = Case {
                    bytes,
                    partitions,
                    profile,
                };
                each(consume::profile(engine, &cluster, &case, &topic)?);
                each(produce::run(&cluster, &case)?);
            }
        }
    }
    Ok(())
}
