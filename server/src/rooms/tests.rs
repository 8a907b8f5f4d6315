//! Rooms without sockets.
