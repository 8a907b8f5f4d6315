//! Copy of the line that the user is typing.
//!
//! The editor loses the line at a byte that is not UTF-8. It shows every change to its helper, which keeps the line
//! here, so that the next prompt continues with it.

use std::cell::RefCell;

use rustyline::{
    Context, Helper, completion::Completer, highlight::Highlighter, hint::Hinter,
    validate::Validator,
};

/// Line before and after the cursor.
#[derive(Debug, Default)]
pub(super) struct TypedLine(RefCell<(String, String)>);

impl TypedLine {
    /// Takes the line; returns the parts before and after the cursor.
    pub(super) fn take(&self) -> (String, String) {
        self.0.take()
    }
}

impl Hinter for TypedLine {
    type Hint = String;

    /// Records the line; there is no hint.
    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<String> {
        let (left, right) = line.split_at_checked(pos).unwrap_or((line, ""));
        self.0.replace((left.to_owned(), right.to_owned()));
        None
    }
}

impl Completer for TypedLine {
    type Candidate = String;
}

impl Highlighter for TypedLine {}
impl Validator for TypedLine {}
impl Helper for TypedLine {}
