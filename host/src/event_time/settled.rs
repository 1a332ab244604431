//! How far the partitions of a whole consumer group are, whoever reads them: what members leave
//! beside the offsets that they commit, and what follows from it.
//!
//! The combined watermark is that of one process. A directory into which several write is complete
//! only when all partitions have passed it, also those that others read, and those that were read
//! by a process that is dead. What is committed with their offsets tells so, and outlives whoever
//! committed it.

use std::fmt;

/// What is committed with an offset: what comes of the partition from there on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// No row below this comes, but late ones; in ms since the epoch. `None` before a row was
    /// heard of.
    pub watermark: Option<i64>,
    /// Whether nothing came for so long that nobody waits for the partition.
    pub idle: bool,
}

/// How far the partitions are that other members of the group have, or nobody for now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Others {
    /// There are none that would be waited for.
    #[default]
    Nobody,
    /// Of one at least, nothing is known.
    Unknown,
    /// The least of their watermarks, in ms since the epoch.
    At(i64),
}

impl Claim {
    /// From its text; of another one, nothing is known.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (watermark, idle) = match text.split_once(':') {
            Some((watermark, "idle")) => (watermark, true),
            Some(_) => return Claim::default(),
            None => (text, false),
        };
        match watermark.parse() {
            Ok(watermark) => Claim {
                watermark: Some(watermark),
                idle,
            },
            Err(_) => Claim {
                watermark: None,
                idle: idle && watermark.is_empty(),
            },
        }
    }
}

/// `1700000000000`, `1700000000000:idle`, `:idle`, or nothing.
impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(watermark) = self.watermark {
            write!(f, "{watermark}")?;
        }
        f.write_str(if self.idle { ":idle" } else { "" })
    }
}

impl Others {
    /// What the claims of these partitions come to.
    pub fn of(claims: impl IntoIterator<Item = Claim>) -> Self {
        let mut others = Others::Nobody;
        for claim in claims.into_iter().filter(|claim| !claim.idle) {
            others = match (others, claim.watermark) {
                (_, None) => return Others::Unknown,
                (Others::At(least), Some(watermark)) => Others::At(least.min(watermark)),
                (_, Some(watermark)) => Others::At(watermark),
            };
        }
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(watermark: i64) -> Claim {
        Claim {
            watermark: Some(watermark),
            idle: false,
        }
    }

    const IDLE: Claim = Claim {
        watermark: None,
        idle: true,
    };

    #[test]
    fn a_claim_comes_back_from_its_text() {
        let idle_at = Claim {
            idle: true,
            ..at(-7)
        };
        for (claim, text) in [
            (Claim::default(), ""),
            (at(1_700), "1700"),
            (idle_at, "-7:idle"),
            (IDLE, ":idle"),
        ] {
            assert_eq!(claim.to_string(), text);
            assert_eq!(Claim::parse(text), claim);
        }
        for text in [
            "x",
            "x:idle",
            "1:",
            "1:busy",
            "1:idle:",
            "99999999999999999999",
        ] {
            assert_eq!(Claim::parse(text), Claim::default(), "{text}");
        }
    }

    #[test]
    fn the_least_counts_and_whoever_is_not_known_holds() {
        assert_eq!(Others::of([]), Others::Nobody);
        assert_eq!(Others::of([IDLE, IDLE]), Others::Nobody);
        assert_eq!(Others::of([at(5), IDLE, at(3), at(4)]), Others::At(3));
        assert_eq!(Others::of([at(5), Claim::default()]), Others::Unknown);
    }
}
