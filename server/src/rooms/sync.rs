//! The primitives of the mailbox. The model check of its protocol (`tests/mailbox_model.rs`) replaces them by versions that
//! it can schedule in every order.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub(crate) use crossbeam::queue::SegQueue;
