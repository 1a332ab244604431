//! weir

pub mod batch;
pub mod config;
pub mod rows;
pub mod schemas;
pub mod sink;
