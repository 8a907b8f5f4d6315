//! One sample or many, and the exit status.

use common::cli::{print_error, status};
use server::settings::Diagnostics;

use super::{
    args::StatusArgs,
    sample::Sample,
    view::{Shown, Text, sections},
    watch::watch,
};
use crate::cli::{
    admin_client::Target,
    output::{print, print_lines, width},
};

/// Shows a server and returns the exit status.
pub(crate) fn run(args: &StatusArgs) -> anyhow::Result<Result<u8, Diagnostics>> {
    let target = match args.admin.target() {
        Ok(target) => target,
        Err(diagnostics) => return Ok(Err(diagnostics)),
    };
    let problems = if args.watch { watch(&target, args)? } else { show(&target, args)? };
    for problem in &problems {
        print_error(&format!("{target}: {problem}"));
    }
    Ok(Ok(if problems.is_empty() { status::SUCCESS } else { status::FAILED }))
}

/// Shows one sample. Returns why the server is not healthy; nothing if it is.
fn show(target: &Target, args: &StatusArgs) -> anyhow::Result<Vec<String>> {
    let sample = match Sample::take(target) {
        Ok(sample) => sample,
        Err(reason) => {
            let hint =
                "check that the server runs with this admin listener, or name it with --admin URL";
            return Ok(vec![format!("no answer: {reason}; {hint}")]);
        }
    };
    if args.json {
        print(&format!("{}\n", sample.json()))?;
    } else {
        let mut text = Text::new(width());
        let shown = Shown {
            target: &target.to_string(),
            status: &sample.status,
            rates: sample.status.rates,
            connections: &sample.page.connections,
        };
        sections(&shown, &mut text);
        print_lines(&text.lines)?;
    }
    Ok(sample.status.problems())
}
