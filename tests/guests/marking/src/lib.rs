//! A consumer interceptor that takes event time from headers: `at` is that of a message, and
//! `watermark` one for its partition, both in ms since the epoch. Messages with a `watermark` carry
//! nothing else, and are dropped.

use weir_guest::{
    Batch, BatchError, ConsumerInterceptor, Description, Headers, Intercepted, event_time,
};

struct Marking;

weir_guest::export_consumer_interceptor!(Marking);

impl ConsumerInterceptor for Marking {
    fn describe() -> Description {
        Description {
            name: "marking".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "Takes event time from headers".into(),
            options_schema: "{}".into(),
        }
    }

    fn open(_options: &str) -> Result<Self, String> {
        Ok(Self)
    }

    fn on_consume(&mut self, batch: &Batch<'_>) -> Result<Intercepted, BatchError> {
        let Some(headers) = batch.headers() else {
            return Ok(Intercepted::unchanged());
        };
        let rows = 0..batch.len();
        let times = rows.clone().map(|row| number(&headers, row, b"at"));
        let times: Vec<i64> = times.map(|at| at.unwrap_or(event_time::NONE)).collect();
        event_time::mark(&times);
        let mut kept = Vec::new();
        for row in rows {
            match number(&headers, row, b"watermark") {
                Some(time) => event_time::watermark(time),
                None => kept.push(row),
            }
        }
        Ok(Intercepted::keep(kept))
    }
}

fn number(headers: &Headers, row: u32, name: &[u8]) -> Option<i64> {
    let (_, value) = headers.of(row).find(|(known, _)| *known == name)?;
    std::str::from_utf8(value?).ok()?.parse().ok()
}
