//! A configuration file to begin with: every setting, explained, from the definition.

use clap::{Arg, builder::PossibleValue};

use super::{
    environment::variable,
    schema::{Definition, Form, default_value, form, help_and_default},
    show::written,
};

/// A configuration file with every setting, explained, at its default: all of it is in comments.
///
/// ```
/// let template = server::settings::template();
/// assert!(template.contains("\n#port = 65432\n"));
/// ```
#[must_use]
pub fn template() -> String {
    let definition = Definition::new();
    let mut lines: Vec<String> = HEAD.lines().map(str::to_owned).collect();
    let mut heading = None;
    for name in definition.names() {
        let Some(argument) = definition.argument(name) else { continue };
        if argument.get_help_heading() != heading {
            heading = argument.get_help_heading();
            let heading = heading.unwrap_or("Further settings");
            lines.extend([String::new(), String::new(), format!("# ---- {heading} ----")]);
        }
        lines.push(String::new());
        lines.extend(setting(name, argument));
    }
    lines.push(String::new());
    lines.join("\n")
}

const HEAD: &str = "\
# Settings of echo-server. Every key is a long flag without its dashes. What is commented out is the
# default. A flag is stronger than the environment, which is stronger than this file.
#
#   echo-server --config FILE                uses this file
#   echo-server config check --config FILE   says what is wrong with it
#   echo-server config show --config FILE    says what holds, and why";

fn setting(name: &str, argument: &Arg) -> Vec<String> {
    let form = form(argument);
    let (help, words) = help_and_default(argument);
    let mut lines = comment(&format!("{help}."));
    let more = argument.get_long_help().map(ToString::to_string).unwrap_or_default();
    lines.extend(more.split_once("\n\n").into_iter().flat_map(|(_, more)| comment(more)));
    if form == Form::Switch {
        lines.extend(comment("Values: true, false"));
    } else {
        lines.extend(argument.get_possible_values().iter().map(value));
    }
    lines.extend(comment(&format!("Environment: {}", variable(name))));
    let value = default_value(argument).map(|value| written(form, value));
    let value = value.unwrap_or_else(|| {
        lines.extend(comment(&format!("Default: {}", words.unwrap_or_default())));
        example(form).to_owned()
    });
    lines.push(format!("#{name} = {value}"));
    lines
}

fn value(value: &PossibleValue) -> String {
    let name = format!("\"{}\"", value.get_name());
    match value.get_help() {
        Some(help) => format!("#   {name:<10}{help}"),
        None => format!("#   {name}"),
    }
}

/// For what has no value by default.
fn example(form: Form) -> &'static str {
    match form {
        Form::Number => "16",
        Form::List => "[\"tcp://127.0.0.1:65432\", \"unix:///run/echo.sock\"]",
        Form::Switch => "true",
        Form::Text | Form::Word => "\"/var/log/echo.log\"",
    }
}

/// Lines of a comment, of at most 100 columns.
fn comment(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = "#".to_owned();
        for word in paragraph.split_whitespace() {
            if line.chars().count() + 1 + word.chars().count() > 100 {
                lines.push(std::mem::replace(&mut line, "#".to_owned()));
            }
            line.extend([" ", word]);
        }
        lines.push(line);
    }
    lines
}
