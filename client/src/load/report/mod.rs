//! The report of a load.

pub mod document;
pub mod files;
pub mod hlog;
pub mod load_spec;
pub mod table;
