//! Tools and privileges that a test needs and a machine may lack.
//!
//! A test begins with [`skip_without`] and returns if that is true. Each skip writes one line to standard error:
//! `SKIPPED: <test>: needs <tool>`. If the environment variable [`REQUIRE_TOOLS`] is `1`, as in `.ci/run`, a
//! missing tool fails the test instead. A missing privilege never does.

use std::{
    env,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use crate::programs::binaries;

/// Environment variable that turns a skip because of a missing tool into a failure.
pub const REQUIRE_TOOLS: &str = "ECHO_TESTS_REQUIRE_TOOLS";

/// Something that a machine may lack.
pub type Requirement = Result<(), Missing>;

/// Requirement that the machine does not meet.
#[derive(Clone, Debug)]
pub struct Missing {
    what: String,
    /// How to install it; `None` for a privilege or a property of the kernel.
    remedy: Option<String>,
}

/// Returns true if a requirement is not met: the test has to return then. Reports the first such requirement.
///
/// # Panics
///
/// If a tool is missing and [`REQUIRE_TOOLS`] is set.
#[must_use]
#[track_caller]
pub fn skip_without(requirements: &[Requirement]) -> bool {
    let are_tools_required = env::var_os(REQUIRE_TOOLS).is_some_and(|value| value == "1");
    let Some(missing) = missing(requirements, are_tools_required) else { return false };
    let test = thread::current().name().unwrap_or("a test").to_owned();
    // Unlike `eprintln`, this is not captured: the line appears although the test passes.
    let _ = writeln!(io::stderr(), "SKIPPED: {test}: needs {}", missing.what);
    true
}

#[track_caller]
fn missing(requirements: &[Requirement], are_tools_required: bool) -> Option<&Missing> {
    let missing = requirements.iter().find_map(|requirement| requirement.as_ref().err())?;
    if let (true, Some(remedy)) = (are_tools_required, &missing.remedy) {
        panic!("this test needs {}, and {REQUIRE_TOOLS} is set; {remedy}", missing.what);
    }
    Some(missing)
}

/// Requires a program that succeeds with these arguments. `remedy` says how to install it.
///
/// # Errors
///
/// The program cannot be run, or it fails.
pub fn tool(name: &str, args: &[&str], remedy: &str) -> Requirement {
    let mut command = Command::new(name);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let what = match command.status() {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => format!("{name}, which is installed but fails here ({status})"),
        Err(error) => format!("{name} ({error})"),
    };
    Err(Missing { what, remedy: Some(remedy.to_owned()) })
}

/// Requires a privilege or a property of the kernel, which no package provides.
///
/// # Errors
///
/// The machine does not have it, for the reason in `result`.
pub fn privilege<T, E: ToString>(result: &Result<T, E>) -> Requirement {
    match result {
        Ok(_) => Ok(()),
        Err(reason) => Err(Missing { what: reason.to_string(), remedy: None }),
    }
}

/// Requires systemd's `systemd-analyze`, with these arguments.
///
/// # Errors
///
/// See [`tool`].
pub fn systemd_analyze(args: &[&str]) -> Requirement {
    tool("systemd-analyze", args, "install the package systemd")
}

/// Requires `openssl`.
///
/// # Errors
///
/// See [`tool`].
pub fn openssl() -> Requirement {
    tool("openssl", &["version"], "install the package openssl")
}

/// Requires Python 3 with its module `ssl`.
///
/// # Errors
///
/// See [`tool`].
pub fn python() -> Requirement {
    tool("python3", &["-c", "import ssl"], "install the package python3")
}

/// Requires `gnutls-cli`.
///
/// # Errors
///
/// See [`tool`].
pub fn gnutls() -> Requirement {
    tool("gnutls-cli", &["--version"], "install the package gnutls-bin")
}

/// Requires `gsasl`, of either side of a login.
///
/// # Errors
///
/// See [`tool`].
pub fn gsasl() -> Requirement {
    tool("gsasl", &["--version"], "install the package gsasl")
}

/// Requires `ncat` with TLS.
///
/// # Errors
///
/// See [`tool`].
pub fn ncat() -> Requirement {
    tool("ncat", &["--ssl", "--version"], "install the package ncat")
}

/// Requires `nc` of OpenBSD.
///
/// # Errors
///
/// See [`tool`].
pub fn nc() -> Requirement {
    tool("nc", &["-h"], "install the package netcat-openbsd")
}

/// Requires `socat`.
///
/// # Errors
///
/// See [`tool`].
pub fn socat() -> Requirement {
    tool("socat", &["-V"], "install the package socat")
}

/// Requires `ss`, with the figures of the kernel about a connection.
///
/// # Errors
///
/// See [`tool`].
pub fn ss() -> Requirement {
    tool("ss", &["--tcp", "--info"], "install the package iproute2")
}

/// Requires `stunnel`.
///
/// # Errors
///
/// See [`tool`].
pub fn stunnel() -> Requirement {
    tool("stunnel", &["-version"], "install the package stunnel4")
}

/// Requires a module of Python 3, which is in this package of Python.
///
/// # Errors
///
/// See [`tool`].
pub fn python_module(module: &str, package: &str) -> Requirement {
    let remedy = format!(
        "install the Python package {package}: python3 -m venv DIR && DIR/bin/pip install {package}, with DIR/bin \
         first in PATH"
    );
    tool("python3", &["-c", &format!("import {module}")], &remedy)
        .map_err(|missing| Missing { what: format!("the Python package {package}"), ..missing })
}

/// Requires `testssl.sh`, which Debian installs as `testssl`.
///
/// # Errors
///
/// See [`tool`].
pub fn testssl() -> Requirement {
    tool("testssl", &["--version"], "install the package testssl.sh")
}

/// Requires Prometheus.
///
/// # Errors
///
/// See [`tool`].
pub fn prometheus() -> Requirement {
    tool("prometheus", &["--version"], "install the package prometheus")
}

/// Requires `redis-server`.
///
/// # Errors
///
/// See [`tool`].
pub fn redis() -> Requirement {
    tool("redis-server", &["--version"], "install the package redis-server")
}

/// Requires Chromium and its driver.
///
/// # Errors
///
/// See [`tool`].
pub fn chromium() -> Requirement {
    tool("chromium", &["--version"], "install the package chromium")?;
    tool("chromedriver", &["--version"], "install the package chromium-driver")
}

/// Returns the path of the script of axe-core, which checks the accessibility of a page.
#[must_use]
pub(crate) fn axe_core_path() -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/ci-tools");
    target.join("node_modules/axe-core/axe.min.js")
}

/// Requires the npm package axe-core, where `.ci/run` installs it.
///
/// # Errors
///
/// The file does not exist.
pub fn axe_core() -> Requirement {
    if axe_core_path().is_file() {
        return Ok(());
    }
    let remedy = "run npm install --no-save --prefix target/ci-tools axe-core".to_owned();
    Err(Missing { what: "the npm package axe-core".to_owned(), remedy: Some(remedy) })
}

/// Requires `HAProxy`.
///
/// # Errors
///
/// See [`tool`].
pub fn haproxy() -> Requirement {
    tool("haproxy", &["-v"], "install the package haproxy")
}

/// Requires a module of Node.js, which is where `NODE_PATH` points.
///
/// # Errors
///
/// See [`tool`].
pub fn node_module(module: &str) -> Requirement {
    let remedy = format!(
        "install Node.js, run npm install {module} in DIR, and set NODE_PATH=DIR/node_modules"
    );
    tool("node", &["-e", &format!("require('{module}')")], &remedy)
        .map_err(|missing| Missing { what: format!("the module {module} of Node.js"), ..missing })
}

/// Requires a package of npm that is made of modules of ECMAScript, which is where `NODE_PATH` points.
///
/// # Errors
///
/// The package is not there.
pub fn node_package(package: &str) -> Requirement {
    let modules = env::var_os("NODE_PATH").unwrap_or_default();
    if Path::new(&modules).join(package).join("package.json").is_file() {
        return tool("node", &["--version"], "install Node.js");
    }
    let remedy = format!(
        "install Node.js, run npm install {package} in DIR, and set NODE_PATH=DIR/node_modules"
    );
    Err(Missing { what: format!("the package {package} of npm"), remedy: Some(remedy) })
}

/// Requires `promtool` of Prometheus.
///
/// # Errors
///
/// See [`tool`].
pub fn promtool() -> Requirement {
    tool("promtool", &["--version"], "install the package prometheus")
}

/// Requires `curl`.
///
/// # Errors
///
/// See [`tool`].
pub fn curl() -> Requirement {
    tool("curl", &["--version"], "install the package curl")
}

/// Requires nginx.
///
/// # Errors
///
/// See [`tool`].
pub fn nginx() -> Requirement {
    tool("nginx", &["-v"], "install the package nginx-light")
}

/// Requires an `strace` that may attach to processes and inject faults.
///
/// # Errors
///
/// See [`tool`].
pub fn strace() -> Requirement {
    let args = ["-e", "inject=getppid:error=ENOSYS", "-o", "/dev/null", "true"];
    tool("strace", &args, "install the package strace, and allow ptrace")
}

/// Requires the standard library for statically linked programs: see [`binaries::build_static`].
///
/// # Errors
///
/// `rustc` cannot be run, or the target is not installed.
pub fn static_target() -> Requirement {
    let target = binaries::static_target();
    let remedy = format!("run rustup target add {target}");
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", &target]);
    let what = match rustc.output() {
        Ok(output) if Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir() => {
            return Ok(());
        }
        Ok(_) => format!("the Rust target {target}"),
        Err(error) => format!("rustc ({error})"),
    };
    Err(Missing { what, remedy: Some(remedy) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn absent_tool() -> Requirement {
        tool("no-such-tool", &[], "install the package no-such-package")
    }

    #[test]
    fn a_missing_tool_skips_a_test() {
        let requirements = [Ok(()), absent_tool()];
        let missing = missing(&requirements, false).expect("the tool does not exist");
        assert!(missing.what.starts_with("no-such-tool ("), "{missing:?}");
    }

    #[test]
    #[should_panic(expected = "install the package no-such-package")]
    fn a_missing_tool_fails_a_test_if_tools_are_required() {
        let _ = missing(&[absent_tool()], true);
    }

    #[test]
    fn a_missing_privilege_skips_a_test_even_if_tools_are_required() {
        let requirements = [privilege(&Err::<(), _>("root, to forge a source"))];
        assert!(missing(&requirements, true).is_some());
    }

    #[test]
    fn a_tool_that_fails_is_missing() {
        let requirements = [tool("false", &[], "")];
        let missing = missing(&requirements, false).expect("it fails");
        assert!(missing.what.contains("installed but fails"), "{missing:?}");
        assert!(tool("true", &[], "").is_ok());
    }
}
