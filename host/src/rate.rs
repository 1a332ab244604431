//! How many messages or rows, and bytes, a second may go on. No I/O and no clock: `now` is passed in.

use std::time::{Duration, Instant};

use crate::config::RateLimit;

/// Two token buckets, one that counts and one for bytes, from which one request takes at once or not at all.
#[derive(Debug)]
pub(crate) struct Limiter {
    count: Option<Bucket>,
    bytes: Option<Bucket>,
}

/// Whether a batch may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permit {
    /// Now.
    Granted,
    /// Not before so long.
    After(Duration),
    /// Not as long as the limit is what it is.
    Never,
}

impl Limiter {
    /// With full buckets.
    pub(crate) fn new(limit: &RateLimit, now: Instant) -> Self {
        let bucket = |rate: Option<u64>| rate.map(|rate| Bucket::new(rate, limit.burst, now));
        Limiter {
            count: bucket(limit.count),
            bytes: bucket(limit.bytes),
        }
    }

    /// Asks for a batch to go on. One that is larger than a bucket goes on when the bucket is
    /// full, and the next ones wait for it.
    pub(crate) fn take(&mut self, count: usize, bytes: usize, now: Instant) -> Permit {
        let buckets = || [(self.count.as_ref(), count), (self.bytes.as_ref(), bytes)];
        let mut wait = Duration::ZERO;
        for (bucket, count) in buckets() {
            match bucket.map(|bucket| bucket.wait(count, now)) {
                Some(None) => return Permit::Never,
                Some(Some(time)) => wait = wait.max(time),
                None => {}
            }
        }
        if !wait.is_zero() {
            return Permit::After(wait);
        }
        for (bucket, count) in [(&mut self.count, count), (&mut self.bytes, bytes)] {
            if let Some(bucket) = bucket {
                bucket.take(count, now);
            }
        }
        Permit::Granted
    }
}

/// Fills by `rate` a second, up to what `burst` brings. Below zero after something larger.
#[derive(Debug)]
struct Bucket {
    rate: f64,
    most: f64,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn new(rate: u64, burst: Duration, now: Instant) -> Self {
        let rate = rate as f64;
        let most = (rate * burst.as_secs_f64()).max(1.0);
        Bucket {
            rate,
            most,
            tokens: most,
            at: now,
        }
    }

    fn tokens(&self, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        (self.tokens + since * self.rate).min(self.most)
    }

    /// How long until there are so many; `None` for ever.
    fn wait(&self, count: usize, now: Instant) -> Option<Duration> {
        let missing = (count as f64).min(self.most) - self.tokens(now);
        if self.rate == 0.0 {
            return None;
        }
        // At least a moment, so that what is missing by a rounding error is waited for too.
        let wait = |missing: f64| (missing / self.rate).max(1e-6);
        match missing > 0.0 {
            true => Some(Duration::try_from_secs_f64(wait(missing)).unwrap_or(Duration::MAX)),
            false => Some(Duration::ZERO),
        }
    }

    fn take(&mut self, count: usize, now: Instant) {
        self.tokens = self.tokens(now) - count as f64;
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(messages: Option<u64>, bytes: Option<u64>) -> RateLimit {
        RateLimit {
            count: messages,
            bytes,
            burst: Duration::from_secs(1),
        }
    }

    /// How many messages go on in ten simulated seconds, in batches.
    fn in_ten_seconds(limit: &RateLimit, batch: usize, bytes: usize) -> usize {
        let start = Instant::now();
        let mut limiter = Limiter::new(limit, start);
        let (mut now, mut passed) = (start, 0);
        while now < start + Duration::from_secs(10) {
            match limiter.take(batch, bytes, now) {
                Permit::Granted => passed += batch,
                Permit::After(wait) => now += wait,
                Permit::Never => break,
            }
        }
        passed
    }

    #[test]
    fn no_limit_lets_everything_pass() {
        let mut limiter = Limiter::new(&limit(None, None), Instant::now());
        assert_eq!(
            limiter.take(usize::MAX, usize::MAX, Instant::now()),
            Permit::Granted
        );
    }

    #[test]
    fn the_rate_holds_whatever_the_size_of_the_batches() {
        for batch in [1, 7, 100, 250] {
            let passed = in_ten_seconds(&limit(Some(100), None), batch, 0);
            // A burst of a second, and ten seconds.
            assert!(
                (1_100 - batch..=1_100 + batch).contains(&passed),
                "{batch}: {passed}"
            );
        }
    }

    #[test]
    fn the_stricter_of_two_limits_holds() {
        let passed = in_ten_seconds(&limit(Some(1_000), Some(1_000)), 1, 100);
        assert!((100..=120).contains(&passed), "{passed}");
    }

    #[test]
    fn zero_stops() {
        assert_eq!(in_ten_seconds(&limit(Some(0), None), 1, 0), 0);
        assert_eq!(in_ten_seconds(&limit(None, Some(0)), 1, 1), 0);
    }

    #[test]
    fn what_is_refused_takes_nothing() {
        let now = Instant::now();
        let mut limiter = Limiter::new(&limit(Some(10), Some(1_000)), now);
        assert_eq!(limiter.take(1, 1_000, now), Permit::Granted);
        // Bytes are missing, so that the message bucket stays as it is.
        assert!(matches!(limiter.take(9, 500, now), Permit::After(_)));
        assert_eq!(limiter.take(9, 0, now), Permit::Granted);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let now = Instant::now() + Duration::from_secs(10);
        let mut limiter = Limiter::new(&limit(Some(10), None), now);
        assert_eq!(limiter.take(10, 0, now), Permit::Granted);
        assert!(matches!(
            limiter.take(1, 0, now - Duration::from_secs(5)),
            Permit::After(_)
        ));
    }
}
