//! Packages for Fedora, by rpm on Debian: rpm checks no dependencies there, since it does not know the packages of Debian.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command, sync::LazyLock};

use tests::{
    deployment::find,
    requirements::{self, Requirement, skip_without},
};

use super::{
    CONFIGURATION, build, cargo_subcommand, check_programs, check_service, differences, is_server,
    is_service_enabled,
    root::{Root, expect_success},
};

pub(super) static PACKAGES: LazyLock<Vec<PathBuf>> = LazyLock::new(|| build("rpm"));

fn requirements() -> Vec<Requirement> {
    let [debootstrap, chroot] = Root::requirements();
    let rpm = requirements::tool("rpm", &["--version"], "install the package rpm");
    vec![debootstrap, chroot, rpm, cargo_subcommand("generate-rpm")]
}

/// Runs rpm for a root directory, and returns its standard output.
#[track_caller]
fn rpm(root: &Root, args: &[&str]) -> String {
    let mut rpm = Command::new("rpm");
    let output = expect_success(rpm.arg("--root").arg(root.path("")).args(args));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("scriptlet failed"), "{errors}");
    String::from_utf8(output.stdout).expect("the names are UTF-8")
}

fn files() -> Vec<&'static str> {
    PACKAGES.iter().map(|path| path.to_str().expect("the path is UTF-8")).collect()
}

#[test]
#[ignore = "make torture"]
fn a_package_for_fedora_serves_and_its_removal_leaves_the_changed_configuration() {
    if skip_without(&requirements()) {
        return;
    }
    let root = Root::new();
    rpm(&root, &["--initdb"]);
    // Fedora's package `filesystem` has these.
    for directory in ["fish/vendor_completions.d", "licenses", "zsh/site-functions"] {
        let path = root.path("usr/share").join(directory);
        fs::create_dir_all(path).expect("the folder can be made");
    }
    let before = root.paths();
    rpm(&root, &[&["--install", "--nodeps"], &files()[..]].concat());
    assert_eq!(rpm(&root, &["--verify", "--nodeps", "echo-server", "echo-client"]), "");
    // The preset of Debian, unlike that of Fedora, enables what is installed.
    assert!(is_service_enabled(&root));
    check_programs(&root, ["usr/share/licenses", "LICENSE"]);
    for program in ["echo-server", "echo-client"] {
        let license = root.path("usr/share/licenses").join(program).join("LICENSE");
        let license = fs::read_to_string(license).expect("the package has it");
        let tag = rpm(&root, &["--query", "--queryformat=%{LICENSE}", program]);
        assert_eq!(tag, find(&license, "^SPDX-License-Identifier: (.*)$"));
    }
    check_service(&root);

    let changed = fs::read_to_string(root.path(CONFIGURATION)).expect("it is installed");
    rpm(&root, &[&["--upgrade", "--force", "--nodeps"], &files()[..]].concat());
    let kept = fs::read_to_string(root.path(CONFIGURATION)).expect("it is installed");
    assert_eq!(kept, changed);

    rpm(&root, &["--erase", "echo-server", "echo-client"]);
    let saved = format!("{CONFIGURATION}.rpmsave");
    let mut left = differences(&before, &root.paths());
    // rpm removes only the directories that a package has, and cargo-generate-rpm 0.21 fails for one that has any (`dir = true`).
    let own = ["usr/share/doc/echo-", "usr/share/licenses/echo-"];
    left.retain(|path| !root.path(path).is_dir() || !own.iter().any(|own| path.starts_with(own)));
    assert_eq!(left, BTreeSet::from([saved.clone()]));
    let saved = fs::read_to_string(root.path(&saved)).expect("rpm keeps a changed configuration");
    assert_eq!(saved, changed);
}

#[test]
#[ignore = "make torture"]
fn a_package_for_fedora_requires_what_its_program_and_its_scripts_use() {
    let rpm = requirements::tool("rpm", &["--version"], "install the package rpm");
    if skip_without(&[rpm, cargo_subcommand("generate-rpm")]) {
        return;
    }
    for package in &*PACKAGES {
        let query = |what: &str| {
            let mut rpm = Command::new("rpm");
            let output = expect_success(rpm.args(["--query", "--package", what]).arg(package));
            String::from_utf8(output.stdout).expect("the names are UTF-8")
        };
        let requires = query("--requires");
        assert!(requires.contains("libc.so.6("), "{requires}");
        let is_server = is_server(package);
        assert_eq!(!query("--scripts").is_empty(), is_server);
        for used in ["/usr/bin/systemd-sysusers", "/bin/sh"] {
            assert_eq!(requires.lines().any(|line| line == used), is_server, "{requires}");
        }
        let configurations = query("--configfiles");
        let expected = if is_server { "/etc/echo-server.toml\n" } else { "" };
        assert_eq!(configurations, expected);
    }
}
