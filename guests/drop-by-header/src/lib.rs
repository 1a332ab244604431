//! The built-in plug-in `drop-by-header`: a consumer interceptor that drops the
//! messages which carry a header, such as those of a load test.
//!
//! It reads no keys and no values, so the host never copies them into it.

use serde::Deserialize;
use weir_guest::{Batch, BatchError, ConsumerInterceptor, Description, Headers, Intercepted};

/// Which messages to drop: the plug-in's options.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropByHeader {
    /// The header's name, compared byte for byte.
    name: String,
    /// If given, only headers with exactly this value count. A null header value
    /// never equals it.
    value: Option<String>,
    /// Drops the messages that do not carry the header instead.
    #[serde(default)]
    invert: bool,
}

weir_guest::export_consumer_interceptor!(DropByHeader);

impl ConsumerInterceptor for DropByHeader {
    fn describe() -> Description {
        Description {
            name: "drop-by-header".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "Drops the messages that carry a header, or those that do not".into(),
            options_schema: include_str!("options.schema.json").into(),
        }
    }

    fn open(options: &str) -> Result<Self, String> {
        let options: Self = weir_guest::options(options)?;
        if options.name.is_empty() {
            return Err("`name` is empty".into());
        }
        Ok(options)
    }

    fn on_consume(&mut self, batch: &Batch<'_>) -> Result<Intercepted, BatchError> {
        Ok(self.intercept(batch.len(), batch.headers().as_ref()))
    }
}

impl DropByHeader {
    fn intercept(&self, len: u32, headers: Option<&Headers>) -> Intercepted {
        let Some(headers) = headers else {
            return if self.invert {
                Intercepted::keep(Vec::new())
            } else {
                Intercepted::unchanged()
            };
        };
        let kept: Vec<u32> = (0..len).filter(|row| self.keeps(headers, *row)).collect();
        if kept.len() == len as usize {
            return Intercepted::unchanged();
        }
        Intercepted::keep(kept)
    }

    fn keeps(&self, headers: &Headers, row: u32) -> bool {
        let carries = headers.of(row).any(|(name, value)| {
            name == self.name.as_bytes()
                && self
                    .value
                    .as_ref()
                    .is_none_or(|wanted| value == Some(wanted.as_bytes()))
        });
        carries == self.invert
    }
}

#[cfg(test)]
mod tests;
