//! Messages and their echoes.

pub mod exchange;
pub mod goodbye;
pub mod window;
