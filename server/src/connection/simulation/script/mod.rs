//! Scripts: the bytes that a peer sends.

mod messages;

pub(super) use self::messages::{header, messages};
