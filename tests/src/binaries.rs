//! Where the two programs are, freshly built.
//!
//! Cargo offers `CARGO_BIN_EXE_*` only to the tests of a binary's own package, so the harness asks
//! cargo once per process: same profile and target directory as the running test, which makes it a
//! quick look when `cargo test --workspace` has built everything already.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(build);

/// The path of `echo-server`.
#[must_use]
pub fn echo_server() -> PathBuf {
    DIRECTORY.join("echo-server")
}

/// The path of `echo-client`.
#[must_use]
pub fn echo_client() -> PathBuf {
    DIRECTORY.join("echo-client")
}

/// Builds both programs and returns the directory that they are in.
///
/// A program of this package is none of cargo's tests: the others lie beside it, built along with it.
fn build() -> PathBuf {
    // TARGET/PROFILE/deps/TEST-HASH, or TARGET/PROFILE/PROGRAM
    let this = env::current_exe().expect("a process can name its own file");
    let beside = this.parent().expect("a file is in a directory");
    if !beside.ends_with("deps") {
        return beside.to_owned();
    }
    let directory = beside.parent().expect("cargo puts tests into PROFILE/deps");
    let target = directory.parent().expect("the profile's directory is in the target directory");
    let profile = match directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(named) => named,
    };

    cargo_build(target, &["--profile", profile]);
    directory.to_owned()
}

/// For programs that are linked with musl, and need no file but their own.
#[must_use]
pub fn static_target() -> String {
    format!("{}-unknown-linux-musl", env::consts::ARCH)
}

/// Builds both programs for [`static_target`], not optimised, and returns the directory that they are in.
#[must_use]
pub fn linked_statically() -> PathBuf {
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
        .expect("cargo runs: it is what runs this test");
    assert!(status.success(), "the programs under test do not build: {status}");
}
