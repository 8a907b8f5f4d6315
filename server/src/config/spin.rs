//! The setting `spin`: busy-polling before sleep.

use std::time::Duration;

/// Busy-polling of a worker before it sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spin {
    /// Busy-poll for a moment, while that has recently found events.
    #[default]
    Auto,
    /// Sleep immediately.
    Off,
    /// Always busy-poll for this long.
    For(Duration),
}
