//! All that is said of the settings, by whomever, and who wins.
//!
//! Must not know what a setting means.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::{ArgMatches, ValueHint, parser::ValueSource};
use common::{escape::Quoted, reason::reason};

use super::{
    Settings,
    args::Args,
    environment::{Environment, variable},
    file,
    origin::{Mistake, Mistakes, Origin, Said, Value},
    schema::Definition,
    validate::contradictions,
};
use crate::config::limits;

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
        refuse(contradictions(&settings))?;
        Ok(settings)
    }
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
