//! Program `echo-client`: parses the command line, runs it, and returns the exit status.

use std::{io::Write as _, process::ExitCode};

use client::{Args, Config};
use common::cli::{
    parse_args,
    signals::unblock,
    status::{FAILED, SUCCESS},
    usage_error,
};

fn main() -> ExitCode {
    unblock();
    let args: Args = parse_args();
    let config = Config::try_from(args).unwrap_or_else(|error| usage_error(&error.to_string()));
    match client::run(&config) {
        Ok(status) => status.into(),
        Err(error) if error.is_output_closed() => SUCCESS.into(),
        Err(error) => {
            // Not `eprintln!`, which panics if standard error is closed.
            let _ = writeln!(std::io::stderr(), "Error: {error}");
            FAILED.into()
        }
    }
}
