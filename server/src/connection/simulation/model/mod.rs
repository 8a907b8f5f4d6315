//! The model: the bytes that a peer must receive for the bytes that it sent.

mod echo;

pub(super) use self::echo::Model;
