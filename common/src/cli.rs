//! Habits of both command lines: durations as people write them, and errors in one line.

use std::{ffi::OsString, fmt::Write as _, num::NonZeroUsize, time::Duration};

use clap::{
    Arg, ArgMatches, Command, Parser,
    error::{ContextKind, ErrorKind},
};

/// A duration as it is typed: `500ms`, `30s`, `5m`, `1h 30m`.
///
/// For clap's `value_parser`.
///
/// # Errors
///
/// A sentence that says what was expected.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(common::cli::duration("500ms"), Ok(Duration::from_millis(500)));
/// assert!(common::cli::duration("5").is_err());
/// ```
pub fn duration(typed: &str) -> Result<Duration, String> {
    humantime::parse_duration(typed)
        .map_err(|_| "expected a duration like 500ms, 30s or 5m".to_owned())
}

/// [`duration`], but not zero: for a time to wait, where no time at all would mean always too late.
///
/// # Errors
///
/// A sentence that says what was expected.
pub fn positive_duration(typed: &str) -> Result<Duration, String> {
    match duration(typed)? {
        Duration::ZERO => Err("expected more than no time at all".to_owned()),
        positive => Ok(positive),
    }
}

/// How many of something, at least one.
///
/// For clap's `value_parser`.
///
/// # Errors
///
/// A sentence that says what was expected.
pub fn at_least_one(typed: &str) -> Result<NonZeroUsize, String> {
    typed.parse().map_err(|_| "expected a whole number, at least 1".to_owned())
}

/// A limit in time that can be turned off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimit(pub Option<Duration>);

/// A time limit as it is typed: a positive [`duration`], or `off`.
///
/// # Errors
///
/// A sentence that says what was expected.
///
/// ```
/// use common::cli::{TimeLimit, time_limit};
/// assert_eq!(time_limit("off"), Ok(TimeLimit(None)));
/// assert!(time_limit("0s").is_err());
/// ```
pub fn time_limit(typed: &str) -> Result<TimeLimit, String> {
    if typed == "off" {
        return Ok(TimeLimit(None));
    }
    match positive_duration(typed) {
        Ok(limit) => Ok(TimeLimit(Some(limit))),
        Err(_) => Err("expected a duration like 500ms, 30s or 5m, or off".to_owned()),
    }
}

/// Parses the process's arguments; `--help`, `--version` and mistakes end the process here.
///
/// A mistake is one line on standard error and status 2, where clap would print a paragraph.
#[must_use]
pub fn parse_args<Args: Parser>() -> Args {
    Args::try_parse().unwrap_or_else(|error| give_up::<Args>(&error))
}

/// As [`parse_args`], for a program that asks what was typed and what is a default.
#[must_use]
pub fn parse_matches<Args: Parser>() -> ArgMatches {
    Args::command().try_get_matches().unwrap_or_else(|error| give_up::<Args>(&error))
}

fn give_up<Args: Parser>(error: &clap::Error) -> ! {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
        _ => usage_error(&explain::<Args>(error, std::env::args_os())),
    }
}

/// A mistake in a line. Where an argument may stand as well as a subcommand, clap takes a misspelled
/// subcommand for the argument, so it is asked again as if there were none.
fn explain<Args: Parser>(
    error: &clap::Error,
    typed: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> String {
    let again = without_positionals(Args::command()).try_get_matches_from(typed);
    let misspelled = again.err().filter(|it| it.get(ContextKind::SuggestedSubcommand).is_some());
    one_line(misspelled.as_ref().unwrap_or(error))
}

/// The same with `--name VALUE` instead of `[NAME]`, wherever there are subcommands.
fn without_positionals(command: Command) -> Command {
    if !command.has_subcommands() {
        return command;
    }
    let name = |arg: Arg| {
        let name = arg.get_id().clone();
        if arg.is_positional() { arg.long(name) } else { arg }
    };
    command.mut_args(name).mut_subcommands(without_positionals)
}

/// Ends the process for a mistake on the command line: `error: WHAT (see --help)`, status 2.
pub fn usage_error(what: &str) -> ! {
    // A closed standard error must not turn a usage error into a panic: the status says it as well.
    let _ = std::io::Write::write_fmt(
        &mut std::io::stderr(),
        format_args!("error: {what} (see --help)\n"),
    );
    std::process::exit(crate::status::USAGE.into())
}

/// Folds clap's paragraph into a sentence: what is wrong, what was missing, what was meant.
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

    fn mistake(args: &[&str]) -> String {
        explained::<Args>(args)
    }

    fn explained<Args: Parser + std::fmt::Debug>(args: &[&str]) -> String {
        explain::<Args>(&Args::try_parse_from(args).unwrap_err(), args)
    }

    #[test]
    fn a_usage_error_is_one_line() {
        assert_eq!(
            mistake(&["x", "--port", "99999"]),
            "invalid value '99999' for '--port <PORT>': 99999 is not in 0..=65535"
        );
        assert_eq!(
            mistake(&["x"]),
            "the following required arguments were not provided: --name <NAME>"
        );
        assert_eq!(
            mistake(&["x", "--porte", "1"]),
            "unexpected argument '--porte' found; tip: a similar argument exists: '--port'"
        );
        assert_eq!(
            mistake(&["x", "--protocol", "udp"]),
            "invalid value 'udp' for '--protocol <PROTOCOL>' [possible values: text, raw, length]"
        );
    }

    #[derive(Parser, Debug)]
    struct Talk {
        #[arg(value_parser = crate::endpoint::Url::from_str)]
        url: Option<crate::endpoint::Url>,
        #[command(subcommand)]
        command: Option<Way>,
    }

    #[derive(clap::Subcommand, Debug)]
    enum Way {
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
    fn a_misspelled_subcommand_is_told_from_an_argument() {
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
                "invalid value 'localhost' for '[URL]': expected tcp://HOST:PORT, udp://HOST:PORT or unix:///PATH",
            ),
            (&["x", "tcp://localhost", "tcp://b"], "unexpected argument 'tcp://b' found"),
            (
                &["x", "ping", "--cuont", "3"],
                "unexpected argument '--cuont' found; tip: a similar argument exists: '--count'",
            ),
        ] {
            assert_eq!(explained::<Talk>(args), text, "{args:?}");
        }
    }

    #[test]
    fn durations_need_a_unit_and_limits_can_be_off() {
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(time_limit("30s"), Ok(TimeLimit(Some(Duration::from_secs(30)))));
        for wrong in ["", "5", "-1s", "soon", "0s"] {
            assert!(time_limit(wrong).is_err(), "{wrong:?}");
        }
    }
}
