//! Compiled Protobuf schemas: a `FileDescriptorSet`, as `protoc --descriptor_set_out` and
//! `buf build` write it.

use std::collections::HashMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

use super::proto::WELL_KNOWN;
use super::{Loader, Reference, Schema, SchemaType};

/// Each file of the set as a registry with `format=serialized` has it: a `FileDescriptorProto`
/// in Base64. The last file is the schema itself.
pub(super) fn read(loader: &mut Loader<'_>, own: &Path) -> Result<Schema, String> {
    let bytes = loader.bytes(own)?;
    let shown = own.display();
    let set = FileDescriptorSet::decode(bytes.as_slice())
        .map_err(|error| format!("{shown} is not a set of file descriptors: {error}"))?;
    let files = in_order(set.file).map_err(|error| format!("{shown} {error}"))?;
    let Some((last, others)) = files.split_last() else {
        return Err(format!("{shown} holds no file descriptor"));
    };
    let text = |file: &FileDescriptorProto| STANDARD.encode(file.encode_to_vec());
    let others = others.iter().filter(|file| !is_well_known(file.name()));
    Ok(Schema {
        schema_type: SchemaType::Protobuf,
        text: text(last),
        references: others
            .map(|file| Reference {
                name: file.name().to_owned(),
                text: text(file),
            })
            .collect(),
    })
}

fn is_well_known(name: &str) -> bool {
    name.starts_with(WELL_KNOWN)
}

/// Each file after all that it imports, which is how protoc writes them; in another order they
/// are put in this one.
fn in_order(files: Vec<FileDescriptorProto>) -> Result<Vec<FileDescriptorProto>, String> {
    let mut left: HashMap<String, usize> = HashMap::new();
    for (at, file) in files.iter().enumerate() {
        if left.insert(file.name().to_owned(), at).is_some() {
            return Err(format!("holds `{}` twice", file.name()));
        }
    }
    for file in &files {
        let missing = |import: &&String| !is_well_known(import) && !left.contains_key(*import);
        if let Some(import) = file.dependency.iter().find(missing) {
            return Err(format!(
                "lacks `{import}`, which `{}` imports: make it with --include_imports",
                file.name()
            ));
        }
    }
    let mut files: Vec<Option<FileDescriptorProto>> = files.into_iter().map(Some).collect();
    let mut ordered: Vec<FileDescriptorProto> = Vec::with_capacity(files.len());
    while ordered.len() < files.len() {
        let before = ordered.len();
        for file in &mut files {
            let ready = file.as_ref().is_some_and(|file| {
                let mut imports = file.dependency.iter();
                imports.all(|import| {
                    is_well_known(import) || ordered.iter().any(|other| other.name() == import)
                })
            });
            if ready {
                ordered.extend(file.take());
            }
        }
        if ordered.len() == before {
            let circle = files.iter().flatten().map(FileDescriptorProto::name);
            let circle: Vec<&str> = circle.take(10).collect();
            return Err(format!("has imports in a circle: {}", circle.join(", ")));
        }
    }
    Ok(ordered)
}
