//! The evaluation of a report.

pub mod assertion;
pub mod metric;
#[cfg(test)]
pub(crate) mod testing;
pub mod verdict;
