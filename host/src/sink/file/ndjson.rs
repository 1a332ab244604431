//! JSON lines.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::FileEncoder;
use super::output::Output;
use crate::sink::json::JsonRows;

pub(super) struct Ndjson {
    output: Output,
    json: JsonRows,
}

impl Ndjson {
    pub(super) fn new(output: Output) -> Self {
        Self { output, json: JsonRows::default() }
    }
}

impl FileEncoder for Ndjson {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.json.encode(batch)?;
        Ok(self.output.write_all(self.json.lines())?)
    }

    fn bytes(&self) -> u64 {
        self.output.written()
    }

    fn finish(self: Box<Self>) -> Result<Output, ArrowError> {
        Ok(self.output)
    }
}
