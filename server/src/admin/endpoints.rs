//! The endpoints by their paths.

use std::fmt::Write as _;

use super::{
    client::{Answer, Request},
    context::Context,
    exposition::{self, Format},
    faults,
    health::not_ready,
    list::Query,
    negotiation::quality,
    status, version,
};
use crate::http::{Refusal, Status, refused};

/// The answer to a request, or the question to the workers that precedes it.
#[derive(Debug)]
pub(super) enum Outcome {
    Answer(Answer),
    /// A list of connections, which the workers have.
    List(Query),
    /// The body of the request has to arrive first.
    Await,
}

/// An endpoint.
struct Endpoint {
    path: &'static str,
    /// Its description, for the list of endpoints.
    help: &'static str,
    respond: fn(&Request<'_>, &Context<'_>) -> Result<Outcome, Refusal>,
}

const ENDPOINTS: [Endpoint; 8] = [
    Endpoint {
        path: "/livez",
        help: "200 if each thread makes progress",
        respond: |_, context| now(livez(context)),
    },
    Endpoint {
        path: "/readyz",
        help: "200 if the server accepts new clients",
        respond: |_, context| now(readyz(context)),
    },
    Endpoint {
        path: "/metrics",
        help: "metrics for Prometheus",
        respond: |request, context| now(metrics(request, context)),
    },
    Endpoint {
        path: "/connections",
        help: "the open connections in JSON",
        respond: |request, context| {
            let workers = context.shared.counters.workers.len();
            let names = context.listeners().iter().map(|listener| &*listener.address);
            Query::parse(request.query(), workers)?.for_listeners(names).map(Outcome::List)
        },
    },
    Endpoint {
        path: "/status",
        help: "the state of the server in JSON",
        respond: |_, context| now(Answer::json(status::to_json(context))),
    },
    Endpoint {
        path: "/config",
        help: "the effective settings",
        respond: |_, context| config(context).map(Outcome::Answer),
    },
    Endpoint {
        path: "/version",
        help: "the version and the features of the program in JSON",
        respond: |_, _| now(Answer::json(version::to_json())),
    },
    Endpoint {
        path: "/faults",
        help: "the faults of listeners in JSON; PUT sets and DELETE clears them",
        respond: |request, context| match request.body() {
            None => Ok(Outcome::Await),
            Some(body) => faults::respond(request, body, context.shared).map(Outcome::Answer),
        },
    },
];

/// Answers a valid request.
///
/// # Errors
///
/// If its path is unknown, or the endpoint refuses it.
pub(super) fn respond(request: &Request<'_>, context: &Context<'_>) -> Result<Outcome, Refusal> {
    if request.path() == "/" {
        return now(Answer::text(index()));
    }
    let endpoint = ENDPOINTS.iter().find(|endpoint| endpoint.path == request.path());
    let unknown = || refused(Status::NotFound, "unknown path; GET / lists the endpoints");
    (endpoint.ok_or_else(unknown)?.respond)(request, context)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "it is the result of an endpoint that refuses nothing"
)]
fn now(answer: Answer) -> Result<Outcome, Refusal> {
    Ok(Outcome::Answer(answer))
}

fn index() -> String {
    let mut list = String::new();
    for Endpoint { path, help, .. } in &ENDPOINTS {
        let _ = writeln!(list, "{path:<14}{help}");
    }
    list
}

fn livez(context: &Context<'_>) -> Answer {
    let stalled = context.health.stalled();
    health(stalled.iter().map(|thread| format!("the thread {thread} is stalled")).collect())
}

fn readyz(context: &Context<'_>) -> Answer {
    health(not_ready(context.shared))
}

/// Returns 200, or 503 with a reason a line.
fn health(reasons: Vec<String>) -> Answer {
    if reasons.is_empty() {
        return Answer::text("ok\n");
    }
    let body: String = reasons.into_iter().map(|reason| reason + "\n").collect();
    Answer { status: Status::Unavailable, ..Answer::text(body) }
}

fn metrics(request: &Request<'_>, context: &Context<'_>) -> Answer {
    let format = metrics_format(request);
    let body = exposition::expose(context, format);
    Answer { content_type: format.content_type(), ..Answer::text(body) }
}

/// Returns the format that the client prefers, and the older one if it does not care. A client that accepts neither gets
/// that as well, since a person may look at it with any program.
fn metrics_format(request: &Request<'_>) -> Format {
    let open_metrics = quality(request.accepted(), "application/openmetrics-text", "1.0.0");
    let prometheus = quality(request.accepted(), "text/plain", "0.0.4");
    if open_metrics > prometheus { Format::OpenMetrics } else { Format::Prometheus }
}

fn config(context: &Context<'_>) -> Result<Answer, Refusal> {
    let settings = context.shared.settings();
    let settings = settings
        .ok_or_else(|| refused(Status::NotFound, "this program has no settings to show"))?;
    Ok(Answer { content_type: "application/toml", ..Answer::text(settings.as_bytes()) })
}
