//! Standard output.

use std::io::{self, Write as _};

use anyhow::Context as _;
use common::cli::stdio::stdout;
use ratatui::text::Line;
use rustix::termios::tcgetwinsize;

/// Returns the width of the terminal; `None` for a pipe or a file, whose lines have any length.
pub(in crate::cli) fn width() -> Option<usize> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    // A terminal that does not know its size.
    Some(if size.ws_col == 0 { 80 } else { size.ws_col.into() })
}

/// Prints lines, without their styles. Returns false if nobody reads the output any more.
pub(in crate::cli) fn print_lines(lines: &[Line<'_>]) -> anyhow::Result<bool> {
    let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
    print(&lines.concat())
}

/// Prints a text. Returns false if nobody reads the output any more.
pub(in crate::cli) fn print(text: &str) -> anyhow::Result<bool> {
    match stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.context("cannot write to standard output").map(|()| true),
    }
}
