//! The paths of the two programs, built from the current sources.
//!
//! Cargo sets `CARGO_BIN_EXE_*` only for tests in the package of a program. Therefore the harness runs `cargo build`
//! once per process, with the profile and the target directory of the running test. This takes no time after
//! `cargo test --workspace` has built everything.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(build);

/// Returns the path of `echo-server`.
#[must_use]
pub fn echo_server() -> PathBuf {
    DIRECTORY.join("echo-server")
}

/// Returns the path of `echo-client`.
#[must_use]
pub fn echo_client() -> PathBuf {
    DIRECTORY.join("echo-client")
}

/// Builds both programs and returns their directory.
///
/// A program of this package, such as `soak`, builds nothing: it uses the programs in its own directory.
fn build() -> PathBuf {
    // TARGET/PROFILE/deps/TEST-HASH, or TARGET/PROFILE/PROGRAM
    let this = env::current_exe().expect("a process knows its own file");
    let beside = this.parent().expect("a file is in a directory");
    if !beside.ends_with("deps") {
        return beside.to_owned();
    }
    let directory = beside.parent().expect("cargo writes tests to PROFILE/deps");
    let target = directory.parent().expect("the profile's directory is in the target directory");
    let profile = match directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(named) => named,
    };

    cargo_build(target, &["--profile", profile]);
    directory.to_owned()
}

/// Returns the target for programs that are linked statically with musl and need no other file.
#[must_use]
pub fn static_target() -> String {
    format!("{}-unknown-linux-musl", env::consts::ARCH)
}

/// Builds both programs for [`static_target`], without optimisation, and returns their directory.
#[must_use]
pub fn build_static() -> PathBuf {
    let directory = echo_server();
    let target = directory.ancestors().nth(2).expect("TARGET/PROFILE/PROGRAM");
    cargo_build(target, &["--profile", "dev", "--target", &static_target()]);
    target.join(static_target()).join("debug")
}

fn cargo_build(target: &Path, args: &[&str]) {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "server", "--package", "client"])
        .args(args)
        .arg("--target-dir")
        .arg(target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .status()
        .expect("cargo is installed: it runs this test");
    assert!(status.success(), "the programs under test do not build: {status}");
}
