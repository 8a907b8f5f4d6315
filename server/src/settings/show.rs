//! Settings as a configuration file: those that hold, and all there are.

use std::{ffi::OsStr, fmt};

use super::{
    Setting, Settings,
    definition::{Definition, Form, default_value, form, help_and_default},
    environment::variable,
};

impl fmt::Display for Settings {
    /// As a configuration file that says the same, with a comment for where each value comes from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.iter().try_for_each(|setting| write!(f, "{setting}"))
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

/// A configuration file with every setting, explained, at its default: what it says is in comments.
///
/// ```
/// let template = server::settings::template();
/// assert!(template.contains("\n#port = 65432\n"));
/// ```
#[must_use]
pub fn template() -> String {
    let definition = Definition::new();
    let mut file = HEAD.to_owned();
    let mut heading = None;
    for name in definition.names() {
        let Some(argument) = definition.argument(name) else { continue };
        if argument.get_help_heading() != heading {
            heading = argument.get_help_heading();
            file += &format!("\n\n# ---- {} ----\n", heading.unwrap_or("Further settings"));
        }
        let form = form(argument);
        let (help, words) = help_and_default(argument);
        file += "\n";
        comment(&mut file, &format!("{help}."));
        let more = argument.get_long_help().map(ToString::to_string).unwrap_or_default();
        more.split_once("\n\n").into_iter().for_each(|(_, more)| comment(&mut file, more));
        let valid = argument.get_possible_values();
        if form == Form::Switch {
            comment(&mut file, "Values: true, false");
        } else if !valid.is_empty() {
            for value in valid {
                let help = value.get_help().map(|help| format!("  {help}")).unwrap_or_default();
                file += &format!("#   {:<10}{help}\n", format!("\"{}\"", value.get_name()))
                    .replace(" \n", "\n");
            }
        }
        comment(&mut file, &format!("Environment: {}", variable(name)));
        match (default_value(argument), words) {
            (Some(value), _) => file += &format!("#{name} = {}\n", written(form, value)),
            (None, words) => {
                comment(&mut file, &format!("Default: {}", words.unwrap_or_default()));
                file += &format!("#{name} = {}\n", example(form));
            }
        }
    }
    file
}

const HEAD: &str = "\
# Settings of echo-server. Every key is a long flag without its dashes. What is commented out is the
# default. A flag is stronger than the environment, which is stronger than this file.
#
#   echo-server --config FILE                uses this file
#   echo-server config check --config FILE   says what is wrong with it
#   echo-server config show --config FILE    says what holds, and why
";

fn example(form: Form) -> &'static str {
    match form {
        Form::Number => "16",
        Form::List => "[\"tcp://127.0.0.1:65432\", \"unix:///run/echo.sock\"]",
        Form::Switch => "true",
        Form::Text | Form::Word => "\"/var/log/echo.log\"",
    }
}

/// Lines of a comment, of at most 100 columns.
fn comment(file: &mut String, text: &str) {
    for paragraph in text.lines() {
        let mut line = "#".to_owned();
        for word in paragraph.split_whitespace() {
            if line.chars().count() + 1 + word.chars().count() > 100 {
                *file += &format!("{line}\n");
                "#".clone_into(&mut line);
            }
            line += &format!(" {word}");
        }
        *file += &format!("{line}\n");
    }
}
