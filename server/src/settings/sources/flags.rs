//! The flags of the command line, from the schema.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use clap::{
    Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint,
    builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser, ValueParser},
    error::{ContextKind, ContextValue},
    parser::ValueSource,
    value_parser,
};

use crate::settings::{
    diagnostic::{Assignment, Origin, Value},
    schema::SETTINGS,
    setting::{DefaultValue, Form, Setting},
    values::{Switch, possible_values},
};

/// The flags of all settings, and `--config`, for clap's `flatten`.
///
/// The values are taken from the matches of clap: see [`Sources::new`](super::Sources::new).
#[derive(Clone, Copy, Debug)]
pub struct Flags(());

/// The flag and variable that name the configuration file.
pub(super) const CONFIG: &str = "config";

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new(CONFIG).long(CONFIG).value_name("FILE");
        let config = config
            .value_hint(ValueHint::FilePath)
            .value_parser(value_parser!(PathBuf))
            .help("Read settings from this TOML file")
            .long_help(
                "Read settings from this TOML file\n\nEach key is a long flag without its dashes. A \
                 flag overrides the environment, which overrides the file.",
            );
        command.arg(config).args(SETTINGS.iter().map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(_: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(()))
    }

    fn update_from_arg_matches(&mut self, _: &ArgMatches) -> Result<(), clap::Error> {
        Ok(())
    }
}

fn argument(setting: &'static Setting) -> Arg {
    let mut argument = Arg::new(setting.name)
        .long(setting.name)
        .value_name(setting.value_name)
        .help_heading(setting.heading)
        .value_hint(setting.hint)
        .conflicts_with_all(setting.conflicts)
        .hide_short_help(!setting.is_frequent)
        .value_parser(value_parser_of(setting));
    let mut help = setting.help.to_owned();
    match setting.default {
        DefaultValue::Text(value) => argument = argument.default_value(value),
        DefaultValue::Unset(words) => help = format!("{help} [default: {words}]"),
    }
    if !setting.details.is_empty() {
        argument = argument.long_help(format!("{help}\n\n{}", setting.details));
    }
    if let Some(implied) = setting.implied {
        argument = argument.num_args(0..=1).require_equals(true).default_missing_value(implied);
    }
    if let Form::List = setting.form {
        argument = argument.action(ArgAction::Append);
    }
    argument.help(help)
}

/// Checks a value as every source does, and keeps it as typed.
fn value_parser_of(setting: &'static Setting) -> ValueParser {
    match setting.form {
        // clap shows the value that it refuses.
        _ if setting.is_secret => OsStringValueParser::new().into(),
        Form::Choice(values) => PossibleValuesParser::new(values()).into(),
        Form::Switch => PossibleValuesParser::new(possible_values::<Switch>()).into(),
        Form::Number | Form::Text | Form::List | Form::Word => {
            let check = |value: OsString| setting.check(&value).map(|()| value);
            OsStringValueParser::new().try_map(check).into()
        }
    }
}

/// Returns the assignments of the flags that were typed.
pub(super) fn assignments(matches: &ArgMatches) -> Vec<Assignment> {
    let typed =
        |setting: &&Setting| matches.value_source(setting.name) == Some(ValueSource::CommandLine);
    let assignment = |setting: &Setting| {
        let origin = Origin::Flag(setting.name.to_owned());
        let value = |text: &OsStr| Value { text: text.to_owned(), origin: origin.clone() };
        let values = matches.get_raw(setting.name)?.map(value).collect();
        Some(Assignment { name: setting.name, values })
    };
    SETTINGS.iter().filter(typed).filter_map(assignment).collect()
}

/// Returns the setting whose name is similar to `name`, if clap finds one.
pub(super) fn suggest(name: &str) -> Option<String> {
    let command = Flags::augment_args(Command::new("echo-server")).disable_help_flag(true);
    let typed = ["echo-server".to_owned(), format!("--{name}=")];
    let error = command.try_get_matches_from(typed).err()?;
    match error.get(ContextKind::SuggestedArg)? {
        ContextValue::String(flag) => flag.strip_prefix("--").map(str::to_owned),
        _ => None,
    }
    .filter(|suggested| suggested != CONFIG)
}
