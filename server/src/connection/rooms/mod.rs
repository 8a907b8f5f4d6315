//! A connection whose session is a member of rooms: what it receives from them.
//!
//! Owns the way of events and answers to the socket, behind what waits already. Must not know the other members.

mod deliver;
