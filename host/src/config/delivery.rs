//! What happens to bad records, and at a crash.

use super::choice::choice;

choice! {
    /// What a bad record does to the pipeline.
    pub enum Tolerance {
        /// It is reported and counted; the others go on.
        All = "all",
        /// The pipeline stops at it.
        None = "none",
    }
}

choice! {
    /// What a crash may do to records.
    pub enum DeliveryGuarantee {
        /// Some are delivered again, none is lost.
        AtLeastOnce = "at-least-once",
    }
}
