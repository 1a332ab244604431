//! A serializer that does what each row tells it to, in its first column, a text:
//!
//! ```text
//! trap, panic, loop, eat, fail    as for messages
//! refuse                          an error of its row, which holds a control character
//! lie ABOUT                       an answer that breaks the contract
//! anything else                   becomes the payload
//! ```
//!
//! The option `prepare` is what it does when it learns of columns: `trap`, `loop`, `fail`, or
//! `wait`, which says three times that something is not to be had now.

use weir_guest::arrays::Variable;
use weir_guest::confluent::PayloadBuilder;
use weir_guest::messages::Headers;
use weir_guest::rows::MessageError;
use weir_guest::types::BinaryColumn;
use weir_guest::{BatchError, Description, Encoded, Part, RowBatch, Serializer, Target};

/// The serializer.
pub struct Misbehaving {
    prepare: String,
    waits: u32,
    payloads: PayloadBuilder,
}

#[cfg(feature = "serializer")]
weir_guest::export_serializer!(Misbehaving);

impl Serializer for Misbehaving {
    fn describe() -> Description {
        Description {
            name: "misbehaving\u{1b}[31m".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "Does what rows tell it to".into(),
            options_schema: "{}".into(),
        }
    }

    fn open(_part: Part, options: &str) -> Result<Self, String> {
        if options.contains("panic") {
            panic!("opened to panic");
        }
        let known = ["trap", "loop", "fail", "wait"];
        let told = known.iter().find(|told| options.contains(**told));
        Ok(Self {
            prepare: told.map_or_else(String::new, |told| (*told).to_owned()),
            waits: 3,
            payloads: PayloadBuilder::default(),
        })
    }

    fn prepare(&mut self, _number: u32, _target: Target) -> Result<(), BatchError> {
        match self.prepare.as_str() {
            "trap" => super::trap(),
            "loop" => super::spin(),
            "fail" => return Err(BatchError::Failed("no such columns,\nI say".into())),
            "wait" if self.waits > 0 => {
                self.waits -= 1;
                return Err(BatchError::Unavailable("not now".into()));
            }
            _ => {}
        }
        Ok(())
    }

    fn encode(&mut self, rows: &RowBatch) -> Result<Encoded, BatchError> {
        let texts = Variable::of(&rows.arrays[0]);
        let mut lie = None;
        self.payloads.begin(rows.len);
        for row in 0..rows.len as usize {
            let text = texts.get(row);
            match text {
                b"trap" => super::trap(),
                b"panic" => panic!("told to panic"),
                b"loop" => super::spin(),
                b"eat" => super::eat(),
                b"fail" => return Err(BatchError::Failed("told to fail\nby a row".into())),
                _ => lie = lie.or_else(|| text.strip_prefix(b"lie ")),
            }
            self.payloads.row(|payload| {
                payload.extend_from_slice(text);
                match text {
                    b"refuse" => Err("told to\u{7} refuse".to_owned()),
                    _ => Ok(()),
                }
            });
        }
        let honest = self.payloads.finish(None);
        Ok(match lie {
            Some(about) => tell(about, honest),
            None => honest,
        })
    }
}

/// An answer that is not valid, in place of an honest one.
fn tell(about: &[u8], mut honest: Encoded) -> Encoded {
    let error = |row| MessageError {
        row,
        reason: "made up".into(),
    };
    let column = |offsets: &[u32], bytes: &[u8]| BinaryColumn {
        offsets: offsets.to_vec(),
        bytes: bytes.to_vec(),
    };
    let headers = |row_offsets: Vec<u32>, names: BinaryColumn| {
        Some(Headers {
            row_offsets,
            names,
            values: column(&[0, 1], b"v"),
            value_validity: None,
        })
    };
    let ends = &mut honest.payloads.offsets;
    let rows = ends.len() - 1;
    match about {
        b"payload missing" => {
            ends.pop();
        }
        b"payload extra" => ends.push(ends[rows]),
        b"no payloads" => ends.clear(),
        b"offsets beyond" => ends[rows] = u32::MAX,
        b"offsets back" => ends[0] = ends[rows] + 1,
        b"bytes left" => honest.payloads.bytes.push(0),
        b"short validity" => honest.validity = Some(Vec::new()),
        b"error beyond" => honest.errors.push(error(u32::MAX)),
        b"error twice" => honest.errors = vec![error(0), error(0)],
        b"headers missing" => honest.headers = headers(vec![0], column(&[0, 1], b"n")),
        b"headers beyond" => {
            honest.headers = headers(vec![u32::MAX; rows + 1], column(&[0, 1], b"n"));
        }
        _ => {
            let all: Vec<u32> = (0..=1).cycle().take(rows + 1).collect();
            honest.headers = headers(all, column(&[0, 9], b"n"));
        }
    }
    honest
}
