//! The definition of one setting, which `schema.rs` has for each.

use std::ffi::OsStr;

use clap::{ValueHint, builder::PossibleValue};

use super::values::Values;

/// The definition of one setting.
pub(super) struct Setting {
    /// The long flag without its dashes, which is also the key in the file.
    pub(super) name: &'static str,
    pub(super) heading: &'static str,
    pub(super) value_name: &'static str,
    /// One sentence without a full stop.
    pub(super) help: &'static str,
    /// Further paragraphs for the long help; empty if there are none.
    pub(super) details: &'static str,
    /// The short help has this setting.
    pub(super) is_frequent: bool,
    pub(super) form: Form,
    pub(super) default: DefaultValue,
    /// The value of a flag without a value, if that is allowed.
    pub(super) implied: Option<&'static str>,
    pub(super) hint: ValueHint,
    /// A running program cannot change it.
    pub(super) needs_restart: bool,
    /// The value is a URL with a password.
    pub(super) is_secret: bool,
    /// Settings that the same source must not set together with this one.
    pub(super) conflicts: &'static [&'static str],
    /// Parses a value and stores it.
    pub(super) set: fn(&mut Values, &OsStr) -> Result<(), String>,
}

/// The form of a setting in a file.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// `port = 7`
    Number,
    /// `log-file = "echo.log"`
    Text,
    /// `log-messages = true`; also `"on"`
    Switch,
    /// `listen = ["...", "..."]`
    List,
    /// `idle-timeout = "5m"`, of which `5` may also be a value
    Word,
    /// `protocol = "raw"`, one of several
    Choice(fn() -> Vec<PossibleValue>),
}

/// The value of a setting that no source sets.
#[derive(Clone, Copy)]
pub(super) enum DefaultValue {
    /// This value.
    Text(&'static str),
    /// No value; its meaning in words.
    Unset(&'static str),
}

impl Setting {
    pub(super) const fn new(
        name: &'static str,
        heading: &'static str,
        value_name: &'static str,
        help: &'static str,
    ) -> Self {
        Self {
            name,
            heading,
            value_name,
            help,
            details: "",
            is_frequent: true,
            form: Form::Text,
            default: DefaultValue::Unset(""),
            implied: None,
            hint: ValueHint::Unknown,
            needs_restart: false,
            is_secret: false,
            conflicts: &[],
            set: |_, _| Ok(()),
        }
    }

    pub(super) const fn details(self, details: &'static str) -> Self {
        Self { details, ..self }
    }

    pub(super) const fn rare(self) -> Self {
        Self { is_frequent: false, ..self }
    }

    pub(super) const fn needs_restart(self) -> Self {
        Self { needs_restart: true, ..self }
    }

    pub(super) const fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }

    pub(super) const fn form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    pub(super) const fn default(self, default: DefaultValue) -> Self {
        Self { default, ..self }
    }

    pub(super) const fn implied(self, value: &'static str) -> Self {
        Self { implied: Some(value), ..self }
    }

    pub(super) const fn hint(self, hint: ValueHint) -> Self {
        Self { hint, ..self }
    }

    pub(super) const fn conflicts(self, conflicts: &'static [&'static str]) -> Self {
        Self { conflicts, ..self }
    }

    pub(super) const fn set(self, set: fn(&mut Values, &OsStr) -> Result<(), String>) -> Self {
        Self { set, ..self }
    }

    /// Writes a value as TOML, without its password.
    pub(super) fn show(&self, value: &OsStr) -> String {
        match value.to_string_lossy().rsplit_once('@') {
            Some((login, rest)) if self.is_secret => {
                let scheme = login.split_once("://").map_or("", |(scheme, _)| scheme);
                self.form.to_toml(format!("{scheme}://***@{rest}").as_ref())
            }
            _ => self.form.to_toml(value),
        }
    }

    /// Checks a value without storing it.
    ///
    /// # Errors
    ///
    /// What was expected.
    pub(super) fn check(&self, value: &OsStr) -> Result<(), String> {
        (self.set)(&mut Values::default(), value)
    }
}

impl Form {
    /// Writes a value as TOML.
    pub(super) fn to_toml(self, text: &OsStr) -> String {
        let text = text.to_string_lossy();
        let number =
            || text.parse::<u64>().ok().filter(|_| matches!(self, Self::Number | Self::Word));
        match (self, &*text) {
            (Self::Switch, "on" | "true") => "true".to_owned(),
            (Self::Switch, "off" | "false") => "false".to_owned(),
            _ => match number() {
                Some(number) => number.to_string(),
                None => toml::Value::from(&*text).to_string(),
            },
        }
    }
}
