//! A configuration file: refused by lines that it has, or shown and read back the same.

use std::sync::LazyLock;

use clap::{Args as _, Command};
use server::settings::{Flags, Origin, Settings, Sources};

/// No flag, no environment: the file alone.
static SOURCES: LazyLock<Sources> = LazyLock::new(|| {
    let command = Flags::augment_args(Command::new("echo-server"));
    Sources::new(&command.get_matches_from(["echo-server"]), [].into_iter())
});

/// The input as a file.
///
/// # Panics
///
/// If a mistake is not in a line, or not in one that is there, or if what is shown is not what was read.
pub fn check(input: &[u8]) {
    match SOURCES.load_from("echo.toml", input) {
        Ok(settings) => assert_reads_back(&settings),
        Err(mistakes) => {
            assert!(!mistakes.0.is_empty());
            let lines = input.split_inclusive(|byte| *byte == b'\n').count();
            for mistake in &mistakes.0 {
                let text = mistake.to_string();
                assert!(!text.contains(|char: char| char.is_control()), "{text:?}");
                let Origin::File { line: Some(line), .. } = mistake.origin else {
                    panic!("no line: {text}")
                };
                assert!((1..=lines).contains(&line), "{lines} lines, and a mistake: {text}");
            }
        }
    }
}

fn assert_reads_back(settings: &Settings) {
    let shown = settings.to_string();
    let again = SOURCES.load_from("echo.toml", shown.as_bytes());
    let again = again.unwrap_or_else(|mistakes| panic!("{mistakes}\n{shown}"));
    assert_eq!(settings.changes(&again), [], "{shown}");
    let meant = |settings: &Settings| format!("{:?}", settings.resolve());
    assert_eq!(meant(settings), meant(&again), "{shown}");
}
