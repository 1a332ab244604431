//! What `weir demo` shows: an embedded broker, a real data set, the real pipeline.

pub mod cluster;
pub mod dataset;
pub mod publisher;

use crate::schemas::{Registered, Schema, SchemaError, SchemaSource, SchemaType};

/// The pipeline file that the demo runs, as it stands under `examples/`.
pub const PIPELINE: &str = include_str!("../../../examples/earthquakes/pipeline.yaml");
/// Its path in the repository, for messages to people.
pub const PIPELINE_PATH: &str = "examples/earthquakes/pipeline.yaml";
/// The topic.
pub const TOPIC: &str = "earthquakes";
/// Partitions of the topic.
pub const PARTITIONS: i32 = 6;

/// The data set's schemas, as a registry would have them.
#[derive(Debug, Default)]
pub struct DemoSchemas;

impl SchemaSource for DemoSchemas {
    fn by_id(&self, id: u32) -> Result<Schema, SchemaError> {
        let found = dataset::schemas()
            .into_iter()
            .find(|(known, _)| *known == id);
        let (_, text) =
            found.ok_or_else(|| SchemaError::NotFound(format!("the demo has no schema {id}")))?;
        Ok(Schema {
            schema_type: SchemaType::Avro,
            text,
            references: Vec::new(),
        })
    }

    fn latest(&self, subject: &str) -> Result<Registered, SchemaError> {
        Err(SchemaError::NotFound(format!(
            "the demo has no subject {subject}"
        )))
    }
}
