//! What is wrong with a value, and in which column.

use weir_guest::arrays::{NumberFault, path};

use super::compile::WritePlan;

pub(super) struct Stop {
    pub(super) field: usize,
    pub(super) fault: Fault,
}

pub(super) enum Fault {
    Null,
    Number(NumberFault),
    Float,
    Time,
    Json(String),
}

impl Stop {
    #[cold]
    pub(super) fn reason(self, plan: &WritePlan) -> String {
        let what = match self.fault {
            Fault::Null => "null, and the schema has no null there".to_owned(),
            Fault::Number(NumberFault::Range(value)) => {
                format!("{value} is out of the range of the schema's type")
            }
            Fault::Number(NumberFault::Inexact(value)) => {
                format!("{value} would lose digits in the schema's type")
            }
            Fault::Float => "NaN and the infinities are no numbers of JSON".to_owned(),
            Fault::Time => {
                "RFC 3339 has no text for it: years are 0 to 9999, and days have 24 hours"
                    .to_owned()
            }
            Fault::Json(why) => format!("not JSON: {why}"),
        };
        format!("column `{}`: {what}", path(&plan.fields, self.field))
    }
}
