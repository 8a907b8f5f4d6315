//! The sources of settings, and their merge.

use std::{
    ffi::OsString,
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::ArgMatches;
use common::{escape::Quoted, reason::reason};

use super::{
    environment::{Environment, variable},
    file,
    flags::{self, CONFIG},
};
use crate::{
    config::limits,
    settings::{
        diagnostic::{Assignment, Diagnostic, Diagnostics, Origin, Value},
        schema::{conflict, find},
        settings::Settings,
        validate::{open_admin, validate, without_effect},
    },
};

/// The sources of settings. They stay the same when the content of the file changes.
#[derive(Clone, Debug)]
pub struct Sources {
    flags: Vec<Assignment>,
    environment: Environment,
    file: Option<(PathBuf, Origin)>,
}

impl Sources {
    /// Takes the command line and the environment of a process.
    ///
    /// `matches` belong to a command with flattened [`Flags`](super::Flags).
    ///
    /// ```
    /// use clap::Args as _;
    /// use server::settings::{Flags, Sources};
    ///
    /// let command = Flags::augment_args(clap::Command::new("echo-server"));
    /// let matches = command.get_matches_from(["echo-server", "--port", "7"]);
    /// let variables = [("ECHO_SERVER_WORKERS".into(), "3".into())];
    /// let (config, _) = Sources::new(&matches, variables.into_iter()).load().unwrap().resolve();
    /// assert_eq!((config.listeners.len(), config.workers.get()), (1, 3));
    /// ```
    #[must_use]
    pub fn new(
        matches: &ArgMatches,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Self {
        let environment = Environment::new(environment);
        let flag = matches.get_one::<PathBuf>(CONFIG).cloned();
        let flag = flag.map(|path| (path, Origin::Flag(CONFIG.to_owned())));
        Self::with_flags(flag, flags::assignments(matches), environment)
    }

    /// Takes a configuration file, or else that of the environment, and the environment.
    #[must_use]
    pub fn without_flags(
        file: Option<PathBuf>,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Self {
        let flag = file.map(|path| (path, Origin::Flag(CONFIG.to_owned())));
        Self::with_flags(flag, Vec::new(), Environment::new(environment))
    }

    fn with_flags(
        flag: Option<(PathBuf, Origin)>,
        flags: Vec<Assignment>,
        environment: Environment,
    ) -> Self {
        let file = flag.or_else(|| {
            let variable = variable(CONFIG);
            let path = environment.get(&variable)?.into();
            Some((path, Origin::Variable(variable)))
        });
        Self { flags, environment, file }
    }

    /// Returns the value of the setting `history`. The other settings are not checked: they may name files that only the
    /// server can read.
    ///
    /// # Errors
    ///
    /// If the configuration file cannot be read, or is no TOML.
    #[cfg(feature = "history")]
    pub fn history(&self) -> Result<Option<PathBuf>, Diagnostics> {
        Ok(self.value("history")?.map(|value| value.text.into()))
    }

    /// Returns the value of the setting `admin` as `parse` reads it. The other settings are not checked, as with `history`.
    ///
    /// # Errors
    ///
    /// If the configuration file cannot be read, or is no TOML, or if `parse` refuses the value.
    #[cfg(feature = "admin")]
    pub fn admin<T>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Diagnostics> {
        let Some(Value { text, origin }) = self.value("admin")? else { return Ok(None) };
        let parsed = text.to_str().ok_or_else(|| "it is not UTF-8".to_owned()).and_then(parse);
        parsed.map(Some).map_err(|reason| {
            let shown = Quoted(text.as_encoded_bytes());
            let message = format!("invalid value {shown} for 'admin': {reason}");
            Diagnostics(vec![Diagnostic { origin, message }])
        })
    }

    /// Returns the value of a setting, unchecked.
    #[cfg(any(feature = "admin", feature = "history"))]
    fn value(&self, name: &str) -> Result<Option<Value>, Diagnostics> {
        let (file, errors) = match &self.file {
            Some((path, origin)) => {
                let bytes = read(path).map_err(|error| unreadable(path, origin, &error))?;
                file::read(&path.to_string_lossy(), &bytes)
            }
            None => Default::default(),
        };
        let environment = self.environment.read().assignments;
        let mut strongest_first = self.flags.iter().chain(&environment).chain(&file);
        let assignment = strongest_first.find(|assignment| assignment.name == name);
        match assignment.and_then(|assignment| assignment.values.first()) {
            Some(value) => Ok(Some(value.clone())),
            None => reject(errors).map(|()| None),
        }
    }

    /// Returns the path of the configuration file, as given, if there is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|(path, _)| path.as_ref())
    }

    /// Reads the file and merges all sources.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or a source is invalid: all errors that are independent of each other.
    pub fn load(&self) -> Result<Settings, Diagnostics> {
        let Some((path, origin)) = &self.file else { return self.merge(None) };
        match read(path) {
            Ok(bytes) => self.load_from(&path.to_string_lossy(), &bytes),
            Err(error) => Err(unreadable(path, origin, &error)),
        }
    }

    /// Like [`load`](Self::load), with a file of this name and content.
    ///
    /// # Errors
    ///
    /// If a source is invalid.
    pub fn load_from(&self, name: &str, bytes: &[u8]) -> Result<Settings, Diagnostics> {
        self.merge(Some((name, bytes)))
    }

    fn merge(&self, file: Option<(&str, &[u8])>) -> Result<Settings, Diagnostics> {
        let environment = self.environment.read();
        let (file, mut errors) =
            file.map(|(name, bytes)| file::read(name, bytes)).unwrap_or_default();
        errors.extend(environment.errors);
        for source in [&file, &environment.assignments] {
            errors.extend(invalid_values(source));
            errors.extend(conflicts(source));
        }
        // By line; errors of other sources come first.
        errors.sort_by_key(|error| error.origin.line());
        reject(errors)?;

        let strongest_first = self.flags.iter().chain(&environment.assignments).chain(&file);
        let mut merged: Vec<&Assignment> = Vec::new();
        for assignment in strongest_first {
            let overrides = |stronger: &&Assignment| {
                stronger.name == assignment.name || conflict(stronger.name, assignment.name)
            };
            if !merged.iter().any(overrides) {
                merged.push(assignment);
            }
        }
        let mut settings = Settings::new(&merged, environment.warnings)?;
        reject(validate(&settings))?;
        settings.warnings.extend(without_effect(&settings));
        settings.warnings.extend(open_admin(&settings));
        settings.load_tls().map_err(Diagnostics)?;
        settings.load_users().map_err(Diagnostics)?;
        Ok(settings)
    }
}

fn invalid_values(source: &[Assignment]) -> impl Iterator<Item = Diagnostic> {
    let values = source.iter().flat_map(|item| item.values.iter().map(|value| (item.name, value)));
    values.filter_map(|(name, Value { text, origin })| {
        let setting = find(name)?;
        let reason = setting.check(text).err()?;
        let text = if setting.is_secret {
            String::new()
        } else {
            format!(" {}", Quoted(text.as_encoded_bytes()))
        };
        let message = format!("invalid value{text} for '{name}': {reason}");
        Some(Diagnostic { origin: origin.clone(), message })
    })
}

/// Returns an error for each setting that conflicts with an earlier one of the same source.
fn conflicts(source: &[Assignment]) -> impl Iterator<Item = Diagnostic> {
    source.iter().enumerate().filter_map(|(index, later)| {
        let earlier = source[..index].iter().find(|item| conflict(item.name, later.name))?;
        let origin = |item: &Assignment| item.values.first().map(|value| value.origin.clone());
        let there = origin(earlier)?;
        let message = format!(
            "'{}' conflicts with '{}' ({there}); keep one of them",
            later.name, earlier.name
        );
        Some(Diagnostic { origin: origin(later)?, message })
    })
}

fn reject(errors: Vec<Diagnostic>) -> Result<(), Diagnostics> {
    if errors.is_empty() { Ok(()) } else { Err(Diagnostics(errors)) }
}

fn unreadable(path: &Path, origin: &Origin, error: &io::Error) -> Diagnostics {
    let path = Quoted(path.as_os_str().as_encoded_bytes()).to_string();
    let message = format!("cannot read the configuration file {path}: {}", reason(error));
    Diagnostics(vec![Diagnostic { origin: origin.clone(), message }])
}

/// Reads a regular file: the content of a pipe could not be read again at a reload.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let error = |message: &str| Err(io::Error::other(message));
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
