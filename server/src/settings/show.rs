//! Settings as a configuration file, with where each comes from.

use std::{ffi::OsStr, fmt};

use super::{Setting, Settings, schema::Form};

impl fmt::Display for Settings {
    /// As a configuration file that says the same, with a comment for where each value comes from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all.iter().try_for_each(|setting| write!(f, "{setting}"))
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        if self.form == Form::List && !self.values.is_empty() {
            writeln!(f, "{name} = [")?;
            for value in &self.values {
                writeln!(f, "    {}, # {}", written(self.form, &value.text), value.origin)?;
            }
            return writeln!(f, "]");
        }
        match self.values.first() {
            None => writeln!(f, "# {name}: {}", self.otherwise),
            // A path is any bytes, and a file of this kind is text.
            Some(value) if value.text.to_str().is_none() => {
                let text = value.text.to_string_lossy();
                writeln!(
                    f,
                    "# {name} is not UTF-8: {} # {}",
                    written(Form::Text, text.as_ref().as_ref()),
                    value.origin
                )
            }
            Some(value) => {
                writeln!(f, "{name} = {} # {}", written(self.form, &value.text), value.origin)
            }
        }
    }
}

/// A value as TOML.
pub(super) fn written(form: Form, text: &OsStr) -> String {
    let text = text.to_string_lossy();
    let number = || text.parse::<u64>().ok().filter(|_| matches!(form, Form::Number | Form::Word));
    match (form, &*text) {
        (Form::Switch, "on" | "true") => "true".to_owned(),
        (Form::Switch, "off" | "false") => "false".to_owned(),
        _ => match number() {
            Some(number) => number.to_string(),
            None => toml::Value::from(&*text).to_string(),
        },
    }
}
