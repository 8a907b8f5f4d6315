//! What the program does besides serving.

use std::io::{self, Write as _};

use anyhow::Context as _;
use clap::ArgMatches;
use common::{completions, manual, status};
use server::settings::{self, Mistakes, Settings, Sources};

use crate::command_line::{self, ConfigTask, Task};

/// Does it; the exit status.
pub(crate) fn run(task: &Task, typed: &ArgMatches) -> anyhow::Result<u8> {
    match task {
        Task::Config(ConfigTask::Default) => print(settings::template().as_bytes()),
        Task::Config(ConfigTask::Check(_)) => with_settings(typed, |sources, _| fine(sources)),
        Task::Config(ConfigTask::Show(_)) => {
            with_settings(typed, |_, settings| settings.to_string())
        }
        Task::Completions { shell } => {
            print(&completions::script(*shell, command_line::definition()))
        }
        Task::Man { directory } => {
            let written = manual::write(command_line::definition(), directory);
            written.context("cannot write man pages").map(|()| status::SUCCESS)
        }
    }
}

/// Says what is wrong with settings, a line each; the exit status.
pub(crate) fn refuse(prefix: &str, mistakes: &Mistakes) -> u8 {
    for mistake in &mistakes.0 {
        say(&format!("{prefix}{mistake}\n"));
    }
    status::USAGE
}

fn with_settings(
    typed: &ArgMatches,
    text: impl FnOnce(&Sources, &Settings) -> String,
) -> anyhow::Result<u8> {
    let sources = command_line::sources(typed);
    match sources.load() {
        Ok(settings) => {
            for warning in settings.warnings() {
                say(&format!("warning: {warning}\n"));
            }
            print(text(&sources, &settings).as_bytes())
        }
        // Without a word in front, as compilers say it: editors find the line.
        Err(mistakes) => Ok(refuse("", &mistakes)),
    }
}

fn fine(sources: &Sources) -> String {
    match sources.file() {
        Some(path) => format!("{}: ok\n", path.display()),
        None => "ok; there is no configuration file (--config FILE)\n".to_owned(),
    }
}

fn print(text: &[u8]) -> anyhow::Result<u8> {
    match io::stdout().write_all(text) {
        // Whoever read it had enough of it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(status::SUCCESS),
        written => written.context("cannot write to standard output").map(|()| status::SUCCESS),
    }
}

fn say(line: &str) {
    // Where standard error is closed there is nobody to tell; the status says it as well.
    let _ = io::stderr().write_all(line.as_bytes());
}
