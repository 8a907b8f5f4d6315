//! What a test needs of the machine besides the programs, and what is said of a test that lacks it.

use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
};

use crate::binaries;

/// What a machine may lack, and why it is taken to.
pub type Need = Result<(), String>;

/// Whether one of these is lacking. If so, the test is to pass without having tested anything, and a
/// line that begins with `SKIPPED` says so and why.
#[must_use]
pub fn lacks(needs: &[Need]) -> bool {
    let Some(why) = needs.iter().find_map(|need| need.as_ref().err()) else {
        return false;
    };
    let test = thread::current().name().unwrap_or("a test").to_owned();
    #[expect(
        clippy::print_stdout,
        reason = "whoever runs the tests is to know what was not tested"
    )]
    {
        println!("SKIPPED: {test}: {why}");
    }
    true
}

/// A program, which is run once with these arguments, and says by its status whether it can.
///
/// # Errors
///
/// Why it is lacking.
pub fn program(name: &str, args: &[&str]) -> Need {
    let mut command = Command::new(name);
    let ended = command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match ended.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name} is there and cannot do its work here ({status})")),
        Err(error) => Err(format!("{name} cannot be run ({error})")),
    }
}

/// A tracer that may trace.
///
/// # Errors
///
/// Why it is lacking.
pub fn strace() -> Need {
    program("strace", &["-e", "inject=getppid:error=ENOSYS", "-o", "/dev/null", "true"])
}

/// The standard library for programs that need no other: see [`binaries::linked_statically`].
///
/// # Errors
///
/// Why it is lacking.
pub fn static_target() -> Need {
    let target = binaries::static_target();
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", &target]);
    let libraries = rustc.output().map_err(|error| format!("rustc cannot be run ({error})"))?;
    if Path::new(String::from_utf8_lossy(&libraries.stdout).trim()).is_dir() {
        Ok(())
    } else {
        Err(format!("rustup target add {target} has not been run"))
    }
}
