//! One command: its requests to the server, and the exit status.

use std::time::Duration;

use common::cli::{print_error, status};
use server::{FaultProfile, settings::Diagnostics};

use super::{
    args::{FaultsCommand, ListArgs, WhichArgs},
    model::Document,
    profiles, view,
};
use crate::cli::{
    admin_client::{Deadline, Failure, Request, Target, push_line, send},
    output::print,
};

/// Time for all requests of a command.
const TIME: Duration = Duration::from_secs(5);

/// The path at which the admin listener has the faults.
const PATH: &str = "/faults";

/// Runs a command, and returns the exit status.
pub(crate) fn run(command: &FaultsCommand) -> anyhow::Result<Result<u8, Diagnostics>> {
    match command {
        FaultsCommand::List(args) => ask(args, |server| server.send("GET", PATH, "")),
        FaultsCommand::Set(args) => ask(&args.common, |server| {
            let path = server.path(&args.which)?;
            server.send("PUT", &path, &args.text())
        }),
        FaultsCommand::Clear(args) => ask(&args.common, |server| {
            let path = server.path(&args.which)?;
            server.send("DELETE", &path, "")
        }),
        FaultsCommand::Profiles(args) => {
            let lines = if args.json {
                vec![profiles::to_json()]
            } else {
                view::profiles(FaultProfile::ALL)
            };
            print_lines(&lines)?;
            Ok(Ok(status::SUCCESS))
        }
    }
}

/// A server that is asked until a deadline.
struct Server {
    target: Target,
    deadline: Deadline,
}

impl Server {
    /// Returns the answer to a request.
    fn send(&self, method: &'static str, path: &str, body: &str) -> Result<String, String> {
        send(&self.target, Request { method, path, body }, self.deadline)
            .map_err(|failure| explain(&failure, method))
    }

    /// Returns the path at which the listeners are changed.
    fn path(&self, which: &WhichArgs) -> Result<String, String> {
        let mut names = which.listeners.clone();
        if names.is_empty() {
            let document = parse(&self.send("GET", PATH, "")?)?;
            names = document.listeners.into_iter().map(|listener| listener.address).collect();
            match names.len() {
                0 => return Err("the server has no listener".to_owned()),
                2.. if !which.all => {
                    let names = names.join(", ");
                    return Err(format!(
                        "the server has several listeners: {names}; name one with --listener, or use --all"
                    ));
                }
                _ => {}
            }
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(names.iter().map(|name| ("listener", name)));
        Ok(format!("{PATH}?{}", query.finish()))
    }
}

/// Asks the server, and prints its answer.
fn ask(
    args: &ListArgs,
    request: impl FnOnce(&Server) -> Result<String, String>,
) -> anyhow::Result<Result<u8, Diagnostics>> {
    let target = match args.admin.target() {
        Ok(target) => target,
        Err(diagnostics) => return Ok(Err(diagnostics)),
    };
    let server = Server { target, deadline: Deadline::after(TIME) };
    let answer = request(&server).and_then(|text| Ok((parse(&text)?, text)));
    let lines = match answer {
        Err(reason) => {
            print_error(&format!("{}: {reason}", server.target));
            return Ok(Ok(status::FAILED));
        }
        Ok((_, text)) if args.json => {
            let mut line = String::with_capacity(text.len());
            push_line(&mut line, &text);
            vec![line]
        }
        Ok((document, _)) => view::listeners(&document.listeners),
    };
    print_lines(&lines)?;
    Ok(Ok(status::SUCCESS))
}

fn print_lines(lines: &[String]) -> anyhow::Result<()> {
    let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    print(&text).map(|_| ())
}

fn parse(text: &str) -> Result<Document, String> {
    serde_json::from_str(text).map_err(|error| format!("unexpected answer for {PATH}: {error}"))
}

fn explain(failure: &Failure, method: &str) -> String {
    match failure.refusal() {
        Some(reason) if method == "GET" => format!("the server refuses the request: {reason}"),
        Some(reason) => format!("nothing has changed: {reason}"),
        None => format!(
            "no answer: {failure}; check that the server runs with this admin listener, or name it with --admin URL"
        ),
    }
}
