//! `echo-server user`: changes the file of users.

use std::{
    fmt::Write as _,
    io::{self, BufRead as _, IsTerminal as _, Read as _},
    num::NonZeroU32,
    path::PathBuf,
};

use anyhow::{Context as _, bail, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::{Args, Subcommand};
use common::{
    cli::{ask_password, status},
    escape::{Escaped, Quoted},
    login::{
        Keys, MAX_ITERATIONS, MAX_LENGTH, MIN_ITERATIONS, PrepareError, SALT_LENGTH, Secret, hash,
        prepare_name, prepare_password, random_key,
    },
};
use jiff::civil::Date;
use server::{
    Credential, limits,
    settings::users::{Entry, EntryError, FileError, UsersFile, edit, load, parse_end},
};
use zeroize::Zeroizing;

/// Commands for the file of users.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user, or another credential of a user
    #[command(after_long_help = ADD)]
    Add(AddArgs),
    /// Change the password of a user
    #[command(after_long_help = PASSWD)]
    Passwd {
        #[command(flatten)]
        file: FileArgs,
        /// Name of the user
        name: String,
        #[command(flatten)]
        iterations: IterationsArgs,
    },
    /// Remove all credentials of a user
    Remove {
        #[command(flatten)]
        file: FileArgs,
        /// Name of the user
        name: String,
    },
    /// List the users, a line for each credential
    List {
        #[command(flatten)]
        file: FileArgs,
    },
    /// Check the file; exit with status 1 if the server would refuse it
    Check {
        #[command(flatten)]
        file: FileArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    /// The file of users
    #[arg(long = "users", value_name = "FILE")]
    path: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct IterationsArgs {
    /// Number of iterations with which the keys are derived from the password
    #[arg(long, value_name = "N", default_value_t = default_iterations(), value_parser = iterations)]
    iterations: NonZeroU32,
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Name of the user
    name: String,
    /// Make a token for HTTP, and print it once
    #[arg(long, conflicts_with_all = ["certificate", "iterations"])]
    token: bool,
    /// Accept a certificate whose common name is the name of the user
    #[arg(long, conflicts_with = "iterations")]
    certificate: bool,
    /// Refuse it from this day (UTC), such as 2027-01-31
    #[arg(long, value_name = "DATE", value_parser = end)]
    expires: Option<Date>,
    /// A note, which the list shows
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    #[command(flatten)]
    iterations: IterationsArgs,
}

const ADD: &str = "\
The command asks for the password. If standard input is no terminal, its first line is the password.

Examples:
  echo-server user add alice --users echo.users             ask for a password
  pass show echo | echo-server user add alice --users echo.users
  echo-server user add ci --token --users echo.users        print a token for HTTP
  echo-server user add bob --certificate --expires 2027-01-31 --users echo.users";

const PASSWD: &str = "\
The command asks for the password. If standard input is no terminal, its first line is the password.";

/// Runs a command and returns the exit status and its output.
pub(crate) fn run(command: &UserCommand) -> anyhow::Result<(u8, String)> {
    match command {
        UserCommand::Add(args) => add(args),
        UserCommand::Passwd { file, name, iterations } => {
            let name = prepared(name)?;
            let keys = new_keys(iterations)?;
            edit(&file.path, false, |users| -> anyhow::Result<()> {
                let entry = users.password_mut(&name);
                let entry = entry.with_context(|| format!("{} has no password", shown(&name)))?;
                *entry = entry.clone().with_credential(Credential::Password(keys));
                Ok(())
            })?;
            Ok(done(format!("Changed the password of {}\n", shown(&name))))
        }
        UserCommand::Remove { file, name } => {
            let name = prepared(name)?;
            edit(&file.path, false, |users| -> anyhow::Result<()> {
                ensure!(users.remove(&name) > 0, "{} is no user", shown(&name));
                Ok(())
            })?;
            Ok(done(format!("Removed {}\n", shown(&name))))
        }
        UserCommand::List { file } => Ok(done(list(&load(&file.path)?))),
        UserCommand::Check { file } => match load(&file.path) {
            Ok(users) => {
                let count = users.entries().count();
                Ok(done(format!("{}: ok, credentials: {count}\n", file.path.display())))
            }
            Err(FileError::Lines { errors, .. }) => {
                let lines = errors.iter().fold(String::new(), |mut lines, error| {
                    // Writing to a string cannot fail.
                    let _ = writeln!(lines, "{}, {error}", file.path.display());
                    lines
                });
                Ok((status::FAILED, lines))
            }
            Err(error) => Err(error.into()),
        },
    }
}

fn done(text: String) -> (u8, String) {
    (status::SUCCESS, text)
}

fn add(args: &AddArgs) -> anyhow::Result<(u8, String)> {
    let name = prepared(&args.name)?;
    let mut output = format!("Added {}\n", shown(&name));
    let credential = if args.certificate {
        Credential::Certificate
    } else if args.token {
        let token = URL_SAFE_NO_PAD.encode(random_key());
        let _ = writeln!(output, "Its token, which is not shown again:\n{token}");
        Credential::Token(hash(token.as_bytes()))
    } else {
        // An unknown file or name is reported before somebody types a password.
        if args.file.path.exists() {
            let mut users = load(&args.file.path)?;
            ensure!(users.password_mut(&name).is_none(), "{}", exists(&name));
        }
        Credential::Password(new_keys(&args.iterations)?)
    };
    let entry = Entry::new(&name, credential, args.expires, &args.comment)?;
    edit(&args.file.path, true, |users| -> anyhow::Result<()> {
        let is_same = |other: &Entry| other.name() == name && other.kind() == entry.kind();
        let is_repeated =
            !matches!(entry.credential(), Credential::Token(_)) && users.entries().any(is_same);
        ensure!(!is_repeated, "{}", exists(&name));
        users.add(entry);
        Ok(())
    })?;
    Ok(done(output))
}

fn exists(name: &str) -> String {
    format!("{} exists already; 'echo-server user passwd' changes a password", shown(name))
}

fn list(users: &UsersFile) -> String {
    let mut lines = String::new();
    for entry in users.entries() {
        let expires = entry.expires().map_or_else(|| "-".to_owned(), |date| date.to_string());
        let name = shown(entry.name());
        let comment = Escaped(entry.comment().as_bytes()).to_string();
        let line = format!("{name:<24} {:<14} {expires:<11} {comment}", entry.kind());
        let _ = writeln!(lines, "{}", line.trim_end());
    }
    lines
}

fn prepared(name: &str) -> anyhow::Result<String> {
    prepare_name(name)
        .with_context(|| format!("the name {} cannot be used", Quoted(name.as_bytes())))
}

fn shown(name: &str) -> String {
    Escaped(name.as_bytes()).to_string()
}

fn new_keys(IterationsArgs { iterations }: &IterationsArgs) -> anyhow::Result<Keys> {
    let password = new_password()?;
    Ok(Keys::derive(&password, &random_key()[..SALT_LENGTH], iterations.get()))
}

/// Reads a new password: twice from a terminal, without an echo, otherwise once.
fn new_password() -> anyhow::Result<Secret> {
    let typed = if io::stdin().is_terminal() {
        let ask = |prompt| ask_password(prompt).map(Zeroizing::new);
        let typed = ask("Password: ").context("cannot ask for a password")?;
        let again = ask("Again: ").context("cannot ask for a password")?;
        ensure!(typed == again, "the two passwords differ; nothing has changed");
        typed
    } else {
        first_line()?
    };
    match prepare_password(&typed) {
        Ok(password) => Ok(password),
        Err(error) => bail!("the password cannot be used: {error}"),
    }
}

/// Reads the first line of standard input, or a part of it that is too long for a password.
fn first_line() -> anyhow::Result<Zeroizing<String>> {
    // With its end, `\r\n`. The buffer never grows, which would leave a copy of the password in memory.
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_LENGTH + 2));
    let mut input = io::stdin().lock().take(MAX_LENGTH as u64 + 2);
    input.read_until(b'\n', &mut line).context("cannot read a password")?;
    let text = line.strip_suffix(b"\n").unwrap_or(&line);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    ensure!(text.len() <= MAX_LENGTH, "the password cannot be used: {}", PrepareError::TooLong);
    let text = std::str::from_utf8(text).context("the password cannot be used: it is not UTF-8")?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn end(typed: &str) -> Result<Date, EntryError> {
    parse_end(typed)
}

fn default_iterations() -> NonZeroU32 {
    NonZeroU32::new(limits::ITERATIONS).unwrap_or(NonZeroU32::MAX)
}

fn iterations(typed: &str) -> Result<NonZeroU32, String> {
    let allowed = |number: &NonZeroU32| (MIN_ITERATIONS..=MAX_ITERATIONS).contains(&number.get());
    typed
        .parse()
        .ok()
        .filter(allowed)
        .ok_or_else(|| format!("expected a number from {MIN_ITERATIONS} to {MAX_ITERATIONS}"))
}
