//! A deserializer for the pump hall's readings: one line a message, such as
//!
//! ```text
//! 2026-03-01T12:00:00Z|pump-7|bar=3.25|ok
//! ```
//!
//! Time with an offset, sensor, `quantity=value` (a value of `-` means that the
//! sensor had none), and one of the agreed states.

mod line;

use serde::Deserialize;
use weir_guest::table::{Reason, Row};
use weir_guest::{
    Batch, BatchError, Column, Decoded, Description, Deserializer, Part, Table, rows,
};

use line::Reading;

struct HouseFormat {
    options: Options,
    table: Table,
}

/// The plug-in's options in the pipeline file, all with defaults.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    separator: char,
    states: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            separator: '|',
            states: ["ok", "warn", "fail"].map(String::from).into(),
        }
    }
}

weir_guest::export_deserializer!(HouseFormat);

impl Deserializer for HouseFormat {
    fn describe() -> Description {
        Description {
            name: "house-format".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "Sensor readings, one line a message".into(),
            options_schema: include_str!("options.schema.json").into(),
        }
    }

    fn open(_part: Part, options: &str) -> Result<Self, String> {
        let options: Options = weir_guest::options(options)?;
        if options.separator == '=' {
            return Err("`separator`: `=` is between quantity and value already".into());
        }
        let table = Table::new(
            0,
            vec![
                Column::timestamp_millis("read_at"),
                Column::utf8("sensor"),
                Column::utf8("quantity"),
                Column::float64("value").nullable(),
                Column::utf8("state"),
            ],
        );
        Ok(Self { options, table })
    }

    fn decode(&mut self, batch: &Batch<'_>) -> Result<Decoded, BatchError> {
        let options = &self.options;
        Ok(self
            .table
            .decode(&batch.payloads(), |payload, row| options.read(payload, row)))
    }

    fn schema(&self, _number: u32) -> Vec<rows::Field> {
        self.table.schema()
    }
}

impl Options {
    /// An error here is the error of one message: the others of the batch go on.
    fn read(&self, payload: &[u8], row: &mut Row<'_>) -> Result<(), Reason> {
        let line = std::str::from_utf8(payload)?.trim_end();
        let reading = Reading::parse(line, self.separator)?;
        if !self.states.iter().any(|state| state == reading.state) {
            return Err(format!("unknown state `{}`", reading.state).into());
        }
        row.push(reading.read_at.as_millisecond())?;
        row.push(reading.sensor)?;
        row.push(reading.quantity)?;
        row.push(reading.value)?;
        row.push(reading.state)
    }
}

#[cfg(test)]
mod tests;
