//! JSON lines, compressed or not.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::FileEncoder;
use super::output::Output;
use crate::config::FileCompression;
use crate::sink::json::JsonRows;

pub(super) struct Ndjson {
    lines: Lines,
    json: JsonRows,
}

enum Lines {
    Plain(Output),
    Gzip(GzEncoder<Output>),
}

impl Ndjson {
    pub(super) fn new(output: Output, compression: FileCompression) -> Self {
        let lines = match compression {
            FileCompression::Gzip => Lines::Gzip(GzEncoder::new(output, Compression::default())),
            FileCompression::None | FileCompression::Zstd => Lines::Plain(output),
        };
        Self {
            lines,
            json: JsonRows::default(),
        }
    }
}

impl FileEncoder for Ndjson {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.json.encode(batch)?;
        match &mut self.lines {
            Lines::Plain(output) => output.write_all(self.json.lines())?,
            Lines::Gzip(encoder) => encoder.write_all(self.json.lines())?,
        }
        Ok(())
    }

    /// With gzip, short of what the compressor still holds.
    fn bytes(&self) -> u64 {
        match &self.lines {
            Lines::Plain(output) => output.written(),
            Lines::Gzip(encoder) => encoder.get_ref().written(),
        }
    }

    fn finish(self: Box<Self>) -> Result<Output, ArrowError> {
        Ok(match self.lines {
            Lines::Plain(output) => output,
            Lines::Gzip(encoder) => encoder.finish()?,
        })
    }
}
