//! Tests of the packages of `make deb` and `make rpm`: they are installed into a fresh root directory, used, upgraded and removed, as
//! an administrator would.

mod debian;
mod root;
mod rpm;

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;
use tests::{
    deployment::find,
    programs::{Program, binaries},
    requirements::{self, Requirement, skip_without},
};

use root::{Root, expect_success};

const CONFIGURATION: &str = "etc/echo-server.toml";

/// Requires a subcommand of cargo.
fn cargo_subcommand(name: &str) -> Requirement {
    let remedy = format!("run cargo install --locked cargo-{name}");
    requirements::tool(&format!("cargo-{name}"), &["--version"], &remedy)
}

/// Builds the packages of a kind, and returns their files.
fn build(kind: &str) -> Vec<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it has a parent");
    let server = binaries::echo_server();
    let target = server.ancestors().nth(2).expect("TARGET/PROFILE/PROGRAM");
    let mut script = Command::new(repository.join("scripts/package.sh"));
    script.arg(kind).env("CARGO_TARGET_DIR", target);
    if let Some(cargo) = env::var_os("CARGO") {
        script.env("CARGO", cargo);
    }
    let built = expect_success(script);
    let built = String::from_utf8_lossy(&built.stdout).into_owned();
    let paths: Vec<_> = built.lines().map(PathBuf::from).filter(|path| path.is_file()).collect();
    assert_eq!(paths.len(), 2, "{built}");
    paths
}

#[test]
#[ignore = "make torture"]
fn the_same_programs_give_the_same_packages() {
    if skip_without(&[cargo_subcommand("deb"), cargo_subcommand("generate-rpm")]) {
        return;
    }
    for (kind, packages) in [("deb", &*debian::PACKAGES), ("rpm", &*rpm::PACKAGES)] {
        let read = |path: &PathBuf| fs::read(path).expect("the package can be read");
        let first: Vec<_> = packages.iter().map(read).collect();
        let again = build(kind);
        assert_eq!(&again, packages);
        assert!(again.iter().map(read).eq(first), "{again:?} differ from the first build");
    }
}

/// The installed programs run, and find the installed files. `license` is the directory and the name of the file with the licenses of
/// a program.
fn check_programs(root: &Root, license: [&str; 2]) {
    for program in ["echo-server", "echo-client"] {
        let license = root.path(license[0]).join(program).join(license[1]);
        let license = fs::read_to_string(license).expect("the package has it");
        for part in ["Permission is hereby granted", "\nmio ", "\nrustls "] {
            assert!(license.contains(part), "{part} is missing in {license}");
        }
        let version = format!("{program} {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(root.run(&[program, "--version"]), version);
        let page = root.run(&["man", "--where", program]);
        assert_eq!(page, format!("/usr/share/man/man1/{program}.1.gz\n"));
    }
    // The page of a subcommand, as its readers see it.
    assert!(root.run(&["man", "echo-client-load"]).contains("Load"), "it is a page");
    let completions = "/usr/share/bash-completion/completions/echo-server";
    root.run(&["bash", "-c", &format!("source {completions} && complete -p echo-server")]);
    let units = ["echo-server.service", "echo-server.socket"]
        .map(|name| format!("/usr/lib/systemd/system/{name}"));
    let verified = root.run(&["systemd-analyze", "verify", "--man=no", &units[0], &units[1]]);
    assert_eq!(verified, "");
}

/// The installed server serves, as its user and with the installed configuration but for the ports, which are any free ones. The
/// changed configuration stays.
fn check_service(root: &Root) {
    let users = fs::read_to_string(root.path("etc/passwd")).expect("it exists");
    let user = find(&users, "^echo-server:(.*)$");
    assert!(user.ends_with("/nologin"), "{user}");

    let file = root.path(CONFIGURATION);
    let configuration = fs::read_to_string(&file).expect("the package has it");
    assert_eq!(configuration.matches("127.0.0.1:65432").count(), 2, "{configuration}");
    let changed = configuration.replace("127.0.0.1:65432", "127.0.0.1:0");
    fs::write(file, changed).expect("the file can be written");

    // The service unit creates the directory.
    root.run(&["install", "--directory", "--owner=echo-server", "/run/echo-server"]);
    let arguments = ["--config", "/etc/echo-server.toml"];
    let checked = root
        .command("echo-server", &[&["echo-server", "config", "check"], &arguments[..]].concat());
    let checked = Program::spawn(checked).finish();
    assert_eq!(checked.code(), 0, "{checked:?}");
    let server =
        Program::spawn(root.command("echo-server", &[&["echo-server"], &arguments[..]].concat()));
    let started = server.stderr.wait_for_line("Echo server started on");
    let address = find(&started, r"on (127\.0\.0\.1:\d+)");
    let echo = root.run(&["echo-client", "-m", "hello", &format!("tcp://{address}")]);
    assert!(echo.contains("hello"), "{echo}");
    server.signal(Signal::TERM);
    let ended = server.finish();
    assert_eq!(ended.code(), 0, "{ended:?}");
    fs::remove_dir(root.path("run/echo-server")).expect("the server has removed its socket");
}

/// Returns true for the package of the server.
fn is_server(package: &Path) -> bool {
    let name = package.file_name().expect("a package is a file");
    name.to_string_lossy().starts_with("echo-server")
}

/// Returns the paths that are new or gone, but for those that the package manager and the tools leave on every machine. The
/// definition of the user is in files that exist before.
fn differences(before: &BTreeSet<String>, after: &BTreeSet<String>) -> BTreeSet<String> {
    let tools = [
        "etc/.pwd.lock",
        "root/.rpmdb",
        "run/systemd/",
        "var/cache/man/",
        "var/lib/dpkg/",
        "var/lib/rpm/",
        "var/lib/systemd/deb-systemd-helper-",
        "var/log/",
    ];
    let is_of_tools = |path: &str| tools.iter().any(|tool| path.starts_with(tool));
    let differing = before.symmetric_difference(after).filter(|path| !is_of_tools(path));
    differing.cloned().collect()
}

/// Returns true if `systemctl enable` has been done for a unit.
fn is_enabled(root: &Root, wants: &str) -> bool {
    root.path("etc/systemd/system").join(wants).is_symlink()
}

fn is_service_enabled(root: &Root) -> bool {
    assert!(!is_enabled(root, "sockets.target.wants/echo-server.socket"));
    is_enabled(root, "multi-user.target.wants/echo-server.service")
}
