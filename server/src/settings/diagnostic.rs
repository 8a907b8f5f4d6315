//! The source of a value, and diagnostics that name it.

use std::{ffi::OsString, fmt, sync::Arc};

use common::escape::Escaped;

/// Place where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// No source: it is the default.
    Default,
    /// A configuration file.
    File {
        /// The name of the file, as given.
        name: Arc<str>,
        /// The line, from 1; `None` for the file as a whole.
        line: Option<usize>,
        /// The column in characters, from 1, where the line is not enough.
        column: Option<usize>,
    },
    /// The environment variable of this name.
    Variable(String),
    /// The flag of this name, without its dashes.
    Flag(String),
}

impl Origin {
    pub(super) fn line(&self) -> Option<usize> {
        if let Self::File { line, .. } = self { *line } else { None }
    }
}

impl fmt::Display for Origin {
    /// Writes `echo.toml:3`, `ECHO_SERVER_PORT`, `--port` or `default`; always one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line, column } => {
                write!(f, "{}", Escaped(name.as_bytes()))?;
                [line, column].into_iter().flatten().try_for_each(|number| write!(f, ":{number}"))
            }
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// Error or warning about a setting, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The place of the value.
    pub origin: Origin,
    /// The problem, and how to solve it.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    /// Writes `echo.toml:3: unknown key 'prot'; did you mean 'port'?`; always one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// The errors of invalid settings; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    /// Writes a line for each error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// The values that one source assigns to one setting.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    /// The name of the setting.
    pub(super) name: &'static str,
    /// One value, or those of a list.
    pub(super) values: Vec<Value>,
}

/// A value as written, and its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: OsString,
    pub(super) origin: Origin,
}
