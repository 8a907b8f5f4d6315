//! The answer to a request about faults.

use std::{str, sync::Arc};

use common::escape::Quoted;

use super::document;
use crate::{
    admin::client::{Answer, Request},
    config::{FaultParameters, FaultScope, Faults},
    faults::OpenListenerFaults,
    http::{Refusal, Status, refused},
    shared::{FaultSource, FaultsError, SharedState},
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
    let all = shared.faults.listeners();
    let named = named_listeners(request, shared)?;
    let listeners = match named.is_empty() {
        false => each_once(named),
        true if request.is_change() && !request.is_delete() => {
            vec![only_listener(each_once(all.clone()))?]
        }
        true => each_once(all.clone()),
    };
    if request.is_change() {
        let changes = listeners.iter().map(|listener| {
            let faults = (!request.is_delete()).then(|| parse(body, listener)).transpose()?;
            Ok((listener, faults.map(Arc::new)))
        });
        for (listener, faults) in changes.collect::<Result<Vec<_>, Refusal>>()? {
            shared.set_faults(listener, faults.as_ref(), FaultSource::Admin);
        }
    }
    Ok(Answer::json(document::to_json(&listeners, &all)))
}

/// Returns the listeners without further addresses of them, which share their faults.
fn each_once(listeners: Vec<OpenListenerFaults>) -> Vec<OpenListenerFaults> {
    let mut each = Vec::<OpenListenerFaults>::new();
    for listener in listeners {
        if !each.iter().any(|other| other.is_same_listener(&listener)) {
            each.push(listener);
        }
    }
    each
}

/// Returns the listeners that the query names.
fn named_listeners<T>(
    request: &Request<'_>,
    shared: &SharedState<T>,
) -> Result<Vec<OpenListenerFaults>, Refusal> {
    let mut listeners = Vec::new();
    for (name, value) in request.query() {
        if name != "listener" {
            let unknown = Quoted(name.as_bytes()).to_string();
            return Err(bad(format!("{unknown}: unknown parameter; the only one is listener")));
        }
        listeners.push(shared.open_listener_faults(&value).map_err(|error| not_found(&error))?);
    }
    Ok(listeners)
}

/// Returns the listener, if there is one only.
fn only_listener(mut listeners: Vec<OpenListenerFaults>) -> Result<OpenListenerFaults, Refusal> {
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
fn parse(body: &[u8], listener: &OpenListenerFaults) -> Result<Faults, Refusal> {
    let text = str::from_utf8(body).map_err(|_| bad("the body is not UTF-8".to_owned()))?;
    let scope = FaultScope::of(&listener.listener);
    let faults = FaultParameters::parse(text.trim()).and_then(|parsed| parsed.checked(scope));
    let none = || "the body has no faults, such as delay=50ms; DELETE clears them".to_owned();
    faults
        .and_then(|faults| faults.ok_or_else(none))
        .map_err(|reason| bad(format!("{}: {reason}", listener.address)))
}

fn not_found(error: &FaultsError) -> Refusal {
    refused(Status::NotFound, error.to_string())
}

fn bad(rule: String) -> Refusal {
    refused(Status::BadRequest, rule)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{config::Listener, shared::fixture::shared_state};

    /// Returns the answer to a request with this body.
    fn answer(shared: &SharedState<()>, line: &str, body: &str) -> Result<Value, Refusal> {
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let request = Request::parse(head.as_bytes(), head.len())?;
        let answer = respond(&request, body.as_bytes(), shared)?;
        Ok(serde_json::from_slice(&answer.body).unwrap())
    }

    fn at(host: &str, listener: &OpenListenerFaults) -> OpenListenerFaults {
        let Listener { endpoint, .. } = Listener::tcp(host, 7);
        let address = listener.listener.options.address(&endpoint);
        OpenListenerFaults { address, endpoint, ..listener.clone() }
    }

    #[test]
    fn the_addresses_of_a_listener_are_one_listener() {
        let (shared, ..) = shared_state(1);
        let listener = Listener::tcp("localhost", 7);
        let (address, endpoint) = (String::new(), listener.endpoint.clone());
        let first = OpenListenerFaults { address, endpoint, listener, faults: Arc::default() };
        let second = OpenListenerFaults { faults: Arc::default(), ..first.clone() };
        shared.publish_faults(vec![at("127.0.0.1", &first), at("::1", &first)]);
        let set = answer(&shared, "PUT /faults", "drop=1%&fault-seed=7").unwrap();
        assert_eq!(set["listeners"].as_array().map(Vec::len), Some(1));
        assert_eq!(set["listeners"][0]["addresses"], serde_json::json!(["127.0.0.1:7", "[::1]:7"]));
        let both = "PUT /faults?listener=[::1]:7&listener=tcp://127.0.0.1:7";
        assert_eq!(answer(&shared, both, "drop=2%").unwrap()["listeners"][0]["faults"], "drop=2%");

        shared.publish_faults(vec![at("127.0.0.1", &first), at("::2", &second)]);
        let error = answer(&shared, "PUT /faults", "drop=1%").unwrap_err();
        assert!(error.rule.contains("name the listener, as in ?listener="), "{error:?}");
        let cleared = answer(&shared, "DELETE /faults", "").unwrap();
        assert_eq!(cleared["listeners"][0]["faults"], Value::Null);
    }

    #[test]
    fn a_listener_that_has_closed_meanwhile_keeps_no_faults() {
        let (shared, ..) = shared_state::<()>(1);
        let listener = Listener::tcp("localhost", 7);
        let (address, endpoint) = ("a".to_owned(), listener.endpoint.clone());
        let closed = OpenListenerFaults { address, endpoint, listener, faults: Arc::default() };
        let faults = Arc::new("delay=1h".parse().unwrap());
        shared.set_faults(&closed, Some(&faults), FaultSource::Admin);
        assert!(closed.faults.get().is_none());
    }
}
