//! The handshake of a WebSocket (RFC 6455, section 4.2).

use std::fmt::Write as _;
#[cfg(feature = "rooms")]
use std::{sync::Arc, time::Instant};

use base64::{Engine as _, prelude::BASE64_STANDARD};
#[cfg(feature = "rooms")]
use common::room::is_room_name;
use common::{escape::Quoted, room::JSON_SUBPROTOCOL, websocket};

use super::{
    head::{Framing, Head},
    response::{Refusal, Status, bad, refused},
    target::Host,
};
use crate::{
    config::Http,
    websocket::{Deflate, negotiate},
};
#[cfg(feature = "rooms")]
use crate::{
    config::Room,
    rooms::Rooms,
    session::{Next, Reply},
    websocket::RoomSocket,
};

/// An accepted handshake.
#[derive(Debug)]
pub(super) struct Upgrade {
    pub(super) response: Vec<u8>,
    pub(super) deflate: Option<Deflate>,
    /// The client has chosen the subprotocol of rooms.
    #[cfg(feature = "rooms")]
    pub(super) is_room_json: bool,
}

/// Returns whether the request asks for a WebSocket.
pub(super) fn is_upgrade(head: &Head<'_>) -> bool {
    head.is_1_1
        && head.method == "GET"
        && head.has_option("upgrade", "websocket")
        && head.has_option("connection", "upgrade")
}

/// Accepts the handshake.
///
/// # Errors
///
/// If the client speaks another version, the request is invalid, or the page that sends it must not connect.
pub(super) fn accept(
    head: &Head<'_>,
    config: &Http,
    scheme: &str,
    is_room: bool,
    compresses: bool,
) -> Result<Upgrade, Refusal> {
    if head.framing != Framing::None {
        return Err(bad("the handshake of a WebSocket has no body"));
    }
    if head.value("sec-websocket-version") != Some(b"13") {
        return Err(refused(Status::UpgradeRequired, "the version of WebSocket is not 13"));
    }
    let key = head.value("sec-websocket-key");
    let key = key.filter(|key| BASE64_STANDARD.decode(key).is_ok_and(|key| key.len() == 16));
    let key = key.ok_or(bad("the Sec-WebSocket-Key is invalid"))?;
    check_origin(head, config, scheme)?;
    let offers = head.options("sec-websocket-extensions");
    let deflate = if config.deflate && compresses { negotiate(offers) } else { None };
    let accept = websocket::accept(key);
    let mut response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n"
    );
    let mut offered = head.options("sec-websocket-protocol");
    let is_room_json =
        is_room && head.options("sec-websocket-protocol").any(|name| name == JSON_SUBPROTOCOL);
    if is_room_json {
        let _ = write!(response, "Sec-WebSocket-Protocol: {JSON_SUBPROTOCOL}\r\n");
    } else if let Some(name) =
        offered.find(|name| config.subprotocols.iter().any(|own| own == name))
    {
        let _ = write!(response, "Sec-WebSocket-Protocol: {name}\r\n");
    }
    if let Some(deflate) = deflate {
        let _ = write!(response, "Sec-WebSocket-Extensions: {deflate}\r\n");
    }
    response.push_str("\r\n");
    Ok(Upgrade {
        response: response.into_bytes(),
        deflate,
        #[cfg(feature = "rooms")]
        is_room_json,
    })
}

/// Accepts a member of rooms.
///
/// # Errors
///
/// As [`accept`], or if the path chooses no room of the listener.
#[cfg(feature = "rooms")]
pub(super) fn enter_room(
    head: &Head<'_>,
    config: &Arc<Http>,
    scheme: &str,
    rooms: &(Arc<Rooms>, Arc<Room>),
    now: Instant,
) -> Result<Reply, Refusal> {
    let room = chosen_room(head, &rooms.1)?;
    // The messages of a room are the same bytes for all members.
    let Upgrade { response, is_room_json, .. } = accept(head, config, scheme, true, false)?;
    let socket = RoomSocket::new(rooms.clone(), Arc::clone(config), room, is_room_json, now);
    Ok(Reply { bytes: response.into(), next: Next::Switch(Box::new(socket)) })
}

/// Returns the room that the path of a request chooses; `None`: the first room.
///
/// # Errors
///
/// If it names no room, or the listener has one room only.
#[cfg(feature = "rooms")]
fn chosen_room<'a>(head: &Head<'a>, options: &Room) -> Result<Option<&'a str>, Refusal> {
    let name = head.path.strip_prefix('/').unwrap_or_default();
    if name.is_empty() || name == options.first {
        return Ok(None);
    }
    if !is_room_name(name) {
        return Err(refused(Status::NotFound, "the path is not the name of a room"));
    }
    if !options.may_choose {
        return Err(refused(Status::NotFound, "this listener has one room, at /"));
    }
    Ok(Some(name))
}

/// A browser names the page that opens a WebSocket: it must be the server's own, or one that is configured.
fn check_origin(head: &Head<'_>, config: &Http, scheme: &str) -> Result<(), Refusal> {
    let mut origins = head.values("origin");
    let Some(origin) = origins.next() else { return Ok(()) };
    if origins.next().is_some() {
        return Err(bad("there are several Origin headers"));
    }
    let is_listed = |own: &String| own == "*" || own.as_bytes() == origin;
    if config.origins.iter().any(is_listed) {
        return Ok(());
    }
    let own = head.value("host").map(|host| [scheme.as_bytes(), b"://", host].concat());
    if own.as_deref() != Some(origin) {
        let advice = "is not allowed; add it to origins= of the listener";
        return Err(refused(Status::Forbidden, format!("origin {} {advice}", Quoted(origin))));
    }
    check_own_host(head, &config.hosts, Status::Forbidden)
}

/// Checks that the host is an address, `localhost`, or a configured name: not one that somebody else has made resolve to this
/// server.
///
/// # Errors
///
/// The refusal with this status.
pub(crate) fn check_own_host(
    head: &Head<'_>,
    hosts: &[String],
    status: Status,
) -> Result<(), Refusal> {
    let name = match head.host {
        None | Some(Host::Address(_)) => return Ok(()),
        Some(Host::Name(name)) => name,
    };
    let mut own = hosts.iter().map(|own| &own[..]).chain(["localhost"]);
    if own.any(|own| own.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    let advice = "is not a name of this server; add it to hosts= of the listener";
    Err(refused(status, format!("host {} {advice}", Quoted(name.as_bytes()))))
}
