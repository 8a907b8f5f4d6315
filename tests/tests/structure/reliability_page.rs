//! Test of docs/RELIABILITY.md: each test that the page names exists.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

/// Collects all Rust sources below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Returns the name that the page uses for a file: its stem, or for `main.rs`, `mod.rs` and `tests.rs` the folder that they test.
fn page_name(path: &Path) -> String {
    let is_unnamed =
        |name: &&Path| !["main", "mod", "tests"].iter().any(|other| name.ends_with(other));
    let path = path.with_extension("");
    let named = path.ancestors().find(is_unnamed).expect("a folder has a name");
    named.file_name().expect("a name").to_string_lossy().into_owned()
}

#[test]
fn every_test_that_the_reliability_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for package in ["common", "server", "client", "tests"] {
        sources(&root.join(package), &mut files);
    }
    let function = Regex::new(r"fn (\w+)\(").unwrap();
    let mut existing = HashSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let name = page_name(&file);
        let tests = function.captures_iter(&text).map(|found| format!("{name}::{}", &found[1]));
        existing.extend(tests);
    }
    let page = fs::read_to_string(root.join("docs/RELIABILITY.md")).unwrap();
    let named = Regex::new(r"`(\w+::\w+)`").unwrap();
    let named: Vec<&str> =
        named.captures_iter(&page).map(|found| found.get(1).unwrap().as_str()).collect();
    assert!(named.len() > 50, "{named:?}");
    let missing: Vec<_> = named.iter().filter(|name| !existing.contains(**name)).collect();
    assert!(missing.is_empty(), "no such tests: {missing:?}");
}
