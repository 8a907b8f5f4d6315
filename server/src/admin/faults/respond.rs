//! The answer to a request about faults.

use std::{str, sync::Arc};

use common::{endpoint::Endpoint, escape::Quoted};

use super::document;
use crate::{
    admin::client::{Answer, Request},
    config::{FaultParameters, Faults},
    faults::FaultyListener,
    http::{Refusal, Status, refused},
    shared::{FaultsError, SharedState},
};

/// Answers a valid request, whose body is complete. A change of several listeners changes all of them or none.
///
/// # Errors
///
/// If it names no listener, or one that cannot have the faults.
pub(in crate::admin) fn respond<T>(
    request: &Request<'_>,
    body: &[u8],
    shared: &SharedState<T>,
) -> Result<Answer, Refusal> {
    let named = named_listeners(request, shared)?;
    let all = || shared.faults.listeners();
    let listeners = match named.is_empty() {
        false => named,
        true if request.is_change() && !request.is_delete() => vec![only_listener(all())?],
        true => all(),
    };
    if request.is_change() {
        let changes = listeners.iter().map(|listener| {
            let faults = (!request.is_delete()).then(|| parse(body, listener)).transpose()?;
            Ok((listener, faults.map(Arc::new)))
        });
        for (listener, faults) in changes.collect::<Result<Vec<_>, Refusal>>()? {
            shared.set_faults(listener, faults.as_ref());
        }
    }
    Ok(Answer::json(document::to_json(&listeners)))
}

/// Returns the listeners that the query names, each once.
fn named_listeners<T>(
    request: &Request<'_>,
    shared: &SharedState<T>,
) -> Result<Vec<FaultyListener>, Refusal> {
    let mut listeners = Vec::<FaultyListener>::new();
    for (name, value) in request.query() {
        if name != "listener" {
            let unknown = Quoted(name.as_bytes()).to_string();
            return Err(bad(format!("{unknown}: unknown parameter; the only one is listener")));
        }
        let listener = shared.faulty_listener(&value).map_err(not_found)?;
        if !listeners.iter().any(|other| Arc::ptr_eq(&other.faults, &listener.faults)) {
            listeners.push(listener);
        }
    }
    Ok(listeners)
}

/// Returns the listener, if there is one only.
fn only_listener(mut listeners: Vec<FaultyListener>) -> Result<FaultyListener, Refusal> {
    match (listeners.pop(), &listeners[..]) {
        (Some(only), []) => Ok(only),
        (None, _) => Err(refused(Status::NotFound, "the server has no listener")),
        (Some(last), others) => {
            let names = others.iter().chain([&last]).map(|listener| &listener.address[..]);
            let names = names.collect::<Vec<_>>().join(", ");
            Err(bad(format!("name the listener, as in ?listener={}: {names}", last.address)))
        }
    }
}

/// Parses faults for a listener, and checks that it can have them.
fn parse(body: &[u8], listener: &FaultyListener) -> Result<Faults, Refusal> {
    let text = str::from_utf8(body).map_err(|_| bad("the body is not UTF-8".to_owned()))?;
    let is_udp = matches!(listener.endpoint, Endpoint::Udp(_));
    let faults = FaultParameters::parse(text.trim()).and_then(|parsed| parsed.faults(is_udp));
    let none = || "the body has no faults, such as delay=50ms; DELETE clears them".to_owned();
    let faults = faults.and_then(|faults| faults.ok_or_else(none));
    let checked = faults.and_then(|faults| faults.check(&listener.listener).map(|()| faults));
    checked.map_err(|reason| bad(format!("{}: {reason}", listener.address)))
}

fn not_found(error: FaultsError) -> Refusal {
    refused(Status::NotFound, error.to_string())
}

fn bad(rule: String) -> Refusal {
    refused(Status::BadRequest, rule)
}
