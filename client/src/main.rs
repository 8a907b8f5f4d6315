//! Program `echo-client`: parses the command line, runs it, and returns the exit status.

use std::process::ExitCode;

use client::{Args, Config};
use common::cli::{
    parse_args, print_error,
    signals::{survive_file_size_limit, unblock},
    status::{FAILED, SUCCESS},
    subcommand_tip, usage_error,
};

fn main() -> ExitCode {
    unblock();
    survive_file_size_limit();
    let args: Args = parse_args();
    let config = Config::try_from(args).unwrap_or_else(|error| usage_error(&error.to_string()));
    match client::run(&config) {
        Ok(status) => status.into(),
        Err(error) if error.is_output_closed() => SUCCESS.into(),
        Err(error) => {
            print_error(&format!("Error: {error}"));
            if error.is_unknown_host()
                && let Some(tip) = subcommand_tip::<Args>()
            {
                print_error(&format!("Tip: {tip}"));
            }
            if let Some(tip) = error.tip(&config) {
                print_error(&format!("Tip: {tip}"));
            }
            FAILED.into()
        }
    }
}
