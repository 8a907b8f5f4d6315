//! Loads over connections with messages of their own.
//!
//! Read [`small`] first: the others differ from it.

mod churn;
mod large;
mod open_loop;
mod small;

pub(crate) use self::{churn::Churn, large::Large, open_loop::OpenLoop, small::Small};
