//! Text of a system error.

use std::io;

/// Returns the text of a system error as part of a sentence: in lower case, without the error number that
/// Rust appends.
///
/// ```
/// use std::io::Error;
/// assert_eq!(common::reason::reason(&Error::from_raw_os_error(104)), "connection reset by peer");
/// ```
#[must_use]
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
