//! What the program does besides serving.

use std::io::{self, Write as _};

use common::status;
use server::settings::{self, Mistakes, Sources};

use crate::command_line::{ConfigTask, Task};

/// Does it; the exit status.
pub(crate) fn run(task: &Task, sources: &Sources) -> anyhow::Result<u8> {
    let printed = match task {
        Task::Config(ConfigTask::Default) => settings::template(),
        Task::Config(what) => match sources.load() {
            Ok(settings) => {
                for warning in settings.warnings() {
                    say(&format!("warning: {warning}\n"));
                }
                match what {
                    ConfigTask::Show(_) => settings.to_string(),
                    _ => fine(sources),
                }
            }
            Err(mistakes) => return Ok(refuse("", &mistakes)),
        },
    };
    match io::stdout().write_all(printed.as_bytes()) {
        // Whoever read it had enough of it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(status::SUCCESS),
        written => Ok(written.map(|()| status::SUCCESS)?),
    }
}

/// Says what is wrong with the settings, a line each; the exit status.
pub(crate) fn refuse(prefix: &str, mistakes: &Mistakes) -> u8 {
    for mistake in &mistakes.0 {
        say(&format!("{prefix}{mistake}\n"));
    }
    status::USAGE
}

fn fine(sources: &Sources) -> String {
    match sources.file() {
        Some(path) => format!("{}: ok\n", path.display()),
        None => "ok; there is no configuration file (--config FILE)\n".to_owned(),
    }
}

fn say(line: &str) {
    // Where standard error is closed there is nobody to tell; the status says it as well.
    let _ = io::stderr().write_all(line.as_bytes());
}
