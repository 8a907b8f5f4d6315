//! What the system said, as a person reads it.

use std::io;

/// The words of a system error, without the number that Rust appends, as part of a sentence.
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
