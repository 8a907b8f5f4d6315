//! The settings of the program `echo-server`: flags, environment and a configuration file.
//!
//! | module | what it owns |
//! |---|---|
//! | `args` | every setting: its name, help, form and default, and what all of them mean |
//! | `listen` | what one of `listen` says |
//! | `definition` | what clap knows of a setting by its name |
//! | `sources` | all sources together: who wins |
//! | `file`, `environment` | what those sources say |
//! | `contradictions` | what cannot hold together |
//! | `show`, `template` | those that hold, and all there are, as a configuration file |
//! | `origin` | where a value comes from, and mistakes in words that lead there |
//!
//! A flag is stronger than the environment, which is stronger than the file, which is stronger than the
//! default. There is one parser, that of the command line: what a weaker source says and no stronger one
//! does is put to it as if it had been typed.
//!
//! A program that embeds the server needs nothing of this: it fills in a [`Config`].

mod args;
mod environment;
mod file;
mod listen;
mod origin;
mod schema;
mod show;
mod sources;
mod template;
#[cfg(test)]
mod tests;
mod validate;

use common::endpoint::Endpoint;

use self::{
    args::Args,
    origin::{Said, Value},
    schema::{Definition, Form, argument, default_value, form, help_and_default},
};
pub use self::{
    origin::{Mistake, Mistakes, Origin},
    sources::{Flags, Sources},
    template::template,
};
use crate::{Config, logging::Options};

/// Everything that is set, and why.
#[derive(Clone, Debug)]
pub struct Settings {
    all: Vec<Setting>,
    args: Args,
    warnings: Vec<Mistake>,
}

#[derive(Clone, Debug)]
struct Setting {
    name: String,
    form: Form,
    values: Vec<Value>,
    /// What holds without a value, in words.
    otherwise: String,
}

/// A setting that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Its name, as in the file.
    pub name: String,
    /// As it was, for people.
    pub from: String,
    /// As it is now, for people.
    pub to: String,
    /// Where it is said what it is now.
    pub origin: Origin,
}

impl std::fmt::Display for Change {
    /// As in `idle-timeout: "off" -> "5m" (echo.toml:3)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} -> {} ({})", self.name, self.from, self.to, self.origin)
    }
}

impl Settings {
    /// What is said of each, where no two contradict each other by their form.
    fn new(
        definition: &Definition,
        said: &[&Said],
        warnings: Vec<Mistake>,
    ) -> Result<Self, Mistakes> {
        let values =
            said.iter().flat_map(|said| said.values.iter().map(|value| (&said.name, value)));
        let typed = values.map(|(name, value)| argument(name, &value.text));
        let args = definition.args(typed).map_err(|error| {
            // Each value has been tried, and so has what contradicts what.
            let what = common::cli::one_line(&error);
            Mistakes(vec![Mistake { origin: Origin::Default, what }])
        })?;
        let all = definition.names().map(|name| setting(definition, said, name)).collect();
        Ok(Self { all, args, warnings })
    }

    /// What all of it means to the server and to its log.
    #[must_use]
    pub fn resolve(&self) -> (Config, Options) {
        self.resolve_with(&[])
    }

    /// The same where sockets have been passed that listen already: they are listeners as well, on the usual
    /// terms unless `listen` has others for them. If nothing says where to listen, they are the only ones.
    #[must_use]
    pub fn resolve_with(&self, passed: &[Endpoint]) -> (Config, Options) {
        let says_where =
            ["host", "port"].iter().any(|name| self.origin(name, 0) != Origin::Default);
        self.args.clone().resolve(passed, says_where)
    }

    /// What is strange and no mistake: for the log.
    #[must_use]
    pub fn warnings(&self) -> &[Mistake] {
        &self.warnings
    }

    /// What is not as it is here in those that were loaded `later`, in the order of the help.
    #[must_use]
    pub fn changes(&self, later: &Self) -> Vec<Change> {
        let pairs = self.all.iter().zip(&later.all);
        let changed = pairs.map(|(old, new)| (old.in_words(), new.in_words(), new));
        changed
            .filter(|(from, to, _)| from != to)
            .map(|(from, to, new)| {
                let origin = later.origin(&new.name, 0);
                Change { name: new.name.clone(), from, to, origin }
            })
            .collect()
    }

    /// Where a value of a setting was said.
    fn origin(&self, name: &str, at: usize) -> Origin {
        let setting = self.all.iter().find(|setting| setting.name == name);
        let value = setting.and_then(|setting| setting.values.get(at));
        value.map_or(Origin::Default, |value| value.origin.clone())
    }
}

impl Setting {
    fn in_words(&self) -> String {
        let values = self.values.iter().map(|value| show::written(self.form, &value.text));
        let values: Vec<_> = values.collect();
        if values.is_empty() { self.otherwise.clone() } else { values.join(", ") }
    }
}

fn setting(definition: &Definition, said: &[&Said], name: &str) -> Setting {
    let Some(argument) = definition.argument(name) else { unreachable!("it is one of its names") };
    let (_, words) = help_and_default(argument);
    let mut setting = Setting {
        name: name.to_owned(),
        form: form(argument),
        values: Vec::new(),
        otherwise: words.unwrap_or_default(),
    };
    let rival = || said.iter().find(|said| definition.conflict(&said.name, name));
    if let Some(said) = said.iter().find(|said| said.name == name) {
        setting.values.clone_from(&said.values);
    } else if let Some(value) = default_value(argument) {
        match rival() {
            Some(rival) => setting.otherwise = format!("not used, since '{}' is set", rival.name),
            None => setting.values = vec![Value { text: value.into(), origin: Origin::Default }],
        }
    }
    setting
}
