//! weir

pub mod batch;
pub mod bench;
pub mod cli;
pub mod config;
pub mod demo;
pub mod kafka;
pub mod pipeline;
pub mod plugin;
pub mod progress;
pub mod rows;
pub mod schemas;
pub mod sink;
pub mod stop;
