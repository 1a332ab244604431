//! What is kept, where, and for how long.

use super::*;

const ONE: &str = "/schemas/ids/1";
const GUID: &str = "89791762-2336-4186-9674-299b90a802e2";

fn keeping(stub: &Stub, folder: &Path) -> RegistrySource {
    let mut config = stub.config();
    config.cache_persist = true;
    RegistrySource::open(&config, Some(folder)).unwrap()
}

#[test]
fn a_known_id_is_there_when_the_registry_is_down_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let root = json!({ "schema": "root", "references": [refers("a")], "guid": GUID });
    let stub = Stub::start(vec![
        (ONE, ok(&root)),
        (
            "/subjects/a/versions/1?deleted=true",
            ok(&json!({ "schema": "A" })),
        ),
    ]);
    let schema = keeping(&stub, folder.path()).by_id(1).unwrap();
    assert_eq!(schema.references.len(), 1);

    stub.set(ONE, failing(503, ""));
    let restarted = keeping(&stub, folder.path());
    assert_eq!(restarted.by_id(1).unwrap(), schema);
    assert!(matches!(
        restarted.by_id(2),
        Err(SchemaError::NotFound(_) | SchemaError::Unavailable(_))
    ));
    let guid = GUID.parse().unwrap();
    assert_eq!(restarted.by_guid(guid).unwrap(), schema);
    let source = stub.source();
    assert!(source.by_id(1).is_err(), "without the key");
}

#[test]
fn the_registry_itself_goes_before_what_is_kept_by_id() {
    let folder = tempfile::tempdir().unwrap();
    let stub = Stub::start(vec![(ONE, ok(&json!({ "schema": "old" })))]);
    keeping(&stub, folder.path()).by_id(1).unwrap();
    // As when a registry was set up anew at the same address.
    stub.set(ONE, ok(&json!({ "schema": "new" })));
    let restarted = keeping(&stub, folder.path());
    assert_eq!(restarted.by_id(1).unwrap().text, "new");
    stub.set(ONE, failing(503, ""));
    let restarted = keeping(&stub, folder.path());
    assert_eq!(
        restarted.by_id(1).unwrap().text,
        "new",
        "and takes its place"
    );
}

#[test]
fn a_guid_means_the_same_everywhere_and_is_asked_for_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("/schemas/guids/{GUID}");
    let stub = Stub::start(vec![(&path, ok(&json!({ "schema": "s", "guid": GUID })))]);
    for _ in 0..3 {
        let source = keeping(&stub, folder.path());
        source.by_guid(GUID.parse().unwrap()).unwrap();
    }
    assert_eq!(stub.requests(), [path]);
}

#[test]
fn what_was_damaged_on_disk_is_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("/schemas/guids/{GUID}");
    let stub = Stub::start(vec![(&path, ok(&json!({ "schema": "s" })))]);
    keeping(&stub, folder.path())
        .by_guid(GUID.parse().unwrap())
        .unwrap();
    let registry = std::fs::read_dir(folder.path().join("schemas"))
        .unwrap()
        .next();
    let file = registry
        .unwrap()
        .unwrap()
        .path()
        .join(format!("guid-{GUID}.json"));
    std::fs::write(&file, "garbage").unwrap();
    let source = keeping(&stub, folder.path());
    assert_eq!(source.by_guid(GUID.parse().unwrap()).unwrap().text, "s");
    assert_eq!(stub.requests().len(), 2);
    assert_ne!(
        std::fs::read(&file).unwrap(),
        b"garbage",
        "and written anew"
    );
}

#[test]
fn the_latest_version_holds_for_its_time() {
    let path = "/subjects/s/versions/latest";
    let stub = Stub::start(vec![(
        path,
        ok(&json!({ "schema": "a", "id": 1, "version": 1 })),
    )]);
    let mut config = stub.config();
    config.latest_ttl = Duration::from_millis(300);
    let source = RegistrySource::open(&config, None).unwrap();
    source.latest("s").unwrap();
    stub.set(path, ok(&json!({ "schema": "b", "id": 2, "version": 2 })));
    assert_eq!(source.latest("s").unwrap().version, Some(1));
    thread::sleep(Duration::from_millis(310));
    assert_eq!(source.latest("s").unwrap().version, Some(2));
}

#[test]
fn a_version_is_asked_for_once() {
    let path = "/subjects/s%2Ft/versions/3";
    let stub = Stub::start(vec![(
        path,
        ok(&json!({ "schema": "a", "id": 1, "version": 3 })),
    )]);
    let source = stub.source();
    for _ in 0..2 {
        assert_eq!(source.version("s/t", 3).unwrap().id, Some(1));
    }
    assert_eq!(stub.requests(), [path]);
}
