//! `/connections`: the list of connections, which the workers give in parts.
//!
//! Owns the query, and the requests to the workers. A worker has at most one request at a time, however many clients ask,
//! and examines a bounded number of slots for it. No client waits for longer than the time limit of an answer once the
//! worker is silent. Must not know how an answer is sent.
//!
//! Read `query.rs` first, then `lists.rs`.

#[expect(clippy::module_inception, reason = "the folder's main file has the folder's name")]
mod list;
mod lists;
mod query;

pub(super) use self::{
    lists::{Finished, Lists, Pending, server_has_ended},
    query::Query,
};
