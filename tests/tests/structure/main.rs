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

mod cfg;
mod graph;
mod imports;
mod package;
mod rules;
#[cfg(test)]
mod rules_tests;
mod sources;

use std::{path::Path, process::Command, sync::LazyLock};

use self::{package::Package, sources::Sources};

/// Top-level folders of the server, top to bottom. A folder may import only from the folders after it.
const SERVER_ORDER: [&str; 14] = [
    "cli",
    "settings",
    "server",
    "listener",
    "worker",
    "shared",
    "udp",
    "connection",
    "session",
    "telemetry",
    "admission",
    "proxy_protocol",
    "logging",
    "config",
];

/// Top-level folders of the client, top to bottom. A folder may import only from the folders after it.
const CLIENT_ORDER: [&str; 9] =
    ["cli", "load", "ping", "interactive", "pipe", "echo", "net", "endpoint", "stdio"];

/// Everything that may be at the root of the repository.
const ROOT: [&str; 23] = [
    ".ci",
    ".dockerignore",
    ".github",
    ".gitignore",
    "ARCHITECTURE.md",
    "BENCHMARKS.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "SECURITY.md",
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
    let programs_of_tests = [
        "lib.rs",
        "bench/main.rs",
        "soak/main.rs",
        "bin/bare_echo.rs",
        "bin/bare_load/main.rs",
        "bin/bench_client.rs",
        "bin/thread_echo.rs",
        "bin/tokio_echo.rs",
    ];
    let roots: [(&str, &[&str]); 4] = [
        ("common", &["lib.rs"]),
        ("server", &["lib.rs", "main.rs"]),
        ("client", &["lib.rs", "main.rs"]),
        ("tests", &programs_of_tests),
    ];
    roots
        .map(|(name, roots)| {
            Package::new(name, &Sources::read(&root().join(name).join("src")), roots)
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
    let violations = rules::upward_imports(package("server"), &SERVER_ORDER);
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn folders_of_the_client_import_only_from_folders_below() {
    let violations = rules::upward_imports(package("client"), &CLIENT_ORDER);
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
    let Ok(listed) = listed else { return };
    // A source archive has no list of tracked files.
    if !listed.status.success() || listed.stdout.is_empty() {
        return;
    }
    let listed = String::from_utf8(listed.stdout).expect("names of tracked files are UTF-8");
    let mut stray: Vec<&str> = listed
        .split_terminator('\0')
        .map(|path| path.split('/').next().expect("a path has a first component"))
        .filter(|name| !ROOT.contains(name))
        .collect();
    stray.dedup();
    assert!(stray.is_empty(), "these do not belong at the root of the repository: {stray:?}");
}
