//! The template of a configuration file: every setting with its explanation and default, from the schema.

use clap::builder::PossibleValue;

use super::{
    schema::SETTINGS,
    setting::{DefaultValue, Form, Setting},
    sources::variable,
};

/// Returns a configuration file with every setting, explained, at its default. All of it is in comments.
///
/// ```
/// let template = server::settings::template();
/// assert!(template.contains("\n#port = 65432\n"));
/// ```
#[must_use]
pub fn template() -> String {
    let mut lines: Vec<String> = HEAD.lines().map(str::to_owned).collect();
    let mut heading = "";
    for setting in &SETTINGS {
        if setting.heading != heading {
            heading = setting.heading;
            lines.extend([String::new(), String::new(), format!("# ---- {heading} ----")]);
        }
        lines.push(String::new());
        lines.extend(explain(setting));
    }
    lines.push(String::new());
    lines.join("\n")
}

const HEAD: &str = "\
# Settings of echo-server. Every key is a long flag without its dashes. The values in comments are the
# defaults. A flag overrides the environment, which overrides this file.
#
#   echo-server --config FILE                use this file
#   echo-server config check --config FILE   report the errors in it
#   echo-server config show --config FILE    print the effective settings and their sources";

fn explain(setting: &Setting) -> Vec<String> {
    let mut lines = comment(&format!("{}.", setting.help));
    lines.extend(comment(setting.details));
    match setting.form {
        Form::Switch => lines.extend(comment("Values: true, false")),
        Form::Choice(values) => lines.extend(values().iter().map(explain_value)),
        Form::Number | Form::Text | Form::List | Form::Word => {}
    }
    lines.extend(comment(&format!("Environment: {}", variable(setting.name))));
    let value = match setting.default {
        DefaultValue::Text(value) => setting.form.to_toml(value.as_ref()),
        DefaultValue::Unset(words) => {
            lines.extend(comment(&format!("Default: {words}")));
            example(setting).to_owned()
        }
    };
    lines.push(format!("#{} = {value}", setting.name));
    lines
}

fn explain_value(value: &PossibleValue) -> String {
    let name = format!("\"{}\"", value.get_name());
    match value.get_help() {
        Some(help) => format!("#   {name:<10}{help}"),
        None => format!("#   {name}"),
    }
}

/// Returns an example for a setting without a default value.
fn example(setting: &Setting) -> &'static str {
    match setting.form {
        _ if setting.name == "tls-cert" => "\"/etc/echo/echo.pem\"",
        _ if setting.name == "tls-key" => "\"/etc/echo/echo.key\"",
        _ if setting.name == "history" => "\"/var/lib/echo/history.db\"",
        _ if setting.name == "rooms" => "\"redis://127.0.0.1/\"",
        _ if setting.name == "admin" => "\"http://127.0.0.1:9465\"",
        Form::Number => "16",
        Form::List => "[\"tcp://127.0.0.1:65432\", \"unix:///run/echo.sock\"]",
        Form::Switch => "true",
        Form::Text | Form::Word | Form::Choice(_) => "\"/var/log/echo.log\"",
    }
}

/// Wraps a text as a comment of at most 100 columns.
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
