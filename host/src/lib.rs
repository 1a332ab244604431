//! weir

pub mod config;
pub mod batch;
pub mod kafka;
pub mod plugin;
pub mod schemas;
pub mod rows;
pub mod sink;
pub mod pipeline;
pub mod progress;
pub mod stop;
