//! What `weir demo` shows.

pub mod dataset;
