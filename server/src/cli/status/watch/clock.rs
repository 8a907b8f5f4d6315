//! The time of day.

use jiff::Zoned;

/// Returns the time of day.
pub(super) fn clock() -> String {
    #[expect(clippy::disallowed_methods, reason = "the user reads the time of the wall clock")]
    let now = Zoned::now();
    now.strftime("%H:%M:%S").to_string()
}
