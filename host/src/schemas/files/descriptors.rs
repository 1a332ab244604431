//! Compiled Protobuf schemas: a `FileDescriptorSet`, as `protoc --descriptor_set_out` and
//! `buf build` write it.

use std::collections::HashMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::{DecodeError, Message};
use prost_types::FileDescriptorProto;

use super::proto::WELL_KNOWN;
use super::{Loader, Reference, Schema, SchemaType};

/// A `FileDescriptorSet` with its files as they are: what this program has no fields for, such as
/// the features of editions, is for the plug-in to read.
#[derive(Clone, PartialEq, Message)]
struct Set {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

/// A file, and its bytes.
struct File {
    file: FileDescriptorProto,
    bytes: Vec<u8>,
}

impl File {
    fn decode(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        let file = FileDescriptorProto::decode(bytes.as_slice())?;
        Ok(Self { file, bytes })
    }
}

/// Each file of the set as a registry with `format=serialized` has it: a `FileDescriptorProto`
/// in Base64. The last file is the schema itself.
pub(super) fn read(loader: &mut Loader<'_>, own: &Path) -> Result<Schema, String> {
    let bytes = loader.bytes(own)?;
    let shown = own.display();
    let set = Set::decode(bytes.as_slice())
        .and_then(|set| set.file.into_iter().map(File::decode).collect())
        .map_err(|error| format!("{shown} is not a set of file descriptors: {error}"))?;
    let files = in_order(set).map_err(|error| format!("{shown} {error}"))?;
    let Some((last, others)) = files.split_last() else {
        return Err(format!("{shown} holds no file descriptor"));
    };
    let others = others.iter();
    let others = others.filter(|other| !is_well_known(other.file.name()));
    Ok(Schema {
        schema_type: SchemaType::Protobuf,
        text: STANDARD.encode(&last.bytes),
        references: others
            .map(|other| Reference {
                name: other.file.name().to_owned(),
                text: STANDARD.encode(&other.bytes),
            })
            .collect(),
    })
}

fn is_well_known(name: &str) -> bool {
    name.starts_with(WELL_KNOWN)
}

/// Each file after all that it imports, which is how protoc writes them; in another order they
/// are put in this one.
fn in_order(files: Vec<File>) -> Result<Vec<File>, String> {
    let mut left: HashMap<String, usize> = HashMap::new();
    for (at, File { file, .. }) in files.iter().enumerate() {
        if left.insert(file.name().to_owned(), at).is_some() {
            return Err(format!("holds `{}` twice", file.name()));
        }
    }
    for File { file, .. } in &files {
        let missing = |import: &&String| !is_well_known(import) && !left.contains_key(*import);
        if let Some(import) = file.dependency.iter().find(missing) {
            return Err(format!(
                "lacks `{import}`, which `{}` imports: make it with --include_imports",
                file.name()
            ));
        }
    }
    let mut files: Vec<Option<File>> = files.into_iter().map(Some).collect();
    let mut ordered: Vec<File> = Vec::with_capacity(files.len());
    while ordered.len() < files.len() {
        let before = ordered.len();
        for file in &mut files {
            let ready = file.as_ref().is_some_and(|file| {
                let mut imports = file.file.dependency.iter();
                imports.all(|import| {
                    let mut known = ordered.iter();
                    is_well_known(import) || known.any(|other| other.file.name() == import)
                })
            });
            if ready {
                ordered.extend(file.take());
            }
        }
        if ordered.len() == before {
            let circle = files.iter().flatten().map(|file| file.file.name());
            let circle: Vec<&str> = circle.take(10).collect();
            return Err(format!("has imports in a circle: {}", circle.join(", ")));
        }
    }
    Ok(ordered)
}
