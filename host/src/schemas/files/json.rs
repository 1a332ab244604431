//! `.json` files and the files that their `$ref` name.

use std::path::Path;

use serde_json::Value;

use super::{Loader, Schema, SchemaType};

pub(super) fn read(loader: &mut Loader<'_>, own: &Path) -> Result<Schema, String> {
    let name = own.file_name().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    loader.begin(name.clone());
    let text = read_file(loader, own, &name)?;
    Ok(Schema {
        schema_type: SchemaType::Json,
        text,
        references: std::mem::take(&mut loader.references),
    })
}

/// The text of a file, after all that it names was added. `name` is its address relative to the
/// schema's own file, and so are the names of what it names (RFC 3986, section 5.2).
fn read_file(loader: &mut Loader<'_>, path: &Path, name: &str) -> Result<String, String> {
    let text = loader.text(path)?;
    let schema: Value = serde_json::from_str(&text)
        .map_err(|error| format!("{} is not JSON: {error}", path.display()))?;
    let mut written = Vec::new();
    collect(&schema, &mut written);
    for reference in written {
        let named = resolve(name, reference);
        // A schema may name itself.
        if named == name {
            continue;
        }
        let place = path.display().to_string();
        let found = loader.look_for(reference, path, &place)?;
        loader.add(named.clone(), &found, &place, |loader| {
            read_file(loader, &found, &named)
        })?;
    }
    Ok(text)
}

/// The files that `$ref` name, without fragments. Addresses with a scheme are no files: they are
/// for the plug-in to know.
fn collect<'a>(schema: &'a Value, files: &mut Vec<&'a str>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| collect(item, files)),
        Value::Object(members) => {
            for (keyword, value) in members {
                match (keyword.as_str(), value) {
                    ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(reference)) => {
                        let file = reference.split('#').next().unwrap_or_default();
                        if !file.is_empty() && !has_scheme(file) && !files.contains(&file) {
                            files.push(file);
                        }
                    }
                    // Values, and no schemas.
                    ("const" | "enum" | "default" | "examples", _) => {}
                    _ => collect(value, files),
                }
            }
        }
        _ => {}
    }
}

fn has_scheme(reference: &str) -> bool {
    reference.split_once(':').is_some_and(|(scheme, _)| {
        let rest = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(rest)
    })
}

/// What a reference means in a file by this name.
fn resolve(base: &str, reference: &str) -> String {
    let mut parts: Vec<&str> = base.split('/').collect();
    parts.pop();
    for part in reference.split('/') {
        match part {
            "." | "" => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_relative_to_the_file_that_has_them() {
        for (base, reference, name) in [
            ("root.json", "a.json", "a.json"),
            ("root.json", "./sub/a.json", "sub/a.json"),
            ("sub/a.json", "b.json", "sub/b.json"),
            ("sub/a.json", "../b.json", "b.json"),
            ("root.json", "../b.json", "../b.json"),
        ] {
            assert_eq!(resolve(base, reference), name, "{reference} in {base}");
        }
    }

    #[test]
    fn files_are_told_from_fragments_addresses_and_values() {
        let schema = serde_json::json!({
            "$ref": "a.json#/$defs/x",
            "properties": {
                "$ref": { "$ref": "#/$defs/y" },
                "b": { "anyOf": [{ "$ref": "sub/b.json" }, { "$ref": "a.json" }] },
                "c": { "$ref": "https://example.com/c.json" },
                "d": { "$ref": "urn:d" },
                "e": { "const": { "$ref": "no.json" }, "examples": [{ "$ref": "no.json" }] },
            },
        });
        let mut files = Vec::new();
        collect(&schema, &mut files);
        files.sort_unstable();
        assert_eq!(files, ["a.json", "sub/b.json"]);
    }
}
