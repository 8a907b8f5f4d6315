//! Where a setting comes from, and what is wrong with it, in words that lead there.

use std::{fmt, sync::Arc};

use common::escape::Escaped;

/// Where a value was said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Nowhere: it holds unless told otherwise.
    Default,
    /// In a file.
    File {
        /// As it was named.
        name: Arc<str>,
        /// From 1; none for the file as a whole.
        line: Option<usize>,
        /// From 1, in characters, where the line alone would not do.
        column: Option<usize>,
    },
    /// In an environment variable of this name.
    Variable(String),
    /// On the command line, by the flag of this name, without its dashes.
    Flag(String),
}

impl Origin {
    pub(super) fn line(&self) -> Option<usize> {
        if let Self::File { line, .. } = self { *line } else { None }
    }
}

impl fmt::Display for Origin {
    /// As in `echo.toml:3`, `ECHO_SERVER_PORT`, `--port`, `default`; always one line.
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

/// Something that cannot be, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where it was said.
    pub origin: Origin,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for Mistake {
    /// As in `echo.toml:3: unknown key 'prot'; did you mean 'port'?`; always one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.what)
    }
}

/// All that is wrong: at least one mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    /// A line each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// What one source says of one setting.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// The setting.
    pub(super) name: String,
    /// One value, or as many as a list has.
    pub(super) values: Vec<Value>,
}

/// A value as it was written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: std::ffi::OsString,
    pub(super) origin: Origin,
}
