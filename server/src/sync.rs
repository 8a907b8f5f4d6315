//! What the hand-over is made of. The check of its protocol (`tests/handoff_model.rs`) puts other things
//! of the same names in their place, which it can run in every order.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub(crate) use crossbeam::queue::ArrayQueue;
