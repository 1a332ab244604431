//! Seeded random data for tests and benchmarks of plug-ins: the same everywhere.

/// SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Numbers that follow from the seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    #[expect(clippy::should_implement_trait, reason = "it has no end")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: u32) -> u32 {
        u32::try_from(self.next() % u64::from(limit)).unwrap_or(0)
    }

    /// As [`below`](Self::below); 0 where `limit` is more than fits.
    pub fn int(&mut self, limit: u32) -> i32 {
        i32::try_from(self.below(limit)).unwrap_or(0)
    }

    /// As [`below`](Self::below); 0 where the number is more than fits.
    pub fn long(&mut self, limit: u64) -> i64 {
        i64::try_from(self.next() % limit).unwrap_or(0)
    }

    /// In ms since the epoch, within a year of 2023-11-14.
    pub fn millis(&mut self) -> i64 {
        1_700_000_000_000 + self.long(31_536_000_000)
    }

    /// From 0 to 1.
    pub fn fraction(&mut self) -> f64 {
        f64::from(self.below(1 << 30)) / f64::from(1 << 30)
    }

    /// Letters and digits.
    pub fn text(&mut self, shortest: u32, longest: u32) -> String {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let length = shortest + self.below(longest - shortest + 1);
        (0..length)
            .map(|_| char::from(LETTERS[self.below(36) as usize]))
            .collect()
    }
}
