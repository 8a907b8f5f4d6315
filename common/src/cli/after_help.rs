//! Help after the options, such as examples and exit statuses: its form as text, and its layout for the width of a terminal.
//!
//! A paragraph is one line, and so is a row: `  key  description`, with at least two spaces between both. A line that ends with a
//! colon and is not indented is a title. Below the title `Examples:`, a line that is not a row is a command. Clap would wrap a row
//! without the indentation of its description.

use std::{env, io};

use clap::Command;
use rustix::termios::tcgetwinsize;

/// Maximum width of the help, also of the part that clap lays out.
const MAX_WIDTH: usize = 100;

/// Minimum width of the descriptions of rows; in less, they are below their keys.
const MIN_DESCRIPTION: usize = 30;

/// Indentation of a description below its key.
const BELOW: usize = 6;

/// Space at which clap does not break a line.
const NO_BREAK_SPACE: char = '\u{a0}';

/// Line of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'t> {
    /// Title of a section, without its colon.
    Title(&'t str),
    /// Key with its description.
    Row(&'t str, &'t str),
    /// Paragraph or command, with its indentation.
    Text(&'t str),
}

/// Returns the lines of a text; blank ones are empty texts.
pub(super) fn parse(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.lines().map(|line| {
        if let Some(title) = line.strip_suffix(':').filter(|title| !title.starts_with(' ')) {
            return Line::Title(title);
        }
        let row = line.strip_prefix("  ").and_then(|row| row.split_once("  "));
        row.map_or(Line::Text(line), |(key, description)| Line::Row(key, description.trim_start()))
    })
}

/// Lays out the help of a command and its subcommands for the width of the terminal. Clap renders it for [`finish`].
pub(super) fn lay_out(command: Command) -> Command {
    fit(command.max_term_width(MAX_WIDTH), width())
}

/// Returns the text to print for a rendered help.
pub(super) fn finish(help: &str) -> String {
    help.replace(NO_BREAK_SPACE, " ")
}

fn fit(command: Command, width: usize) -> Command {
    let text = command.get_after_long_help().map(|text| fill(&text.to_string(), width));
    let command = match text {
        Some(text) => command.after_long_help(text),
        None => command,
    };
    command.mut_subcommands(|subcommand| fit(subcommand, width))
}

/// Returns the width that clap uses: that of the terminal, or of the variable `COLUMNS`.
fn width() -> usize {
    let size = tcgetwinsize(io::stdout())
        .or_else(|_| tcgetwinsize(io::stderr()))
        .or_else(|_| tcgetwinsize(io::stdin()));
    let columns = size.ok().map(|size| usize::from(size.ws_col)).filter(|&columns| columns > 0);
    let variable = || env::var("COLUMNS").ok()?.parse().ok();
    columns.or_else(variable).unwrap_or(MAX_WIDTH).min(MAX_WIDTH)
}

/// Breaks lines that are wider than the terminal, except commands. The descriptions of neighbouring rows are in one column.
fn fill(text: &str, width: usize) -> String {
    let sections = text.split("\n\n").map(|section| {
        let lines: Vec<_> = parse(section).collect();
        let key_width = |line: &Line<'_>| match line {
            Line::Row(key, _) => key.chars().count(),
            _ => 0,
        };
        let column = lines.iter().map(key_width).max().unwrap_or(0) + 4;
        let is_wide = column + MIN_DESCRIPTION <= width;
        let has_commands = lines.first() == Some(&Line::Title("Examples"));
        let lines = lines.iter().map(|line| match line {
            Line::Title(title) => format!("{title}:"),
            Line::Row(key, description) if is_wide => {
                let start = format!("  {:<1$}", unbroken(key), column - 2);
                start + &wrap(description, width - column, column)
            }
            Line::Row(key, description) => {
                let description = wrap(description, width.saturating_sub(BELOW), BELOW);
                format!("  {}\n{:BELOW$}{description}", unbroken(key), "")
            }
            Line::Text(command) if has_commands => unbroken(command),
            Line::Text(text) => {
                let indent = text.len() - text.trim_start().len();
                format!(
                    "{:indent$}{}",
                    "",
                    wrap(text.trim_start(), width.saturating_sub(indent), indent)
                )
            }
        });
        lines.collect::<Vec<_>>().join("\n")
    });
    sections.collect::<Vec<_>>().join("\n\n")
}

/// Keeps a command on one line: a shell would take each line for a command of its own.
fn unbroken(command: &str) -> String {
    command.replace(' ', &NO_BREAK_SPACE.to_string())
}

/// Breaks a text into lines of this width, of which all but the first have an indentation.
fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut wrapped = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let len = word.chars().count();
        if used > 0 && used + 1 + len > width {
            wrapped = format!("{wrapped}\n{:indent$}", "");
            used = 0;
        } else if used > 0 {
            wrapped.push(' ');
            used += 1;
        }
        wrapped.push_str(word);
        used += len;
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "A paragraph of several words.\n\nExamples:\n  one -a  first of both\n  three   second of both\n  command -x >file";

    /// Returns the help of a command after its options, as printed in this width.
    fn printed(text: &'static str, width: usize) -> String {
        let command = Command::new("x").help_template("{after-help}").after_long_help(text);
        let mut command = fit(command.term_width(width), width);
        finish(&command.render_long_help().to_string()).trim().to_owned()
    }

    #[test]
    fn descriptions_keep_their_column_and_move_below_their_keys_if_it_is_too_narrow() {
        assert_eq!(printed(TEXT, 100), TEXT);
        let text = "Rows:\n  a   one two three four five six seven eight\n  bc  nine";
        let wide = "Rows:\n  a   one two three four five six\n      seven eight\n  bc  nine";
        assert_eq!(printed(text, 37), wide);
        let narrow = "A paragraph\nof several\nwords.\n\nExamples:\n  one -a\n      first\n      of\n      both\n  three\n      second\n      of\n      both\n  command -x >file";
        assert_eq!(printed(TEXT, 12), narrow);
        let indented = "Values:\n  One of\n  these";
        assert_eq!(printed("Values:\n  One of these", 8), indented);
    }

    /// A word is never broken, also in a terminal that is narrower than an indentation.
    #[test]
    fn any_width_keeps_every_word() {
        for width in 1..80 {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&printed(TEXT, width)), words(TEXT), "{width}");
        }
    }
}
