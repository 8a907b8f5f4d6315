//! The sink: takes formatted records from fern.

use std::sync::Arc;

use super::{batch, queue::LogQueue};

/// The output of fern.
pub(super) struct Sink(Arc<LogQueue>);

impl Sink {
    pub(super) fn new(queue: Arc<LogQueue>) -> Self {
        Self(queue)
    }
}

impl log::Log for Sink {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        batch::add(&self.0, record.args());
    }

    fn flush(&self) {
        batch::flush();
    }
}
