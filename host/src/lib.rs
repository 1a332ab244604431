//! weir

pub mod batch;
pub mod config;
pub mod demo;
pub mod rows;
pub mod schemas;
pub mod sink;
