/// Logs the message and the place of any panic from now on, since all that the
/// host sees of one is an `unreachable` instruction.
pub(crate) fn log_them() {
    #[cfg(target_family = "wasm")]
    std::panic::set_hook(Box::new(|panic| crate::log::error(panic.to_string())));
}
