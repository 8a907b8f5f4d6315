//! What the terminal can do, by its name.

use std::env;

/// Values of `TERM` for terminals that cannot move the cursor, as the editor of the prompt lists them.
const PLAIN_TERMINALS: [&str; 3] = ["dumb", "cons25", "emacs"];

/// Returns `true` for a terminal that cannot move the cursor.
#[must_use]
pub fn is_plain_terminal() -> bool {
    env::var("TERM").is_ok_and(|term| PLAIN_TERMINALS.contains(&term.as_str()))
}
