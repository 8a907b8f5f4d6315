//! The parent of a load's processes.

pub mod process_pool;
pub mod progress;
pub mod worker_process;
