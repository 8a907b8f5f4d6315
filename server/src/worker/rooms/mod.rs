//! The rooms of a worker: those that it owns, and its members of any room.
//!
//! Owns the time at which members receive the events of their rooms: a bounded number of deliveries in each iteration of the
//! worker's loop. Must not know what a room does.

mod fan_out;

pub(super) use self::fan_out::ROOMS;
