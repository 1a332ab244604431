fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    for g in ["avro", "drop-by-header"] { std::fs::write(format!("{out}/{g}.wasm"), b"").unwrap(); }
}
