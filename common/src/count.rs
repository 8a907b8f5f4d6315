//! A number with its noun.

use std::fmt;

/// A number of things, with an `s` unless it is 1.
///
/// ```
/// use common::count::Count;
/// assert_eq!(Count(1, "byte").to_string(), "1 byte");
/// assert_eq!(Count(0, "byte").to_string(), "0 bytes");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Count(pub u64, pub &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, noun) = self;
        write!(f, "{number} {noun}{}", if *number == 1 { "" } else { "s" })
    }
}
