//! Lines for the host's log, shown with the plug-in's name. In native tests they
//! go to standard error.

use crate::bindings::deserializer::weir::connector::log as host;

pub use host::Level;

/// Writes a line that helps when the plug-in itself is being worked on.
pub fn debug(message: impl AsRef<str>) {
    write(Level::Debug, message.as_ref());
}

/// Writes a line that is worth reading once.
pub fn info(message: impl AsRef<str>) {
    write(Level::Info, message.as_ref());
}

/// Writes a line about something that people should look at. For a message that
/// cannot be handled, return an error of that message instead.
pub fn warn(message: impl AsRef<str>) {
    write(Level::Warn, message.as_ref());
}

/// Writes a line about something that went wrong.
pub fn error(message: impl AsRef<str>) {
    write(Level::Error, message.as_ref());
}

/// Writes a line. The host cuts long ones, and thins a flood.
pub fn write(level: Level, message: &str) {
    if cfg!(target_family = "wasm") {
        host::log(level, message);
    } else {
        eprintln!("{level:?}: {message}");
    }
}
