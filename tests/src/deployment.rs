//! The files of `docs/deploy/`, which docs/DEPLOY.md shows.
//!
//! It finds the files and the values in them. Tests decide which values are right.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use common::cli;
use regex::Regex;

/// Returns the path of a file.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/deploy").join(name)
}

/// Returns the text of a file.
#[must_use]
pub fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("cannot read {name}: {error}"))
}

/// Returns the names of all files, sorted.
#[must_use]
pub fn names() -> Vec<String> {
    let entries = fs::read_dir(path("")).expect("the folder exists");
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("names are UTF-8");
    let mut names: Vec<_> = entries.map(|entry| name(entry.expect("it can be listed"))).collect();
    names.sort();
    names
}

/// Returns what the first match of a pattern captures. `^` and `$` match the ends of a line.
#[track_caller]
#[must_use]
pub fn find<'t>(text: &'t str, pattern: &str) -> &'t str {
    let regex = Regex::new(&format!("(?m){pattern}")).expect("the patterns of tests compile");
    let found = regex.captures(text).and_then(|captures| captures.get(1));
    found.unwrap_or_else(|| panic!("no match of {pattern} in:\n{text}")).as_str()
}

/// Like [`find`], for a duration: systemd, `HAProxy` and our programs write it in the same form.
#[track_caller]
#[must_use]
pub fn time(text: &str, pattern: &str) -> Duration {
    let found = find(text, pattern);
    cli::duration(found).unwrap_or_else(|error| panic!("{found} is not a duration: {error}"))
}

/// Like [`find`], for a command: a JSON array of arguments.
#[track_caller]
#[must_use]
pub fn command(text: &str, pattern: &str) -> Vec<String> {
    let found = find(text, pattern);
    serde_json::from_str(found)
        .unwrap_or_else(|error| panic!("{found} is not an array of strings: {error}"))
}
