//! Parses a command line and reports its errors, each as one line.

use std::{
    ffi::OsString,
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
};

use clap::{
    Arg, ArgMatches, Command, Parser,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::{escape::Escaped, reason::reason};

use super::{
    after_help::{self, lay_out},
    color::has_color,
    status::{self, FAILED},
    stdio::{stderr, stdout},
};

/// Parses the arguments of the process. Exits for `--help`, `--version` and an invalid command line.
///
/// An invalid command line gives one line on standard error and status 2, where clap prints a paragraph.
#[must_use]
pub fn parse_args<Args: Parser>() -> Args {
    let matches = parse_matches::<Args>();
    Args::from_arg_matches(&matches).unwrap_or_else(|error| exit_with::<Args>(&error))
}

/// Parses the arguments as [`parse_args`] does, but returns clap's matches, which tell a typed value from a
/// default.
#[must_use]
pub fn parse_matches<Args: Parser>() -> ArgMatches {
    lay_out(Args::command()).try_get_matches().unwrap_or_else(|error| exit_with::<Args>(&error))
}

fn exit_with<Args: Parser>(error: &clap::Error) -> ! {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => print_help(error),
        _ => usage_error(&describe::<Args>(error, std::env::args_os())),
    }
}

/// Prints help or the version, and exits. Not by clap, which loses what a non-blocking output does not take.
fn print_help(error: &clap::Error) -> ! {
    let (help, is_error) = (error.render(), error.use_stderr());
    let is_terminal =
        if is_error { io::stderr().is_terminal() } else { io::stdout().is_terminal() };
    let help = if is_terminal && has_color() { help.ansi().to_string() } else { help.to_string() };
    let text = after_help::finish(&help);
    let printed = if is_error {
        stderr().write_all(text.as_bytes())
    } else {
        stdout().write_all(text.as_bytes())
    };
    match printed {
        // The reader has closed the pipe after it read enough.
        Err(failure) if failure.kind() != io::ErrorKind::BrokenPipe => {
            print_error(&format!("Error: Could not write the output: {}", reason(&failure)));
            std::process::exit(FAILED.into())
        }
        _ => std::process::exit(error.exit_code()),
    }
}

/// Describes an error in one line. Where a command accepts both an argument and a subcommand, clap takes a
/// misspelled subcommand for the argument; so the line is parsed again without positional arguments.
fn describe<Args: Parser>(
    error: &clap::Error,
    typed: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> String {
    let typed: Vec<OsString> = typed.into_iter().map(Into::into).collect();
    if let Some(order) = right_order::<Args>(error, &typed) {
        return format!("{}; tip: flags follow the subcommand: '{order}'", one_line(error));
    }
    one_line(misspelled_subcommand::<Args>(typed).as_ref().unwrap_or(error))
}

/// Returns the command line with a subcommand before the arguments that conflict with it, if it is valid then.
fn right_order<Args: Parser>(error: &clap::Error, typed: &[OsString]) -> Option<String> {
    let Some(ContextValue::String(subcommand)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    if error.kind() != ErrorKind::ArgumentConflict {
        return None;
    }
    let definition = Args::command();
    let (outer, start) = follow_subcommands(&definition, typed, 1);
    // The value of a flag may have the name of the subcommand.
    let positions = (start..typed.len()).filter(|&at| typed[at] == **subcommand);
    positions.into_iter().find_map(|at| {
        let (_, end) = follow_subcommands(outer, typed, at);
        let words = [&typed[1..start], &typed[at..end], &typed[start..at], &typed[end..]].concat();
        let name = OsString::from(definition.get_name());
        let words: Vec<_> = std::iter::once(name).chain(words).collect();
        Args::command().try_get_matches_from(&words).ok()?;
        Some(words.join(" ".as_ref()).to_string_lossy().into_owned())
    })
}

/// Returns the innermost subcommand that the words from `start` on name, and the position after its name.
fn follow_subcommands<'c>(
    mut command: &'c Command,
    typed: &[OsString],
    start: usize,
) -> (&'c Command, usize) {
    let mut end = start;
    while let Some(inner) = typed.get(end).and_then(|word| command.find_subcommand(word)) {
        (command, end) = (inner, end + 1);
    }
    (command, end)
}

/// Returns a tip if the process's arguments have a word that is similar to a subcommand, and that was taken for
/// another argument.
#[must_use]
pub fn subcommand_tip<Args: Parser>() -> Option<String> {
    let error = one_line(&misspelled_subcommand::<Args>(std::env::args_os())?);
    error.split_once("tip: ").map(|(_, tip)| tip.to_owned())
}

fn misspelled_subcommand<Args: Parser>(
    typed: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Option<clap::Error> {
    let reparsed = without_positionals(Args::command()).try_get_matches_from(typed);
    reparsed.err().filter(|it| it.get(ContextKind::SuggestedSubcommand).is_some())
}

/// Replaces `[NAME]` by `--name VALUE` in every command that has subcommands.
fn without_positionals(command: Command) -> Command {
    if !command.has_subcommands() {
        return command;
    }
    let as_flag = |arg: Arg| {
        let name = arg.get_id().clone();
        if arg.is_positional() { arg.long(name) } else { arg }
    };
    command.mut_args(as_flag).mut_subcommands(without_positionals)
}

/// Prints `error: MESSAGE (see --help)` and exits with status 2.
pub fn usage_error(message: &str) -> ! {
    print_error(&format!("error: {} (see --help)", Escaped(message.as_bytes())));
    std::process::exit(status::USAGE.into())
}

/// Prints the lines of an error. What a peer, a file or an argument has put into them is escaped, so that it cannot
/// control the terminal.
pub fn print_error(text: &str) {
    let mut lines = String::new();
    for line in text.lines() {
        let _ = writeln!(lines, "{}", Escaped(line.as_bytes()));
    }
    // A closed standard error must not turn an error into a panic: the exit status is enough.
    let _ = stderr().write_all(lines.as_bytes());
}

/// Joins the lines of clap's error, without its usage and its hint, into one line.
#[must_use]
pub fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let mut line = String::new();
    for part in text.lines().map(str::trim).filter(|part| !part.is_empty()) {
        if part.starts_with("Usage:") || part.starts_with("For more information") {
            break;
        }
        let separator = match line.chars().last() {
            None => "",
            Some(':') => " ",
            Some(_) if part.starts_with('[') => " ",
            Some(_) => "; ",
        };
        let _ = write!(line, "{separator}{part}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr as _;

    #[derive(Parser, Debug)]
    struct Args {
        #[arg(long)]
        port: Option<u16>,
        #[arg(long, required = true)]
        name: String,
        #[arg(long, value_enum)]
        protocol: Option<crate::protocol::Protocol>,
    }

    fn error_of<Args: Parser + std::fmt::Debug>(args: &[&str]) -> String {
        describe::<Args>(&Args::try_parse_from(args).unwrap_err(), args)
    }

    #[test]
    fn joins_a_usage_error_into_one_line() {
        assert_eq!(
            error_of::<Args>(&["x", "--port", "99999"]),
            "invalid value '99999' for '--port <PORT>': 99999 is not in 0..=65535"
        );
        assert_eq!(
            error_of::<Args>(&["x"]),
            "the following required arguments were not provided: --name <NAME>"
        );
        assert_eq!(
            error_of::<Args>(&["x", "--porte", "1"]),
            "unexpected argument '--porte' found; tip: a similar argument exists: '--port'"
        );
        assert_eq!(
            error_of::<Args>(&["x", "--protocol", "udp"]),
            "invalid value 'udp' for '--protocol <PROTOCOL>' [possible values: text, raw, length]"
        );
    }

    #[derive(Parser, Debug)]
    struct Program {
        #[arg(value_parser = crate::endpoint::Url::from_str)]
        url: Option<crate::endpoint::Url>,
        #[command(subcommand)]
        command: Option<Subcommand>,
    }

    #[derive(clap::Subcommand, Debug)]
    enum Subcommand {
        Ping {
            #[arg(long)]
            count: Option<u64>,
        },
        #[command(args_conflicts_with_subcommands = true)]
        Load {
            #[arg(value_parser = crate::endpoint::Url::from_str)]
            url: Option<crate::endpoint::Url>,
            #[command(subcommand)]
            command: Option<Merge>,
        },
    }

    #[derive(clap::Subcommand, Debug)]
    enum Merge {
        Merge { files: Vec<String> },
    }

    #[test]
    fn tells_a_misspelled_subcommand_from_an_argument() {
        for (args, text) in [
            (
                &["x", "pnig"][..],
                "unrecognized subcommand 'pnig'; tip: a similar subcommand exists: 'ping'",
            ),
            (
                &["x", "pnig", "--count", "3"],
                "unrecognized subcommand 'pnig'; tip: a similar subcommand exists: 'ping'",
            ),
            (
                &["x", "load", "mrege", "a", "b"],
                "unrecognized subcommand 'mrege'; tip: a similar subcommand exists: 'merge'",
            ),
            (
                &["x", "localhost"],
                "invalid value 'localhost' for '[URL]': it is not a URL of a known scheme; in a URL, an IPv6 HOST is in \
                 brackets, as in [::1] or [fe80::1%eth0]",
            ),
            (&["x", "tcp://localhost", "tcp://b"], "unexpected argument 'tcp://b' found"),
            (
                &["x", "ping", "--cuont", "3"],
                "unexpected argument '--cuont' found; tip: a similar argument exists: '--count'",
            ),
        ] {
            assert_eq!(error_of::<Program>(args), text, "{args:?}");
        }
    }

    #[derive(Parser, Debug)]
    #[command(name = "server", args_conflicts_with_subcommands = true)]
    struct Server {
        #[arg(long)]
        config: Option<String>,
        #[arg(long)]
        port: Option<u16>,
        #[command(subcommand)]
        command: Option<Config>,
    }

    #[derive(clap::Subcommand, Debug)]
    enum Config {
        #[command(subcommand)]
        Config(Check),
    }

    #[derive(clap::Subcommand, Debug)]
    enum Check {
        Check {
            #[arg(long)]
            config: Option<String>,
        },
    }

    #[test]
    fn names_the_right_order_of_a_flag_and_a_subcommand() {
        let conflict = "the subcommand 'config' cannot be used with '--config <CONFIG>'";
        for value in ["file", "config"] {
            assert_eq!(
                error_of::<Server>(&["x", "--config", value, "config", "check"]),
                format!(
                    "{conflict}; tip: flags follow the subcommand: 'server config check --config {value}'"
                )
            );
        }
        assert_eq!(
            error_of::<Server>(&["x", "--port", "7", "config", "check"]),
            "the subcommand 'config' cannot be used with '--port <PORT>'",
            "the subcommand has no such flag"
        );
    }
}
