//! Values to text, a column at a time.

use weir_guest::arrays::{NumberFault, Validity, half};
use weir_guest::lanes::{Lane, Literal, Short};

use super::bind::{Node, Values};
use super::fault::{Fault, Stop};
use super::{loops, nested};

impl Node<'_> {
    /// Writes a value for each lane, or what takes the place of a null.
    pub(super) fn write(&self, lanes: &mut [Lane], out: &mut [u8]) -> Result<(), Stop> {
        match self.validity {
            None => self.write_values(lanes, out),
            Some(validity) => self.write_nullable(validity, lanes, out),
        }
    }

    fn write_nullable(
        &self,
        validity: Validity<'_>,
        lanes: &mut [Lane],
        out: &mut [u8],
    ) -> Result<(), Stop> {
        let mut there = vec![Lane::default(); lanes.len()];
        let mut places = vec![0; lanes.len()];
        let nothing = Literal::default();
        let absent = self.absent.unwrap_or(&nothing);
        let count = loops::nullable(absent, validity, lanes, out, &mut there, &mut places);
        if count < lanes.len() && self.absent.is_none() {
            return Err(self.stop(Fault::Null));
        }
        let there = &mut there[..count];
        self.write_values(there, out)?;
        loops::bring_back(there, &places, lanes);
        Ok(())
    }

    /// Writes a value for each lane.
    fn write_values(&self, lanes: &mut [Lane], out: &mut [u8]) -> Result<(), Stop> {
        let is_nested = matches!(
            self.values,
            Values::List(..) | Values::Map(..) | Values::Object(_)
        );
        let before = self.before.short().filter(|_| !is_nested);
        let before = before.unwrap_or_else(|| {
            loops::before(self.before, lanes, out);
            Short::default()
        });
        match &self.values {
            Values::Null => {
                loops::nulls(before, lanes, out);
                Ok(())
            }
            Values::Boolean(bits) => {
                loops::booleans(before, *bits, lanes, out);
                Ok(())
            }
            Values::Plain(values) => {
                loops::integers(before, *values, lanes, out);
                Ok(())
            }
            Values::Integer(values, scale) => loops::scaled(before, *values, *scale, lanes, out)
                .map_err(|fault| self.stop(Fault::Number(fault))),
            Values::Float32(values) => {
                let value = |row: usize| f32::from_le_bytes(values[row]);
                self.finite(loops::singles(before, value, lanes, out))
            }
            Values::Half(values) => {
                let value = |row: usize| half(u16::from_le_bytes(values[row]));
                self.finite(loops::singles(before, value, lanes, out))
            }
            Values::Float64(values, places) => {
                self.finite(loops::doubles(before, values, places, lanes, out))
            }
            Values::Clean(values) => {
                loops::clean(before, *values, lanes, out);
                Ok(())
            }
            Values::Text(values) => {
                loops::escaped(before, *values, lanes, out);
                Ok(())
            }
            Values::List(lists, item) => nested::list(*lists, item, lanes, out),
            Values::Map(lists, keys, value) => nested::map(*lists, keys, value, lanes, out),
            Values::Object(members) => nested::object(members, lanes, out),
            _ => self.write_rare(before, lanes, out),
        }
    }

    fn finite(&self, written: Option<()>) -> Result<(), Stop> {
        written.ok_or_else(|| self.stop(Fault::Float))
    }

    #[cold]
    pub(super) fn number(&self, fault: NumberFault) -> Stop {
        self.stop(Fault::Number(fault))
    }

    #[cold]
    pub(super) fn stop(&self, fault: Fault) -> Stop {
        let field = self.field;
        Stop { field, fault }
    }
}
