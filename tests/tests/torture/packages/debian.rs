//! Packages for Debian.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use tempfile::tempdir;
use tests::requirements::{self, Requirement, skip_without};

use super::{
    CONFIGURATION, build, cargo_subcommand, check_programs, check_service, differences, is_server,
    is_service_enabled,
    root::{Root, expect_success},
};

/// Tags of lintian that do not apply, with the reason.
const ACCEPTED_TAGS: [(&str, &str); 1] = [(
    "initial-upload-closes-no-bugs",
    "the package is not uploaded to Debian, where a bug would ask for it",
)];

pub(super) static PACKAGES: LazyLock<Vec<PathBuf>> = LazyLock::new(|| build("deb"));

fn requirements() -> Vec<Requirement> {
    let [debootstrap, chroot] = Root::requirements();
    let dpkg = requirements::tool("dpkg-shlibdeps", &["--version"], "install the package dpkg-dev");
    vec![debootstrap, chroot, dpkg, cargo_subcommand("deb")]
}

/// Installs packages that are outside of the root directory.
fn install(root: &Root, packages: &[PathBuf]) {
    let files: Vec<_> = packages.iter().map(|package| root.copy(package)).collect();
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    // Without a terminal, dpkg cannot ask which configuration to use, if both the administrator and the package have changed it.
    let options = ["--force-confdef", "--force-confold"];
    root.run(&[&["dpkg"], &options[..], &["--install"], &files[..]].concat());
}

fn configuration(root: &Root) -> String {
    fs::read_to_string(root.path(CONFIGURATION)).expect("the configuration is installed")
}

/// Returns the package of the server with a later version and another configuration.
fn later_version(package: &Path, directory: &Path) -> PathBuf {
    let (unpacked, later) = (directory.join("unpacked"), directory.join("later.deb"));
    let mut dpkg = Command::new("dpkg-deb");
    expect_success(dpkg.arg("--raw-extract").arg(package).arg(&unpacked));
    let change = |path: &str, from: &str, to: &str| {
        let text = fs::read_to_string(unpacked.join(path)).expect("it is in the package");
        assert!(text.contains(from), "{text}");
        fs::write(unpacked.join(path), text.replacen(from, to, 1)).expect("it can be written");
    };
    change("DEBIAN/control", "-1\n", "-2\n");
    change(CONFIGURATION, "[", "[ # later\n");
    let mut dpkg = Command::new("dpkg-deb");
    expect_success(dpkg.args(["--root-owner-group", "--build"]).arg(&unpacked).arg(&later));
    later
}

#[test]
#[ignore = "make torture"]
fn a_package_for_debian_serves_and_a_purge_leaves_nothing() {
    if skip_without(&requirements()) {
        return;
    }
    let root = Root::new();
    let before = root.paths();
    install(&root, &PACKAGES);
    assert!(is_service_enabled(&root));
    check_programs(&root, ["usr/share/doc", "copyright"]);
    check_service(&root);

    root.run(&["dpkg", "--purge", "echo-server", "echo-client"]);
    assert_eq!(differences(&before, &root.paths()), BTreeSet::new());
    root.run(&["id", "echo-server"]);
}

#[test]
#[ignore = "make torture"]
fn an_upgrade_and_a_removal_for_debian_keep_what_the_administrator_has_changed() {
    if skip_without(&requirements()) {
        return;
    }
    let root = Root::new();
    install(&root, &PACKAGES);
    let changed = format!("{}# changed\n", configuration(&root));
    fs::write(root.path(CONFIGURATION), &changed).expect("the file can be written");
    root.run(&["systemctl", "disable", "echo-server.service"]);

    install(&root, &PACKAGES);
    assert_eq!(configuration(&root), changed);
    assert!(!is_service_enabled(&root), "the administrator has disabled it");

    let directory = tempdir().expect("a temporary directory");
    let server = PACKAGES.iter().find(|path| is_server(path));
    let later = later_version(server.expect("it is built"), directory.path());
    install(&root, &[later]);
    assert_eq!(configuration(&root), changed);
    let proposed = root.path(CONFIGURATION).with_extension("toml.dpkg-dist");
    assert!(fs::read_to_string(proposed).expect("dpkg adds it").contains("# later"));

    root.run(&["dpkg", "--remove", "echo-server"]);
    assert_eq!(configuration(&root), changed);
    assert!(!root.path("usr/bin/echo-server").exists());
    install(&root, &PACKAGES);
    assert_eq!(configuration(&root), changed);
    root.run(&["dpkg", "--purge", "echo-server"]);
    assert!(!root.path(CONFIGURATION).exists());
}

/// What an administrator does, with what has to come of it.
const STEPS: [(&str, &str); 15] = [
    ("systemctl is-active echo-server.service", "active"),
    ("systemctl is-enabled echo-server.service", "enabled"),
    ("systemctl is-enabled echo-server.socket", "disabled"),
    ("stat --format %U /proc/$(systemctl show -P MainPID echo-server)", "echo-server"),
    ("echo-client -m hello", "hello"),
    ("echo-client unix:///run/echo-server/echo.sock -m hello", "hello"),
    ("sed -i 's/:65432/:7000/' /etc/echo-server.toml && systemctl reload echo-server", ""),
    // The reload goes on after its command.
    ("until echo-client tcp://127.0.0.1:7000 -m reloaded; do :; done", "reloaded"),
    // An upgrade: another process serves with the changed configuration.
    (
        "old=$(systemctl show -P MainPID echo-server); dpkg --install /srv/echo-server*.deb >/dev/null",
        "",
    ),
    (
        "test $old != $(systemctl show -P MainPID echo-server) && systemctl is-active echo-server",
        "active",
    ),
    ("echo-client tcp://127.0.0.1:7000 -m upgraded", "upgraded"),
    // The socket unit starts the service for the first client.
    ("sed -i 's/:7000/:65432/' /etc/echo-server.toml && systemctl stop echo-server", ""),
    ("systemctl enable --now echo-server.socket && echo-client -m activated", "activated"),
    ("dpkg --purge echo-server >/dev/null; systemctl is-active echo-server.service", "inactive"),
    ("systemctl is-active echo-server.socket; find /etc/systemd -name 'echo-server*'", "inactive"),
];

#[test]
#[ignore = "make torture"]
fn systemd_starts_reloads_restarts_and_stops_the_service_of_the_package_for_debian() {
    let remedy = "install the package systemd-container";
    let nspawn = requirements::tool("systemd-nspawn", &["--version"], remedy);
    if skip_without(&[&requirements()[..], &[nspawn]].concat()) {
        return;
    }
    let root = Root::new();
    for package in &*PACKAGES {
        root.copy(package);
    }
    let steps =
        STEPS.map(|(command, _)| format!("echo '# {}'\n{command}\n", command.replace('\'', "")));
    let script = format!("dpkg --install /srv/*.deb >/dev/null\n{}", steps.concat());
    let output = root.boot(&script);
    if skip_without(&[requirements::privilege(&output)]) {
        return;
    }
    let expected = STEPS.map(|(command, output)| {
        let output = if output.is_empty() { String::new() } else { format!("{output}\n") };
        format!("# {}\n{output}", command.replace('\'', ""))
    });
    assert_eq!(output.expect("the container boots"), expected.concat());
}

/// Errors and warnings fail.
#[test]
#[ignore = "make torture"]
fn lintian_accepts_the_packages_for_debian() {
    let lintian = requirements::tool("lintian", &["--version"], "install the package lintian");
    if skip_without(&[&requirements()[..], &[lintian]].concat()) {
        return;
    }
    let accepted = ACCEPTED_TAGS.map(|(tag, _)| tag).join(",");
    let mut lintian = Command::new("lintian");
    lintian.args(["--allow-root", "--fail-on", "error,warning", "--suppress-tags", &accepted]);
    expect_success(lintian.args(&*PACKAGES));
}
