//! Avro as a format of the Confluent wire format.

use weir_guest::{confluent, schemas};

use crate::{
    compile::compile,
    group::Group,
    plan::Plan,
    schema::{Parsed, SchemaError},
};

/// Decodes batches of Avro in the Confluent wire format. The number of a group's schema is its
/// id.
pub type Decoder = confluent::Decoder<AvroFormat>;

/// How Avro schemas are compiled.
#[derive(Clone, Copy, Debug, Default)]
pub struct AvroFormat;

impl confluent::Format for AvroFormat {
    type Compiled = Group;

    fn compile(&mut self, id: u32, schema: &schemas::Schema) -> Result<Group, String> {
        let plan = compile_schema(schema).map_err(|error| error.to_string())?;
        Ok(Group::new(id, plan))
    }
}

/// Compiles one writer schema: what a [`Decoder`] does when it meets its id.
///
/// # Errors
/// The schema is not Avro, or has no Arrow form.
pub fn compile_schema(schema: &schemas::Schema) -> Result<Plan, SchemaError> {
    compile(&Parsed::parse(schema)?)
}
