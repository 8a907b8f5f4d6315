//! A configuration file: refused with lines that it has, or shown as an equal file.

use std::sync::LazyLock;

use clap::{Args as _, Command};
use server::settings::{Flags, Origin, Settings, Sources};

/// The file alone, without flags and environment.
static SOURCES: LazyLock<Sources> = LazyLock::new(|| {
    let command = Flags::augment_args(Command::new("echo-server"));
    Sources::new(&command.get_matches_from(["echo-server"]), [].into_iter())
});

/// Checks the input as a file.
///
/// # Panics
///
/// If an error has no line of the file, or the output of `config show` is not an equal file.
pub fn check(input: &[u8]) {
    match SOURCES.load_from("echo.toml", input) {
        Ok(settings) => assert_reads_back(&settings),
        Err(errors) => {
            assert!(!errors.0.is_empty());
            let lines = input.split_inclusive(|byte| *byte == b'\n').count();
            for error in &errors.0 {
                let text = error.to_string();
                assert!(!text.contains(|char: char| char.is_control()), "{text:?}");
                let Origin::File { line: Some(line), .. } = error.origin else {
                    panic!("no line: {text}")
                };
                assert!((1..=lines).contains(&line), "the file has {lines} lines: {text}");
            }
        }
    }
}

fn assert_reads_back(settings: &Settings) {
    let shown = settings.to_string();
    let again = SOURCES.load_from("echo.toml", shown.as_bytes());
    let again = again.unwrap_or_else(|errors| panic!("{errors}\n{shown}"));
    assert_eq!(settings.changes(&again), [], "{shown}");
    let resolved = |settings: &Settings| format!("{:?}", settings.resolve());
    assert_eq!(resolved(settings), resolved(&again), "{shown}");
}
