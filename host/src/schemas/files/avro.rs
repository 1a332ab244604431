//! `.avsc` files.

use std::path::{Path, PathBuf};

use apache_avro::Schema as AvroSchema;
use apache_avro::rabin::Rabin;
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
    let named = schema.references.iter().map(|named| named.text.as_str());
    let (parsed, others) =
        AvroSchema::parse_str_with_list(&schema.text, named).map_err(|error| error.to_string())?;
    let canonical = parsed
        .independent_canonical_form(&others)
        .map_err(|error| error.to_string())?;
    let whole = AvroSchema::parse_str(&canonical).map_err(|error| error.to_string())?;
    let fingerprint = whole.fingerprint::<Rabin>().bytes;
    let fingerprint = <[u8; 8]>::try_from(fingerprint).map_err(|_| "it has not 8 bytes")?;
    Ok(u64::from_le_bytes(fingerprint))
}
