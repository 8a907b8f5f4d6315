//! docs/RELIABILITY.md names tests: each of them is there.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

/// All Rust sources below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of ours") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// What a reader would look for: the file, or for `mod.rs` and `tests.rs` also its folder.
fn names(path: &Path) -> Vec<String> {
    let name = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let file = name(path);
    match &file[..] {
        "mod" | "tests" => vec![name(path.parent().expect("a folder"))],
        _ => vec![file],
    }
}

#[test]
fn every_test_that_the_page_of_promises_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for package in ["common", "server", "client", "tests"] {
        sources(&root.join(package), &mut files);
    }
    let function = Regex::new(r"fn (\w+)\(").unwrap();
    let mut there = HashSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for name in names(&file) {
            let tests = function.captures_iter(&text).map(|found| format!("{name}::{}", &found[1]));
            there.extend(tests);
        }
    }
    let page = fs::read_to_string(root.join("docs/RELIABILITY.md")).unwrap();
    let named = Regex::new(r"`(\w+::\w+)`").unwrap();
    let named: Vec<&str> =
        named.captures_iter(&page).map(|found| found.get(1).unwrap().as_str()).collect();
    assert!(named.len() > 50, "{named:?}");
    let missing: Vec<_> = named.iter().filter(|name| !there.contains(**name)).collect();
    assert!(missing.is_empty(), "no such tests: {missing:?}");
}
