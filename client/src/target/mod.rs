//! The server that the command line names.

pub mod server_url;
