//! The settings of the program `echo-server`: flags, environment and a configuration file.
//!
//! | module | what it owns |
//! |---|---|
//! | `args` | every setting: its name, help, form and default, and what all of them mean |
//! | `listen` | what one of `listen` says |
//! | `definition` | what clap knows of a setting by its name |
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
mod contradictions;
mod definition;
mod environment;
mod file;
mod listen;
mod origin;
mod show;
mod template;
#[cfg(test)]
mod tests;

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::{ArgMatches, ValueHint, parser::ValueSource};
use common::{endpoint::Endpoint, escape::Quoted, reason::reason};

use self::{
    args::Args,
    definition::{Definition, Form, argument, default_value, form, help_and_default},
    environment::{Environment, variable},
    origin::{Said, Value},
};
pub use self::{
    origin::{Mistake, Mistakes, Origin},
    template::template,
};
use crate::{Config, limits, logging::Options};

/// What the command line may say: the settings, and where the file with more of them is.
///
/// For clap's `flatten`. What was typed is not taken from here but asked of the matches: see
/// [`Sources::new`].
#[derive(Clone, Debug, clap::Args)]
pub struct Flags {
    /// Take settings from this TOML file
    ///
    /// Each key is a long flag without its dashes. Flags are stronger, and so is the environment.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Args,
}

/// Where settings come from. The sources stay the same, and what the file says may change.
#[derive(Clone, Debug)]
pub struct Sources {
    flags: Vec<Said>,
    environment: Environment,
    file: Option<(PathBuf, Origin)>,
}

impl Sources {
    /// The sources of a process: what was typed, and its environment.
    ///
    /// `typed` is of a command into which [`Flags`] are flattened.
    ///
    /// ```
    /// use clap::Args as _;
    /// use server::settings::{Flags, Sources};
    ///
    /// let command = Flags::augment_args(clap::Command::new("echo-server"));
    /// let typed = command.get_matches_from(["echo-server", "--port", "7"]);
    /// let variables = [("ECHO_SERVER_WORKERS".into(), "3".into())];
    /// let (config, _) = Sources::new(&typed, variables.into_iter()).load().unwrap().resolve();
    /// assert_eq!((config.listeners.len(), config.workers.get()), (1, 3));
    /// ```
    #[must_use]
    pub fn new(
        typed: &ArgMatches,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Self {
        let definition = Definition::new();
        let flags = definition.names().filter_map(|name| said_by_flag(&definition, typed, name));
        let environment = Environment::of(environment);
        let flag = typed.get_one::<PathBuf>("config").cloned();
        let flag = flag.map(|path| (path, Origin::Flag("config".to_owned())));
        let file = flag.or_else(|| {
            let variable = variable("config");
            let path = environment.get(&variable)?.into();
            Some((path, Origin::Variable(variable)))
        });
        Self { flags: flags.collect(), environment, file }
    }

    /// The file, if there is one, as it was named.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|(path, _)| path.as_ref())
    }

    /// Reads the file and puts everything together; each time anew.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or something that a source says cannot be. All mistakes that can be told
    /// apart are there.
    pub fn load(&self) -> Result<Settings, Mistakes> {
        let Some((path, origin)) = &self.file else { return self.combine(None) };
        match read(path) {
            Ok(bytes) => self.load_from(&path.to_string_lossy(), &bytes),
            Err(error) => {
                let path = Quoted(path.as_os_str().as_encoded_bytes()).to_string();
                let what =
                    format!("the configuration file {path} cannot be read: {}", reason(&error));
                Err(Mistakes(vec![Mistake { origin: origin.clone(), what }]))
            }
        }
    }

    /// As [`load`](Self::load), if a file of this name held these bytes.
    ///
    /// # Errors
    ///
    /// Something that a source says cannot be.
    pub fn load_from(&self, name: &str, bytes: &[u8]) -> Result<Settings, Mistakes> {
        self.combine(Some((name, bytes)))
    }

    fn combine(&self, file: Option<(&str, &[u8])>) -> Result<Settings, Mistakes> {
        let definition = Definition::new();
        let environment = self.environment.read(&definition);
        let (file, mut mistakes) =
            file.map(|(name, bytes)| file::read(&definition, name, bytes)).unwrap_or_default();
        mistakes.extend(environment.mistakes);
        for source in [&file, &environment.said] {
            mistakes.extend(wrong_values(&definition, source));
            mistakes.extend(conflicts(&definition, source));
        }
        // In the order of the lines; what is not of the file comes first.
        mistakes.sort_by_key(|mistake| mistake.origin.line());
        refuse(mistakes)?;

        let strongest_first = self.flags.iter().chain(&environment.said).chain(&file);
        let mut said: Vec<&Said> = Vec::new();
        for later in strongest_first {
            let settled = |earlier: &&Said| {
                earlier.name == later.name || definition.conflict(&earlier.name, &later.name)
            };
            if !said.iter().any(settled) {
                said.push(later);
            }
        }
        let settings = Settings::new(&definition, &said, environment.warnings)?;
        refuse(contradictions::contradictions(&settings))?;
        Ok(settings)
    }
}

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
    /// As in `idle-timeout: off -> 5m (echo.toml:3)`.
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

fn said_by_flag(definition: &Definition, typed: &ArgMatches, name: &str) -> Option<Said> {
    let id = definition.argument(name)?.get_id().as_str();
    if typed.value_source(id) != Some(ValueSource::CommandLine) {
        return None;
    }
    let value =
        |text: &OsStr| Value { text: text.to_owned(), origin: Origin::Flag(name.to_owned()) };
    let values = typed.get_raw(id)?.map(value).collect();
    Some(Said { name: name.to_owned(), values })
}

fn wrong_values<'a>(
    definition: &'a Definition,
    source: &'a [Said],
) -> impl Iterator<Item = Mistake> + 'a {
    let values = source.iter().flat_map(|said| said.values.iter().map(|value| (&said.name, value)));
    values.filter_map(|(name, Value { text, origin })| {
        let why = definition.refusal(name, text)?;
        let text = Quoted(text.as_encoded_bytes());
        let what = format!("invalid value {text} for '{name}': {why}");
        Some(Mistake { origin: origin.clone(), what })
    })
}

/// Where one source says two things of which only one can hold.
fn conflicts<'a>(
    definition: &'a Definition,
    source: &'a [Said],
) -> impl Iterator<Item = Mistake> + 'a {
    source.iter().enumerate().filter_map(|(at, later)| {
        let before = source[..at].iter();
        let earlier =
            before.into_iter().find(|said| definition.conflict(&said.name, &later.name))?;
        let origin = |said: &Said| said.values.first().map(|value| value.origin.clone());
        let there = origin(earlier)?;
        let what =
            format!("'{}' contradicts '{}' ({there}): keep one of them", later.name, earlier.name);
        Some(Mistake { origin: origin(later)?, what })
    })
}

fn refuse(mistakes: Vec<Mistake>) -> Result<(), Mistakes> {
    if mistakes.is_empty() { Ok(()) } else { Err(Mistakes(mistakes)) }
}

/// The whole file, if it is one: a pipe would have nothing more to say the second time.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let error = |what: &str| Err(io::Error::other(what));
    if !fs::metadata(path)?.is_file() {
        return error("it is not a regular file");
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limits::CONFIGURATION_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limits::CONFIGURATION_FILE {
        return error("it is larger than 1 MiB");
    }
    Ok(bytes)
}
