//! Rows as JSON lines on standard output, or on any other stream.

use std::io::{self, Write};
use std::time::Instant;

use super::json::JsonRows;
use super::{Sink, SinkError};
use crate::rows::Rows;

/// Writes each batch in one piece and flushes it: every write is durable when it returns,
/// as far as a stream can promise that.
#[derive(Debug)]
pub struct StreamSink<W> {
    stream: W,
    name: &'static str,
    json: JsonRows,
    written: u64,
}

/// Rows as JSON lines on standard output.
///
/// Standard output is locked for one batch at a time, so that lines that other threads
/// print are never in the middle of a row.
#[must_use]
pub fn stdout() -> StreamSink<io::Stdout> {
    StreamSink::new(io::stdout(), "standard output")
}

impl<W: Write + Send> StreamSink<W> {
    /// `name` is what error messages call the stream.
    pub fn new(stream: W, name: &'static str) -> Self {
        Self { stream, name, json: JsonRows::default(), written: 0 }
    }

    fn failed(&self, source: io::Error) -> SinkError {
        match source.kind() {
            io::ErrorKind::BrokenPipe => SinkError::Closed,
            _ => SinkError::Io { what: format!("writing to {}", self.name), source },
        }
    }
}

impl<W: Write + Send> Sink for StreamSink<W> {
    fn write(&mut self, rows: &Rows) -> Result<(), SinkError> {
        self.json.encode(&rows.rows).map_err(|source| SinkError::Format {
            what: format!("writing to {}", self.name),
            source,
        })?;
        let sent = self.stream.write_all(self.json.lines()).and_then(|()| self.stream.flush());
        sent.map_err(|error| self.failed(error))?;
        self.written += 1;
        Ok(())
    }

    fn durable(&mut self, _now: Instant) -> Result<u64, SinkError> {
        Ok(self.written)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.stream.flush().map_err(|error| self.failed(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::testing::{numbers, rows_of};

    #[test]
    fn a_write_is_durable_when_it_returns() {
        let mut sink = StreamSink::new(Vec::new(), "memory");
        sink.write(&rows_of(numbers(0..2))).unwrap();
        sink.write(&rows_of(numbers(0..0))).unwrap();
        sink.write(&rows_of(numbers(2..3))).unwrap();
        assert_eq!(sink.durable(Instant::now()).unwrap(), 3);
        sink.flush().unwrap();
        assert_eq!(sink.stream, b"{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n");
    }

    #[test]
    fn a_reader_that_goes_away_is_not_a_failure() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut sink = StreamSink::new(writer, "a pipe");
        let error = sink.write(&rows_of(numbers(0..2))).unwrap_err();
        assert!(matches!(error, SinkError::Closed), "{error}");
    }

    #[test]
    fn other_failures_name_the_stream() {
        let mut storage = [0_u8; 4];
        let mut sink = StreamSink::new(&mut storage[..], "a small buffer");
        let error = sink.write(&rows_of(numbers(0..2))).unwrap_err();
        assert!(matches!(error, SinkError::Io { .. }));
        assert!(error.to_string().starts_with("writing to a small buffer: "), "{error}");
    }
}
