//! What `wit-bindgen` makes of the bench's world, and nothing else.
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::all,
    clippy::pedantic,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::undocumented_unsafe_blocks,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

wit_bindgen::generate!({
    path: ["../../wit", "wit"],
    world: "weir:bench/bench",
    generate_all,
});

#[cfg(target_family = "wasm")]
use crate::Bench;
#[cfg(target_family = "wasm")]
export!(Bench);
