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
