//! The structure of the sources: imports point one way, folders and files stay small, the repository root is clean.
//!
//! The checks parse the sources of the workspace. Code that only tests compile is left out. A failure lists every
//! offending import with its file, its line and its path.
//!
//! | module | what it owns |
//! |---|---|
//! | [`sources`] | the text of all sources of a package |
//! | [`package`] | the modules of a package and the imports between its files |
//! | [`cfg`] | items that only tests compile |
//! | [`imports`] | the paths that a file imports or names |
//! | [`graph`] | circles in a graph |
//! | [`rules`] | the rules, as functions from a package to a list of violations |
//! | [`reliability_page`] | the test of docs/RELIABILITY.md |

mod cfg;
mod graph;
mod imports;
mod package;
mod reliability_page;
mod rules;
#[cfg(test)]
mod rules_tests;
mod sources;

use std::{fs, path::Path, process::Command, sync::LazyLock};

use self::{package::Package, sources::Sources};

/// Top-level folders of the server, top to bottom. A folder imports only from the rows after its own.
const SERVER_ORDER: &[&[&str]] = &[
    &["cli"],
    &["settings"],
    &["server"],
    &["admin"],
    &["listener", "worker"],
    &["shared"],
    &["udp"],
    &["connection"],
    &["http"],
    &["websocket", "sasl"],
    &["session"],
    &["relay"],
    &["rooms"],
    &["telemetry"],
    &["admission"],
    &["login"],
    &["tls", "proxy_protocol"],
    &["layer"],
    &["fault_log", "history"],
    &["logging"],
    &["metrics"],
    &["faults"],
    &["consolidation"],
    &["config"],
];

/// Top-level folders of the client, top to bottom. A folder imports only from the rows after its own.
const CLIENT_ORDER: &[&[&str]] = &[
    &["cli"],
    &["load", "ping", "interactive", "chat", "pipe", "mirror"],
    &["echo"],
    &["net"],
    &["endpoint"],
    &["tls", "websocket"],
    &["login"],
    &["receipt", "stdio"],
];

/// The README has to have fewer lines.
const README_LINES: usize = 150;

/// Everything that may be at the root of the repository.
const ROOT: [&str; 20] = [
    ".ci",
    ".github",
    ".gitignore",
    "ARCHITECTURE.md",
    "BENCHMARKS.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "client",
    "clippy.toml",
    "common",
    "deny.toml",
    "docs",
    "rustfmt.toml",
    "scripts",
    "server",
    "tests",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the workspace")
}

/// All packages whose structure is checked.
static PACKAGES: LazyLock<Vec<Package>> = LazyLock::new(|| {
    ["common", "server", "client", "tests"]
        .map(|name| {
            let sources = Sources::read(&root().join(name).join("src"));
            Package::new(name, &sources, &sources.crate_roots())
        })
        .into()
});

fn package(name: &str) -> &'static Package {
    PACKAGES.iter().find(|package| package.name == name).expect("the package is in the list")
}

/// Fails with all violations of a rule, in all packages.
#[track_caller]
fn assert_holds(rule: impl Fn(&Package) -> Vec<String>) {
    let violations: Vec<String> = PACKAGES.iter().flat_map(rule).collect();
    assert!(violations.is_empty(), "violations:\n{}", violations.join("\n"));
}

#[test]
fn files_do_not_import_each_other_in_a_circle() {
    assert_holds(rules::file_circles);
}

#[test]
fn folders_do_not_import_each_other_in_a_circle() {
    assert_holds(rules::folder_circles);
}

#[test]
fn folders_of_the_server_import_only_from_folders_below() {
    let violations = rules::upward_imports(package("server"), SERVER_ORDER);
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn folders_of_the_client_import_only_from_folders_below() {
    let violations = rules::upward_imports(package("client"), CLIENT_ORDER);
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn folders_hold_at_most_12_files() {
    assert_holds(rules::large_folders);
}

#[test]
fn every_folder_opens_with_a_documented_mod_rs() {
    assert_holds(rules::undocumented_folders);
}

#[test]
fn files_have_at_most_400_lines() {
    assert_holds(rules::long_files);
}

#[test]
fn the_repository_root_holds_only_what_it_should() {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let listed = listed.map(|listed| listed.stdout).unwrap_or_default();
    if listed.is_empty() {
        println!("not checked: a source archive has no list of tracked files");
        return;
    }
    let listed = String::from_utf8(listed).expect("names of tracked files are UTF-8");
    let mut stray: Vec<&str> = listed
        .split_terminator('\0')
        .map(|path| path.split('/').next().expect("a path has a first component"))
        .filter(|name| !ROOT.contains(name))
        .collect();
    stray.dedup();
    assert!(stray.is_empty(), "these do not belong at the root of the repository: {stray:?}");
}

#[test]
fn the_readme_is_short() {
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md can be read");
    let lines = readme.lines().count();
    assert!(lines < README_LINES, "README.md has {lines} lines, and {README_LINES} are too many");
}
