//! `load compare`: two reports side by side, and whether they differ.
//!
//! Owns the method of the confidence and the form of its document. A difference is judged by the ratio of a figure in both
//! reports; its confidence comes from their time series, if both are long enough.
//!
//! Read [`changes`] first, then [`bootstrap`].

mod bootstrap;
mod changes;
mod document;
mod page;
mod run;
mod settings;
mod table;

pub(super) use run::run;
