//! Statistics of a load: counters, histograms, faults, and figures as text.
//!
//! Owns what is counted, and that it adds up without loss: over time, over processes, and over machines.
//! Must not know how it was measured, nor what follows from it. Imports nothing of the other folders.
//!
//! Read [`counters`] first.

pub(crate) mod compact_histogram;
pub(crate) mod counters;
pub(crate) mod error_kind;
pub(crate) mod fault;
pub(crate) mod format;
pub(crate) mod hdr_base64;
pub(crate) mod histogram;
pub(crate) mod rate;
pub(crate) mod receipt_stats;
pub(crate) mod room_stats;
pub(crate) mod series;
