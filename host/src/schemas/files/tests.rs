//! Schema files as a user has them: in folders.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

use super::*;
use crate::config::Location;

struct Folder(tempfile::TempDir);

impl Folder {
    fn of(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            folder.write(name, text.as_bytes());
        }
        folder
    }

    fn write(&self, name: &str, contents: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Opens schema 7, and `DIR` for the folder in errors.
    fn open(&self, files: &[&str], import_paths: &[&str]) -> Result<FileSource, String> {
        let paths = |names: &[&str]| names.iter().map(|name| self.path(name)).collect();
        open(paths(files), paths(import_paths))
            .map_err(|error| error.replace(self.0.path().to_str().unwrap(), "DIR"))
    }

    fn error(&self, file: &str) -> String {
        self.open(&[file], &[]).unwrap_err()
    }
}

fn open(paths: Vec<PathBuf>, import_paths: Vec<PathBuf>) -> Result<FileSource, String> {
    let file = SchemaFile {
        name: SchemaName::Id(7),
        paths,
        declared: Location::default(),
    };
    let files = SchemaFiles {
        files: vec![file],
        import_paths,
    };
    FileSource::open(&files).map_err(|error| error.to_string())
}

fn names(source: &FileSource) -> Vec<String> {
    let schema = source.by_id(7).unwrap();
    schema
        .references
        .into_iter()
        .map(|named| named.name)
        .collect()
}

#[test]
fn the_extension_tells_the_language() {
    for (name, text, schema_type) in [
        ("a.avsc", "\"string\"", SchemaType::Avro),
        ("a.proto", "syntax = \"proto3\";", SchemaType::Protobuf),
        ("a.json", "{}", SchemaType::Json),
    ] {
        let source = Folder::of(&[(name, text)]).open(&[name], &[]).unwrap();
        let schema = source.by_id(7).unwrap();
        let found = (schema.schema_type, schema.text.as_str());
        assert_eq!(found, (schema_type, text));
    }
}

#[test]
fn what_is_not_there_is_named_beside_what_is() {
    let source = Folder::of(&[("a.avsc", "\"string\"")])
        .open(&["a.avsc"], &[])
        .unwrap();
    assert_eq!(
        source.by_id(8).unwrap_err(),
        SchemaError::NotFound("schema 8 is not in `schema.files`, which has 7".to_owned())
    );
    assert!(matches!(source.latest("7"), Err(SchemaError::NotFound(_))));
    assert!(matches!(
        source.version("7", 1),
        Err(SchemaError::Refused(_))
    ));
}

#[test]
fn a_bad_file_is_told_at_open() {
    assert_eq!(
        open(vec![PathBuf::from("/nowhere/a.avsc")], Vec::new()).unwrap_err(),
        "cannot read /nowhere/a.avsc: No such file or directory (os error 2)"
    );
    let folder = Folder::of(&[
        ("a.avsc", "{\n  \"type\":\n"),
        ("a.txt", "{}"),
        ("a.json", "x"),
    ]);
    assert_eq!(
        folder.error("a.avsc"),
        "DIR/a.avsc is not JSON: EOF while parsing a value at line 3 column 0"
    );
    assert!(
        folder
            .error("a.json")
            .starts_with("DIR/a.json is not JSON: ")
    );
    assert_eq!(
        folder.error("a.txt"),
        "DIR/a.txt does not end in .avsc, .proto, .json, .desc, .pb, .binpb or .protoset"
    );
    folder.write("a.proto", b"\xff");
    assert!(
        folder
            .error("a.proto")
            .starts_with("DIR/a.proto is not UTF-8: ")
    );
    folder.write("large.json", &vec![b' '; (16 << 20) + 1]);
    assert!(
        folder
            .error("large.json")
            .contains("larger than 16777216 bytes")
    );
}

#[test]
fn avro_takes_a_list_and_finds_by_fingerprint() {
    let item =
        r#"{"type":"record","name":"Item","namespace":"a","fields":[{"name":"n","type":"int"}]}"#;
    let order = r#"{"type":"record","name":"a.Order","doc":"x","fields":[
        {"name":"items","type":{"type":"array","items":"a.Item"}},{"name":"one","type":"Item"}]}"#;
    let whole = r#"{"type":"record","name":"a.Order","fields":[{"name":"items","type":
        {"type":"array","items":{"name":"Item","type":"record","fields":[{"name":"n","type":
        {"type":"int"},"default":5}]}}},{"name":"one","type":"a.Item"}]}"#;
    let folder = Folder::of(&[
        ("item.avsc", item),
        ("order.avsc", order),
        ("whole.avsc", whole),
    ]);
    let source = folder.open(&["item.avsc", "order.avsc"], &[]).unwrap();
    assert_eq!(names(&source), ["a.Item"]);
    assert_eq!(source.by_id(7).unwrap().text, order);
    let [fingerprint] = source.fingerprints.keys().copied().collect::<Vec<_>>()[..] else {
        panic!("{:?}", source.fingerprints);
    };
    assert_eq!(source.by_fingerprint(fingerprint).unwrap().text, order);
    let in_one = folder.open(&["whole.avsc"], &[]).unwrap();
    assert_eq!(in_one.by_fingerprint(fingerprint).unwrap().text, whole);
    let error = in_one.by_fingerprint(1).unwrap_err().to_string();
    let expected = format!(
        "no Avro schema in `schema.files` has the fingerprint 0000000000000001; there are \
         {fingerprint:016x} (7)"
    );
    assert_eq!(error, expected);
}

#[test]
fn fingerprints_are_those_of_the_specification() {
    // From Avro's own test data, share/test/data/schema-tests.txt.
    for (text, fingerprint) in [
        ("\"null\"", 7_195_948_357_588_979_594_i64),
        ("\"int\"", 8_247_732_601_305_521_295),
    ] {
        let source = Folder::of(&[("a.avsc", text)])
            .open(&["a.avsc"], &[])
            .unwrap();
        let found: Vec<i64> = source
            .fingerprints
            .keys()
            .map(|f| f.cast_signed())
            .collect();
        assert_eq!(found, [fingerprint], "{text}");
    }
}

#[test]
fn a_schema_of_several_languages_is_refused() {
    let folder = Folder::of(&[("a.avsc", "\"string\""), ("a.json", "{}"), ("b.json", "{}")]);
    let error = folder.open(&["a.avsc", "a.json"], &[]).unwrap_err();
    assert_eq!(error, "DIR/a.avsc and DIR/a.json are of two languages");
    let error = folder.open(&["a.json", "b.json"], &[]).unwrap_err();
    assert!(error.contains("a list of files is for Avro"), "{error}");
}

#[test]
fn proto_files_come_after_what_they_import() {
    let folder = Folder::of(&[
        (
            "orders/v1/order.proto",
            "import \"orders/v1/item.proto\"; import \"google/protobuf/any.proto\";\n\
             import \"money.proto\";",
        ),
        (
            "orders/v1/item.proto",
            "import \"money.proto\"; message Item {}",
        ),
        ("shared/money.proto", "message Money {}"),
    ]);
    let source = folder
        .open(&["orders/v1/order.proto"], &["", "shared"])
        .unwrap();
    assert_eq!(names(&source), ["money.proto", "orders/v1/item.proto"]);

    let error = folder.error("orders/v1/order.proto");
    assert_eq!(
        error,
        "DIR/orders/v1/order.proto:1 names `orders/v1/item.proto`, which is not there: looked for \
         DIR/orders/v1/orders/v1/item.proto; `schema.import.paths` names more folders"
    );
}

#[test]
fn imports_beside_the_file_that_has_them() {
    let folder = Folder::of(&[
        ("order.proto", "import \"sub/item.proto\";"),
        ("sub/item.proto", "import \"money.proto\";"),
        ("sub/money.proto", ""),
    ]);
    let source = folder.open(&["order.proto"], &[]).unwrap();
    assert_eq!(names(&source), ["money.proto", "sub/item.proto"]);
    // The same name for two files: descriptors know files by their names alone.
    folder.write(
        "order.proto",
        b"import \"sub/item.proto\";\nimport \"money.proto\";",
    );
    folder.write("money.proto", b"");
    let error = folder.error("order.proto");
    let expected = "DIR/order.proto:2 means DIR/money.proto by `money.proto`, which is \
                    DIR/sub/money.proto elsewhere: ";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn circles_and_chains_without_end_are_refused() {
    let folder = Folder::of(&[
        ("a.proto", "import \"b.proto\";"),
        ("b.proto", "import \"c.proto\";"),
        ("c.proto", "import \"b.proto\";"),
        ("d.proto", "import \"d.proto\";"),
        ("a.json", r#"{"$ref":"b.json"}"#),
        ("b.json", r#"{"$ref":"a.json"}"#),
    ]);
    let circle = |file, path: &str| {
        assert_eq!(
            folder.error(file),
            format!("files name each other in a circle: {path}")
        );
    };
    circle("a.proto", "a.proto → b.proto → c.proto → b.proto");
    circle("d.proto", "d.proto → d.proto");
    circle("a.json", "a.json → b.json → a.json");
    for depth in 0..40 {
        let text = format!("import \"chain{}.proto\";", depth + 1);
        folder.write(&format!("chain{depth}.proto"), text.as_bytes());
    }
    assert!(
        folder
            .error("chain0.proto")
            .contains("more than 32 that name each other in a row")
    );
}

#[test]
fn json_files_come_with_those_that_they_name() {
    let folder = Folder::of(&[
        (
            "order.json",
            r##"{"$ref":"#/$defs/o","$defs":{"o":{"$ref":"./parts/item.json#/$defs/i"},
                "self":{"$ref":"order.json"},"m":{"$ref":"money.json"}}}"##,
        ),
        (
            "parts/item.json",
            r#"{"$defs":{"i":{"$ref":"../money.json"}}}"#,
        ),
        (
            "money.json",
            r#"{"$ref":"https://example.com/number.json"}"#,
        ),
    ]);
    let source = folder.open(&["order.json"], &[]).unwrap();
    assert_eq!(names(&source), ["money.json", "parts/item.json"]);
    folder.write("money.json", br#"{"$ref":"number.json"}"#);
    let error = folder.error("order.json");
    let expected = "money.json names `number.json`, which is not there";
    assert!(error.contains(expected), "{error}");
}

fn descriptor(name: &str, imports: &[&str]) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(name.to_owned()),
        dependency: imports.iter().map(|import| (*import).to_owned()).collect(),
        ..FileDescriptorProto::default()
    }
}

fn set(files: Vec<FileDescriptorProto>) -> (Folder, Result<FileSource, String>) {
    let folder = Folder::of(&[]);
    let bytes = FileDescriptorSet { file: files }.encode_to_vec();
    folder.write("a.desc", &bytes);
    let opened = folder.open(&["a.desc"], &[]);
    (folder, opened)
}

#[test]
fn a_descriptor_set_is_taken_apart() {
    let (_folder, source) = set(vec![
        descriptor("google/protobuf/any.proto", &[]),
        // Not in protoc's order.
        descriptor("order.proto", &["item.proto", "google/protobuf/any.proto"]),
        descriptor("item.proto", &[]),
    ]);
    let source = source.unwrap();
    assert_eq!(names(&source), ["item.proto"]);
    let text = source.by_id(7).unwrap().text;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap();
    let own = FileDescriptorProto::decode(bytes.as_slice()).unwrap();
    assert_eq!(own.name(), "order.proto");
}

#[test]
fn a_descriptor_goes_to_the_plug_in_as_it_is() {
    // With an edition (field 14), which no field here is for.
    let file = [
        &descriptor("order.proto", &[]).encode_to_vec()[..],
        &[0x70, 0xe8, 0x07],
    ]
    .concat();
    let folder = Folder::of(&[]);
    let length = u8::try_from(file.len()).unwrap();
    folder.write("a.desc", &[&[0x0a, length][..], &file].concat());
    let source = folder.open(&["a.desc"], &[]).unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(file);
    assert_eq!(source.by_id(7).unwrap().text, text);
}

#[test]
fn a_descriptor_set_that_is_not_whole_is_refused() {
    for (files, why) in [
        (vec![], "holds no file descriptor"),
        (
            vec![descriptor("a.proto", &["b.proto"])],
            "lacks `b.proto`, which `a.proto` imports: make it with --include_imports",
        ),
        (
            vec![
                descriptor("a.proto", &["b.proto"]),
                descriptor("b.proto", &["a.proto"]),
            ],
            "has imports in a circle: a.proto, b.proto",
        ),
        (
            vec![descriptor("a.proto", &[]), descriptor("a.proto", &[])],
            "holds `a.proto` twice",
        ),
    ] {
        assert_eq!(set(files).1.unwrap_err(), format!("DIR/a.desc {why}"));
    }
    let folder = Folder::of(&[("a.pb", "not at all")]);
    assert!(
        folder
            .error("a.pb")
            .starts_with("DIR/a.pb is not a set of file descriptors")
    );
    assert!(Path::new("a.pb").extension().is_some());
}
