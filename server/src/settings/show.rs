//! The effective settings as a configuration file, with the source of each value.

use std::fmt;

use super::{
    setting::Form,
    settings::{Effective, Settings},
};

impl Settings {
    /// Returns the configuration file of a server that has started with the settings `first` and has loaded these: what needs a
    /// restart is as it was.
    #[must_use]
    pub fn in_force(&self, first: &Self) -> String {
        let pairs = first.effective.iter().zip(&self.effective);
        let in_force =
            pairs.map(|(first, now)| if now.setting.needs_restart { first } else { now });
        in_force.map(Effective::to_string).collect()
    }
}

impl fmt::Display for Settings {
    /// Writes a configuration file with the same settings, and the source of each value as a comment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.effective.iter().try_for_each(|effective| write!(f, "{effective}"))
    }
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, form) = (self.setting.name, self.setting.form);
        if matches!(form, Form::List) && !self.values.is_empty() {
            writeln!(f, "{name} = [")?;
            for value in &self.values {
                writeln!(f, "    {}, # {}", form.to_toml(&value.text), value.origin)?;
            }
            return writeln!(f, "]");
        }
        match self.values.first() {
            None => writeln!(f, "# {name}: {}", self.unset),
            Some(value) if value.text.to_str().is_none() => {
                // A path is any bytes; a TOML file is UTF-8.
                let shown = Form::Text.to_toml(&value.text);
                writeln!(f, "# {name} is not UTF-8: {shown} # {}", value.origin)
            }
            Some(value) => {
                writeln!(f, "{name} = {} # {}", self.setting.show(&value.text), value.origin)
            }
        }
    }
}
