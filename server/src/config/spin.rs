//! The setting `spin`: busy-polling before sleep.

use std::time::Duration;

/// Whether a worker busy-polls for more bytes before it sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spin {
    /// It busy-polls for a moment, while that has recently been successful.
    #[default]
    Auto,
    /// It sleeps immediately.
    Off,
    /// It always busy-polls for this long.
    For(Duration),
}
