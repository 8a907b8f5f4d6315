//! The faults of listeners as a document.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    config::Faults,
    connection::wall_clock,
    faults::{Injector, OpenListenerFaults},
};

/// Returns the document about these listeners. `all` has each address of each listener of the server.
pub(super) fn to_json(listeners: &[OpenListenerFaults], all: &[OpenListenerFaults]) -> Vec<u8> {
    let listeners: Value = listeners.iter().map(|one| listener(one, all)).collect();
    format!("{:#}\n", json!({ "listeners": listeners })).into_bytes()
}

/// Returns a listener. Without faults, everything about them is `null`.
fn listener(listener: &OpenListenerFaults, all: &[OpenListenerFaults]) -> Value {
    let addresses = all.iter().filter(|other| other.is_same_listener(listener));
    let injector = listener.faults.get();
    let injector = injector.as_deref();
    let age = injector.map(|injector| Instant::now().saturating_duration_since(injector.since()));
    let rules = |faults: &Faults| Faults { seed: None, ..faults.clone() }.to_string();
    json!({
        "listener": listener.address,
        "addresses": addresses.map(|one| &one.address[..]).collect::<Value>(),
        "protocol": listener.listener.options.protocol_name(),
        "faults": injector.map(|injector| rules(injector.faults())),
        "seed": injector.map(Injector::seed),
        "since": age.and_then(since),
        "age_seconds": age.map(|age| age.as_secs_f64()),
        "connections": injector.map(Injector::connections),
    })
}

/// Returns the time that was so long ago, by the wall clock.
fn since(age: Duration) -> Option<String> {
    let at = Timestamp::try_from(wall_clock().checked_sub(age)?).ok()?;
    Some(Timestamp::from_millisecond(at.as_millisecond()).ok()?.to_string())
}
