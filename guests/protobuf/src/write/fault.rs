//! What is wrong with a value, and in which column.

use weir_guest::arrays::{NumberFault, path};

use super::compile::WritePlan;

pub(super) struct Stop {
    pub(super) column: usize,
    pub(super) fault: Fault,
}

pub(super) enum Fault {
    Null,
    Required,
    Number(NumberFault),
    Name(String),
    Oneof(String),
    Time,
    Json(String),
}

impl Fault {
    pub(super) fn name(value: &[u8]) -> Self {
        let mut shown = String::from_utf8_lossy(value).into_owned();
        shown.truncate(shown.floor_char_boundary(100));
        Self::Name(shown)
    }
}

impl Stop {
    #[cold]
    pub(super) fn reason(self, plan: &WritePlan) -> String {
        let what = match self.fault {
            Fault::Null => "null, and Protobuf has no nulls in lists and maps".to_owned(),
            Fault::Required => "null, and the field is required".to_owned(),
            Fault::Number(NumberFault::Range(value)) => {
                format!("{value} is out of the range of the field's type")
            }
            Fault::Number(NumberFault::Inexact(value)) => {
                format!("{value} would lose digits in the field's type")
            }
            Fault::Name(value) => format!("`{value}` is no name of the enum"),
            Fault::Oneof(name) => format!("another member of the oneof `{name}` is there too"),
            Fault::Time => {
                "ISO 8601 has no text for it: years are 0 to 9999, and days have 24 hours"
                    .to_owned()
            }
            Fault::Json(why) => why,
        };
        format!("column `{}`: {what}", path(&plan.fields, self.column))
    }
}
