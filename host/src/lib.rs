//! weir

pub mod batch;
pub mod config;
pub mod plugin;
pub mod rows;
pub mod schemas;
pub mod sink;
