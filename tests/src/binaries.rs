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

    let cargo = env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "server", "--package", "client"])
        .args(["--profile", profile, "--target-dir"])
        .arg(target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .status()
        .expect("cargo runs: it is what runs this test");
    assert!(status.success(), "the programs under test do not build: {status}");
    directory.to_owned()
}
