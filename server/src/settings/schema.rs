//! What the definition of the settings says, by name: their forms, defaults and help.
//!
//! It asks clap, so that a file and the environment are held to what the command line is held to, in
//! the same words.

use std::{
    any::TypeId,
    ffi::{OsStr, OsString},
    num::NonZeroUsize,
    path::PathBuf,
};

use clap::{
    Arg, ArgAction, Args as _, Command,
    error::{ContextKind, ContextValue},
};
use common::cli::one_line;

use super::args::{Args, Switch};

/// All settings, in the order of their help.
pub(super) struct Definition(Command);

/// How a setting is written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `port = 7`
    Number,
    /// `log-file = "echo.log"`
    Text,
    /// `log-messages = true`; also `"on"`
    Switch,
    /// `listen = ["...", "..."]`
    List,
    /// `idle-timeout = "5m"`: a word of a language of its own, in which `5` may be one, too.
    Word,
}

impl Definition {
    pub(super) fn new() -> Self {
        let command = Args::augment_args(Command::new("echo-server"));
        let mut command = command.disable_help_flag(true).disable_version_flag(true);
        command.build();
        Self(command)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.get_arguments().filter_map(Arg::get_long)
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.argument(name).is_some()
    }

    pub(super) fn argument(&self, name: &str) -> Option<&Arg> {
        self.0.get_arguments().find(|argument| argument.get_long() == Some(name))
    }

    /// Whether saying both makes no sense.
    pub(super) fn conflict(&self, one: &str, other: &str) -> bool {
        let excludes = |one: &str, other| {
            let one = self.argument(one);
            one.map(|one| self.0.get_arg_conflicts_with(one))
                .is_some_and(|others| others.iter().any(|arg| arg.get_long() == Some(other)))
        };
        excludes(one, other) || excludes(other, one)
    }

    /// The name that somebody may have meant.
    pub(super) fn near(&self, name: &str) -> Option<String> {
        let error = self.parse([OsString::from(format!("--{name}="))]).err()?;
        match error.get(ContextKind::SuggestedArg)? {
            ContextValue::String(flag) => flag.strip_prefix("--").map(str::to_owned),
            _ => None,
        }
    }

    /// Why a setting cannot have this value, if it cannot: what was expected.
    pub(super) fn refusal(&self, name: &str, value: &OsStr) -> Option<String> {
        let error = self.parse([argument(name, value)]).err()?;
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        Some(cause.unwrap_or_else(|| match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(valid)) if !valid.is_empty() => {
                format!("expected {}", any_of(valid))
            }
            _ if value.is_empty() => "it is empty".to_owned(),
            _ if value.to_str().is_none() => "it is not UTF-8".to_owned(),
            _ => one_line(&error),
        }))
    }

    /// All settings at once, of which none contradicts another by its form.
    pub(super) fn args(&self, said: impl Iterator<Item = OsString>) -> Result<Args, clap::Error> {
        clap::FromArgMatches::from_arg_matches(&self.parse(said)?)
    }

    fn parse(
        &self,
        typed: impl IntoIterator<Item = OsString>,
    ) -> Result<clap::ArgMatches, clap::Error> {
        let program = OsString::from(self.0.get_name());
        self.0.clone().try_get_matches_from([program].into_iter().chain(typed))
    }
}

/// A value of a setting, as a flag.
pub(super) fn argument(name: &str, value: &OsStr) -> OsString {
    let mut argument = OsString::from(format!("--{name}="));
    argument.push(value);
    argument
}

pub(super) fn form(argument: &Arg) -> Form {
    let parsed = argument.get_value_parser().type_id();
    let is = |types: &[TypeId]| types.iter().any(|of| parsed == *of);
    match argument.get_action() {
        ArgAction::Append => Form::List,
        _ if is(&[TypeId::of::<Switch>()]) => Form::Switch,
        _ if is(&[TypeId::of::<u16>(), TypeId::of::<NonZeroUsize>()]) => Form::Number,
        _ if is(&[TypeId::of::<String>(), TypeId::of::<PathBuf>()]) => Form::Text,
        _ => Form::Word,
    }
}

/// What holds when nothing is said: a value.
pub(super) fn default_value(argument: &Arg) -> Option<&OsStr> {
    argument.get_default_values().first().map(AsRef::as_ref)
}

/// The help without what it says of the default, and that: `[default: one a core]`.
pub(super) fn help_and_default(argument: &Arg) -> (String, Option<String>) {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    match help.split_once(" [default: ") {
        Some((help, words)) => (help.to_owned(), Some(words.trim_end_matches(']').to_owned())),
        None => (help, None),
    }
}

/// `a, b or c`
pub(super) fn any_of(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
