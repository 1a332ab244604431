//! A deserializer that does what each message tells it to: a number becomes a row, and
//! anything else is a way to break. With the feature `serializer`, a serializer that does so with
//! rows: see [`mod@write`].
//!
//! ```text
//! 7             a row: n = 7, batch = which batch of this instance it came in
//! trap, panic   an instruction that cannot be reached, reached
//! loop          no answer, ever
//! eat           memory, until there is no more
//! grow          48 MiB that are never given back, and a row with n = null
//! flood         10,000 lines in the log, one of them long, and a row with n = null
//! fail          an error of the whole batch
//! lie ABOUT     an answer that breaks the contract
//! at TIME       a row with n = null, and an event time, in ms since the epoch
//! watermark T   a row with n = null, and a watermark
//! marks MANY    event times of more messages than there are
//! ```

mod lies;
pub mod write;

use weir_guest::{
    Batch, BatchError, Column, Decoded, Description, Deserializer, Part, Table, event_time, log,
    rows,
};

/// Bytes of a `grow`.
const GROWTH: usize = 48 << 20;

/// The deserializer.
pub struct Misbehaving {
    table: Table,
    batches: i64,
}

#[cfg(not(feature = "serializer"))]
weir_guest::export_deserializer!(Misbehaving);

impl Deserializer for Misbehaving {
    fn describe() -> Description {
        Description {
            name: "misbehaving\u{1b}[31m".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "Does what messages tell it to".into(),
            options_schema: "{}".into(),
        }
    }

    fn open(_part: Part, options: &str) -> Result<Self, String> {
        if options.contains("panic") {
            panic!("opened to panic");
        }
        if options.contains("watermark") {
            event_time::watermark(0);
        }
        let columns = vec![Column::int64("n").nullable(), Column::int64("batch")];
        Ok(Self {
            table: Table::new(0, columns),
            batches: 0,
        })
    }

    fn decode(&mut self, batch: &Batch<'_>) -> Result<Decoded, BatchError> {
        self.batches += 1;
        let batches = self.batches;
        let payloads = batch.payloads();
        let mut lie = None;
        let mut failure = None;
        let mut times = Vec::new();
        let decoded = self.table.decode(&payloads, |payload, row| {
            let text = std::str::from_utf8(payload)?;
            let mut n = None;
            let mut time = event_time::NONE;
            match text {
                "trap" => trap(),
                "panic" => panic!("told to panic"),
                "loop" => spin(),
                "eat" => eat(),
                "grow" => grow(),
                "flood" => flood(),
                "fail" => failure = Some("told to fail\nby a message"),
                _ => match text.split_once(' ') {
                    Some(("lie", about)) => lie = Some(about.to_owned()),
                    Some(("at", at)) => time = at.parse()?,
                    Some(("watermark", at)) => event_time::watermark(at.parse()?),
                    Some(("marks", many)) => event_time::mark(&vec![0; many.parse()?]),
                    _ => n = Some(text.parse::<i64>()?),
                },
            }
            times.push(time);
            row.push(n)?;
            row.push(batches)
        });
        if times.iter().any(|time| *time != event_time::NONE) {
            event_time::mark(&times);
        }
        if let Some(failure) = failure {
            return Err(BatchError::Failed(failure.into()));
        }
        Ok(match lie {
            Some(about) => lies::tell(&about, decoded),
            None => decoded,
        })
    }

    fn schema(&self, number: u32) -> Vec<rows::Field> {
        lies::schema(number).unwrap_or_else(|| self.table.schema())
    }
}

fn trap() {
    #[cfg(target_family = "wasm")]
    core::arch::wasm32::unreachable();
}

fn spin() {
    loop {
        std::hint::black_box(());
    }
}

fn eat() {
    let mut eaten = Vec::new();
    loop {
        eaten.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

fn grow() {
    std::mem::forget(std::hint::black_box(vec![1_u8; GROWTH]));
}

fn flood() {
    log::info("x".repeat(1 << 20));
    for line in 1..10_000 {
        log::warn(format!("flood {line}\n\u{7}"));
    }
}
