//! The client in a pipe.

pub mod filter;
pub mod one_shot;
pub mod output;
