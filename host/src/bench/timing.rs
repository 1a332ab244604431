//! Measures several ways in turns.

use std::time::{Duration, Instant};

use super::{BenchError, Measurement};

/// Rounds in which every way has its turn. The fastest of them counts: what makes others
/// slower is the machine.
const ROUNDS: u32 = 15;
/// How long one turn takes, about.
const TURN: Duration = Duration::from_millis(60);

/// One way of doing something.
pub(super) struct Way<'a> {
    pub(super) name: String,
    /// The names of the ways that it is held against.
    pub(super) baselines: Vec<String>,
    /// Records that one call of `run` handles.
    pub(super) records: usize,
    /// Does it once.
    pub(super) run: Box<dyn FnMut() -> Result<(), BenchError> + 'a>,
}

/// Measures all of them.
pub(super) fn measure(mut ways: Vec<Way<'_>>) -> Result<Vec<Measurement>, BenchError> {
    let mut calls = Vec::with_capacity(ways.len());
    for way in &mut ways {
        (way.run)()?;
        let started = Instant::now();
        (way.run)()?;
        let once = started.elapsed().max(Duration::from_nanos(20));
        calls.push((TURN.as_nanos() / once.as_nanos()).clamp(1, 1_000_000));
    }
    let mut best = vec![f64::INFINITY; ways.len()];
    for _ in 0..ROUNDS {
        for ((way, calls), best) in ways.iter_mut().zip(&calls).zip(&mut best) {
            let started = Instant::now();
            for _ in 0..*calls {
                (way.run)()?;
            }
            *best = best.min(started.elapsed().as_nanos() as f64 / *calls as f64);
        }
    }
    let measured = ways.into_iter().zip(best).map(|(way, best)| Measurement {
        name: way.name,
        ns_per_record: best / way.records as f64,
        cpu_ns_per_record: None,
        baselines: way.baselines,
    });
    Ok(measured.collect())
}

/// Wall clock and CPU time of this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks(Instant, Duration);

/// Time for one record, in ns.
#[derive(Clone, Copy, Debug)]
pub(super) struct PerRecord {
    wall: f64,
    cpu: f64,
}

impl Clocks {
    pub(super) fn now() -> Self {
        Self(Instant::now(), cpu_time())
    }

    pub(super) fn until(self, end: Self, records: usize) -> PerRecord {
        let records = records.max(1) as f64;
        PerRecord {
            wall: (end.0 - self.0).as_nanos() as f64 / records,
            cpu: end.1.saturating_sub(self.1).as_nanos() as f64 / records,
        }
    }
}

/// CPU time of this process so far; zero where the system does not tell.
fn cpu_time() -> Duration {
    /// Clock ticks a second, which Linux has fixed for what it reports.
    const TICKS: u64 = 100;
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields 14 and 15, counted from 1; the second is a name in parentheses.
    let fields = text
        .rsplit_once(')')
        .map_or("", |(_, rest)| rest)
        .split_whitespace()
        .skip(11)
        .take(2);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / TICKS)
}

/// Measures two ways of the same, which take seconds, in turns; the fastest round of each
/// counts, and the second is held against the first.
pub(super) fn in_turns(
    names: [String; 2],
    rounds: usize,
    mut baseline: impl FnMut() -> Result<PerRecord, BenchError>,
    mut other: impl FnMut() -> Result<PerRecord, BenchError>,
) -> Result<Vec<Measurement>, BenchError> {
    let mut best: [Option<PerRecord>; 2] = [None, None];
    for _ in 0..rounds {
        for (best, now) in best.iter_mut().zip([baseline()?, other()?]) {
            if best.is_none_or(|best| now.wall < best.wall) {
                *best = Some(now);
            }
        }
    }
    let against = names[0].clone();
    let measured = names.into_iter().zip(best.into_iter().flatten());
    let measured = measured.map(|(name, best)| Measurement {
        ns_per_record: best.wall,
        cpu_ns_per_record: Some(best.cpu),
        baselines: (name != against)
            .then(|| against.clone())
            .into_iter()
            .collect(),
        name,
    });
    Ok(measured.collect())
}
