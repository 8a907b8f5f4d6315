//! Validated settings of `chat`.

use common::room::JSON_SUBPROTOCOL;

use super::args::{ChatArgs, ChatProtocol};
use crate::websocket::{Format, Options};

/// Settings of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChatConfig {
    /// Name to take.
    pub(super) name: Option<String>,
    /// Room to join.
    pub(super) room: Option<String>,
    /// Events are frames, unless they are messages of a WebSocket.
    pub(super) uses_frames: bool,
    /// The number of each event is shown.
    pub(super) shows_numbers: bool,
    /// Where events are shown, and how.
    pub(super) output: Output,
}

/// Where events are shown, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// On the whole screen in a terminal, as lines otherwise.
    Auto,
    /// As lines of text.
    Lines,
    /// As JSON objects, one a line.
    Json,
}

/// Contradiction of the arguments of a chat and its server.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidChat {
    /// `--protocol` with a WebSocket.
    #[error("'--protocol' cannot be used with the URL of a WebSocket, whose messages are JSON")]
    Protocol,
    /// `--ws-protocol`, which chat decides.
    #[error("'--ws-protocol' cannot be used with 'chat', whose subprotocol is {JSON_SUBPROTOCOL}")]
    Subprotocol,
    /// The room is named twice.
    #[error("'--room' cannot be used with the path of {0}, which names the room: omit one of them")]
    RoomTwice(String),
    /// A guest's name with a login.
    #[error("'--name' cannot be used with a login: the name is that of the user")]
    NameOfUser,
}

impl From<ChatArgs> for ChatConfig {
    fn from(args: ChatArgs) -> Self {
        Self {
            name: args.name,
            room: args.room,
            uses_frames: args.protocol == Some(ChatProtocol::Length),
            shows_numbers: args.seq,
            output: match (args.json, args.plain) {
                (true, _) => Output::Json,
                (false, true) => Output::Lines,
                (false, false) => Output::Auto,
            },
        }
    }
}

/// Prepares the connections of a chat. Over a WebSocket the path names the room.
///
/// # Errors
///
/// The arguments contradict each other, or the server.
pub(crate) fn prepare(
    args: &ChatArgs,
    websocket: Option<&mut Options>,
    has_login: bool,
) -> Result<(), InvalidChat> {
    if has_login && args.name.is_some() {
        return Err(InvalidChat::NameOfUser);
    }
    let Some(websocket) = websocket else { return Ok(()) };
    if args.protocol.is_some() {
        return Err(InvalidChat::Protocol);
    }
    if !websocket.protocols.is_empty() {
        return Err(InvalidChat::Subprotocol);
    }
    websocket.protocols = vec![JSON_SUBPROTOCOL.to_owned()];
    websocket.is_protocol_required = true;
    websocket.format = Format::Objects;
    if let Some(room) = &args.room {
        let path = websocket.target.split('?').next().unwrap_or_default();
        if !path.ends_with('/') {
            return Err(InvalidChat::RoomTwice(websocket.url.clone()));
        }
        websocket.target = with_room(&websocket.target, room);
        websocket.url = with_room(&websocket.url, room);
    }
    Ok(())
}

/// Adds a room to the end of a path, which a query may follow.
fn with_room(url: &str, room: &str) -> String {
    let (path, query) = url.find('?').map_or((url, ""), |at| url.split_at(at));
    let slash = if path.ends_with('/') { "" } else { "/" };
    format!("{path}{slash}{room}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        chat: ChatArgs,
    }

    fn args(args: &[&str]) -> ChatArgs {
        Line::try_parse_from([&["chat"], args].concat()).unwrap().chat
    }

    fn websocket(url: &str, target: &str) -> Options {
        Options {
            url: url.to_owned(),
            host: "a".to_owned(),
            target: target.to_owned(),
            origin: None,
            authorization: None,
            protocols: Vec::new(),
            is_protocol_required: false,
            format: Format::Lines,
        }
    }

    #[test]
    fn over_a_websocket_the_room_is_the_end_of_the_path() {
        for (url, target, with_room) in [
            ("ws://a:80", "/", ("ws://a:80/team", "/team")),
            ("ws://a:80/chat/?b=/", "/chat/?b=/", ("ws://a:80/chat/team?b=/", "/chat/team?b=/")),
        ] {
            let mut options = websocket(url, target);
            prepare(&args(&["--room", "team"]), Some(&mut options), false).unwrap();
            assert_eq!((options.url.as_str(), options.target.as_str()), with_room);
            assert_eq!(options.protocols, ["rooms.v1.json"]);
            assert!(options.is_protocol_required && options.format == Format::Objects);
        }
        let mut options = websocket("ws://a:80/lobby", "/lobby");
        let twice = InvalidChat::RoomTwice("ws://a:80/lobby".to_owned());
        let prepared = prepare(&args(&["--room", "team"]), Some(&mut options), false);
        assert_eq!(prepared, Err(twice));
        let mut options = websocket("ws://a:80/lobby", "/lobby");
        assert_eq!(prepare(&args(&[]), Some(&mut options), false), Ok(()));
        assert_eq!(options.target, "/lobby");
    }

    #[test]
    fn contradictions_are_refused_by_name() {
        let mut options = websocket("ws://a:80", "/");
        let protocol = args(&["--protocol", "length"]);
        assert_eq!(prepare(&protocol, Some(&mut options), false), Err(InvalidChat::Protocol));
        assert_eq!(prepare(&protocol, None, false), Ok(()));
        options.protocols = vec!["chat".to_owned()];
        assert_eq!(prepare(&args(&[]), Some(&mut options), false), Err(InvalidChat::Subprotocol));
        assert_eq!(prepare(&args(&["--name", "bob"]), None, true), Err(InvalidChat::NameOfUser));
    }

    #[test]
    fn a_name_and_a_room_follow_the_rules_of_the_server() {
        for (flag, typed, rule) in [
            ("--name", "@bob", "a name has 1 to 32 letters"),
            ("--name", "", "a name has 1 to 32 letters"),
            ("--room", "a b", "a room has a name of 1 to 64 letters"),
        ] {
            let error = Line::try_parse_from(["chat", flag, typed]).err().unwrap().to_string();
            assert!(error.contains(rule), "{error}");
        }
    }
}
