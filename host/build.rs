//! Builds the guests that come with weir, as anybody would: by `scripts/build-guest`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders under `guests/`, and the names of the modules that the host embeds.
const GUESTS: [&str; 5] = ["avro", "bench", "drop-by-header", "json", "protobuf"];
/// Those that are a serializer too, with that feature.
const SERIALIZERS: [&str; 3] = ["avro", "json", "protobuf"];

fn main() {
    // Asked for when it runs: a target folder may be copied from one checkout to another.
    let host = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let root = Path::new(&host).join("..");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let watch = |path: &str| println!("cargo::rerun-if-changed={}", root.join(path).display());
    for path in ["wit", "scripts/build-guest", "Cargo.toml", "Cargo.lock"] {
        watch(path);
    }
    // Not whole folders: tests are in them too.
    for guest in GUESTS.into_iter().chain(["sdk"]) {
        watch(&format!("guests/{guest}/Cargo.toml"));
        watch(&format!("guests/{guest}/src"));
    }
    watch("guests/bench/wit");
    for guest in GUESTS {
        let module = out.join(guest).with_extension("wasm");
        build(&root, guest, &module, &[]);
    }
    for guest in SERIALIZERS {
        let module = out.join(format!("{guest}-serializer.wasm"));
        build(&root, guest, &module, &["--features", "serializer"]);
    }
}

fn build(root: &Path, guest: &str, module: &Path, options: &[&str]) {
    let built = Command::new("bash")
        .arg(root.join("scripts/build-guest"))
        .args(options)
        .arg(root.join("guests").join(guest))
        .arg(module)
        .output()
        .expect("bash can be run");
    assert!(
        built.status.success(),
        "the guest {guest} was not built:\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
}
