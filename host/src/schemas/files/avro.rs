//! `.avsc` files.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Loader, Reference, Schema, SchemaType};

pub(super) fn read(
    loader: &mut Loader<'_>,
    named: &[PathBuf],
    own: &Path,
) -> Result<Schema, String> {
    for path in named {
        let text = loader.text(path)?;
        let name = full_name(&parse(path, &text)?).unwrap_or_else(|| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        });
        loader.references.push(Reference { name, text });
    }
    let text = loader.text(own)?;
    parse(own, &text)?;
    Ok(Schema {
        schema_type: SchemaType::Avro,
        text,
        references: std::mem::take(&mut loader.references),
    })
}

fn parse(path: &Path, text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{} is not JSON: {error}", path.display()))
}

/// The name of a record, an enum or a fixed, its namespace included.
fn full_name(schema: &Value) -> Option<String> {
    let name = schema["name"].as_str()?;
    Some(match schema["namespace"].as_str() {
        Some(namespace) if !name.contains('.') && !namespace.is_empty() => {
            format!("{namespace}.{name}")
        }
        _ => name.to_owned(),
    })
}

/// The CRC-64-AVRO of the parsing canonical form (Avro 1.12, "Schema Fingerprints"). What the
/// schema names is written into it where it is named first.
pub(super) fn fingerprint(schema: &Schema) -> Result<u64, String> {
    let schema = weir_guest::schemas::Schema {
        schema_type: weir_guest::schemas::SchemaType::Avro,
        text: schema.text.clone(),
        references: schema.references.iter().map(reference).collect(),
    };
    weir_avro::canonical::fingerprint(&schema).map_err(|error| error.to_string())
}

fn reference(named: &Reference) -> weir_guest::schemas::Reference {
    weir_guest::schemas::Reference {
        name: named.name.clone(),
        text: named.text.clone(),
    }
}
