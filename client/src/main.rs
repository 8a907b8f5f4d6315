//! `echo-client`: the command line in, the exit status out.

use std::{io::Write as _, process::ExitCode};

use client::{
    cli::{args::Args, config::Config},
    net::error::Error,
};
use common::cli::{
    parse_args,
    status::{FAILED, SUCCESS},
    usage_error,
};

fn main() -> ExitCode {
    let args: Args = parse_args();
    let config = Config::try_from(args).unwrap_or_else(|mistake| usage_error(&mistake.to_string()));
    match client::run(&config) {
        Ok(status) => status.into(),
        // Whoever read our output had enough of it: `echo-client < file | head -1` is no failure.
        Err(Error::OutputClosed) => SUCCESS.into(),
        Err(error) => {
            // A closed standard error must not turn a failure into a panic.
            let _ = writeln!(std::io::stderr(), "Error: {error}");
            FAILED.into()
        }
    }
}
