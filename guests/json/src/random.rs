//! What hash maps of libraries ask for when they are made.
//!
//! A plug-in has no source of random numbers, and the host gives none. The hash maps in
//! question are those of the validator, which is there only where validation is asked for; a
//! sender who makes their keys collide makes a batch slow, which the deadline of a call bounds.

/// What getrandom calls when it is built with `getrandom_backend="custom"`, as guests are.
#[expect(unsafe_code, reason = "the name and the signature are getrandom's")]
// SAFETY: this is the only definition of the symbol, with the signature that getrandom asks for.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(
    start: *mut u8,
    length: usize,
) -> Result<(), getrandom::Error> {
    // SAFETY: getrandom hands over `length` writable bytes.
    unsafe { start.write_bytes(0x5a, length) };
    Ok(())
}
