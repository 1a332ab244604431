use jiff::Timestamp;
use weir_guest::table::Reason;

/// One line, taken apart.
#[derive(Debug, PartialEq)]
pub struct Reading<'a> {
    pub read_at: Timestamp,
    pub sensor: &'a str,
    pub quantity: &'a str,
    /// `None` when the sensor had nothing to say.
    pub value: Option<f64>,
    pub state: &'a str,
}

impl<'a> Reading<'a> {
    pub fn parse(line: &'a str, separator: char) -> Result<Self, Reason> {
        let mut fields = line.split(separator);
        let mut next = |name| {
            fields
                .next()
                .ok_or_else(|| format!("the {name} is missing"))
        };
        let (read_at, sensor) = (next("time")?, next("sensor")?);
        let (measured, state) = (next("reading")?, next("state")?);
        if fields.next().is_some() {
            return Err("there is something after the state".into());
        }
        if sensor.is_empty() {
            return Err("the sensor is empty".into());
        }
        let (quantity, value) = measured
            .split_once('=')
            .ok_or_else(|| format!("`{measured}` is not `quantity=value`"))?;
        Ok(Self {
            read_at: read_at
                .parse()
                .map_err(|error| format!("`{read_at}` is not a time: {error}"))?,
            sensor,
            quantity,
            value: parse_value(value)?,
            state,
        })
    }
}

fn parse_value(text: &str) -> Result<Option<f64>, Reason> {
    if text == "-" {
        return Ok(None);
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Some(value)),
        _ => Err(format!("`{text}` is not a number").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart() {
        let reading =
            Reading::parse("2026-03-01T13:00:00.250+01:00|pump-7|bar=3.25|ok", '|').unwrap();
        assert_eq!(reading.read_at.as_millisecond(), 1_772_366_400_250);
        assert_eq!(
            (reading.sensor, reading.quantity, reading.state),
            ("pump-7", "bar", "ok")
        );
        assert_eq!(reading.value, Some(3.25));

        let silent = Reading::parse("2026-03-01T12:00:00Z;pump-7;bar=-;fail", ';').unwrap();
        assert_eq!(silent.value, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |line| Reading::parse(line, '|').unwrap_err().to_string();
        assert_eq!(
            error("2026-03-01T12:00:00Z|pump-7|bar=3.25"),
            "the state is missing"
        );
        assert_eq!(error(""), "the sensor is missing");
        assert_eq!(
            error("2026-03-01T12:00:00Z||bar=3.25|ok"),
            "the sensor is empty"
        );
        assert_eq!(
            error("2026-03-01T12:00:00Z|pump-7|3.25|ok"),
            "`3.25` is not `quantity=value`"
        );
        assert_eq!(
            error("2026-03-01T12:00:00Z|pump-7|bar=NaN|ok"),
            "`NaN` is not a number"
        );
        assert_eq!(
            error("2026-03-01T12:00:00Z|pump-7|bar=3.25|ok|"),
            "there is something after the state"
        );
        assert!(error("yesterday|pump-7|bar=3.25|ok").starts_with("`yesterday` is not a time: "));
    }
}
