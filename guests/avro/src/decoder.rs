//! Avro as a format of the Confluent wire format.

use weir_guest::{confluent, schemas};

use crate::{
    compile::compile,
    group::Group,
    plan::Plan,
    resolve::resolve,
    schema::{Parsed, SchemaError},
};

/// Decodes batches of Avro in the Confluent wire format. The number of a group's schema is its
/// id.
pub type Decoder = confluent::Decoder<AvroFormat>;

/// How Avro schemas are compiled: as they are, or for the rows of a reader schema.
#[derive(Clone, Debug, Default)]
pub struct AvroFormat {
    /// What rows have the fields of.
    pub reader: Option<schemas::Schema>,
}

impl confluent::Format for AvroFormat {
    type Compiled = Group;

    fn compile(&mut self, id: u32, schema: &schemas::Schema) -> Result<Group, String> {
        let plan = match &self.reader {
            None => compile_schema(schema),
            Some(reader) => resolve_schemas(schema, reader),
        };
        plan.map(|plan| Group::new(id, plan))
            .map_err(|error| error.to_string())
    }
}

/// Compiles one writer schema: what a [`Decoder`] does when it meets its id.
///
/// # Errors
/// The schema is not Avro, or has no Arrow form.
pub fn compile_schema(schema: &schemas::Schema) -> Result<Plan, SchemaError> {
    compile(&Parsed::parse(schema)?)
}

/// Whether a schema can be a reader schema.
///
/// # Errors
/// It is not Avro, or has no Arrow form, or a default that is no value of its type.
pub fn check_reader(reader: &schemas::Schema) -> Result<(), SchemaError> {
    crate::resolve::check_reader(&Parsed::parse_reader(reader)?)
}

/// Compiles one writer schema for the rows of a reader schema.
///
/// # Errors
/// One of them is not Avro, the reader schema has no Arrow form, or no value of the one can be
/// one of the other.
pub fn resolve_schemas(
    writer: &schemas::Schema,
    reader: &schemas::Schema,
) -> Result<Plan, SchemaError> {
    resolve(&Parsed::parse(writer)?, &Parsed::parse_reader(reader)?)
}
