//! Answers in JSON as lines.

use std::fmt::Write as _;

/// Adds a valid text of JSON, without its white space, and with DEL and the control characters of C1 escaped.
pub(in crate::cli) fn push_line(line: &mut String, json: &str) {
    let (mut is_string, mut is_escaped) = (false, false);
    for char in json.chars() {
        if is_string && char.is_control() {
            let _ = write!(line, "\\u{:04x}", u32::from(char));
        } else if is_string || !char.is_ascii_whitespace() {
            line.push(char);
        }
        is_string ^= char == '"' && !is_escaped;
        is_escaped = is_string && char == '\\' && !is_escaped;
    }
}
