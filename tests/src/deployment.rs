//! The files of `docs/deploy/`, which docs/DEPLOY.md shows.
//!
//! It finds them and what stands in them; what that must be is for tests to say.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use common::cli;
use regex::Regex;

/// Where a file is.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/deploy").join(name)
}

/// What is in it.
#[must_use]
pub fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names of all of them.
#[must_use]
pub fn names() -> Vec<String> {
    let entries = fs::read_dir(path("")).expect("the directory is there");
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("names are ours");
    let mut names: Vec<_> = entries.map(|entry| name(entry.expect("it can be read"))).collect();
    names.sort();
    names
}

/// What a pattern captures in a text where it is found first; it stands for `^` and `$` of each line.
#[track_caller]
#[must_use]
pub fn find<'t>(text: &'t str, pattern: &str) -> &'t str {
    let regex = Regex::new(&format!("(?m){pattern}")).expect("tests write patterns that compile");
    let found = regex.captures(text).and_then(|captures| captures.get(1));
    found.unwrap_or_else(|| panic!("nothing like {pattern} in:\n{text}")).as_str()
}

/// The same where it is a time: as systemd, `HAProxy` and our own programs write it alike.
#[track_caller]
#[must_use]
pub fn time(text: &str, pattern: &str) -> Duration {
    let found = find(text, pattern);
    cli::duration(found).unwrap_or_else(|error| panic!("{found}: {error}"))
}

/// The same where it is a command: a JSON array of words.
#[track_caller]
#[must_use]
pub fn command(text: &str, pattern: &str) -> Vec<String> {
    let found = find(text, pattern);
    serde_json::from_str(found).unwrap_or_else(|error| panic!("{found}: {error}"))
}
