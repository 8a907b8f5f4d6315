//! Arguments of `echo-client chat`.

use clap::{Args, ValueEnum};
use common::room::{CommandError, is_guest_name, is_room_name};

use crate::endpoint::args::ServerArgs;

/// Chat in a room.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Chat")]
pub(crate) struct ChatArgs {
    /// Take this name; with a login it is the user's, which cannot be changed
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(super) name: Option<String>,

    /// Join this room [default: the listener's, or the one in the path of a ws:// URL]
    #[arg(long, value_name = "ROOM", value_parser = room)]
    pub(super) room: Option<String>,

    /// Framing of the listener, unless the URL is ws:// or wss:// [default: text]
    #[arg(long, value_enum, value_name = "FRAMING")]
    pub(super) protocol: Option<ChatProtocol>,

    /// Show the number of each event
    #[arg(long)]
    pub(super) seq: bool,

    /// Read and print lines also in a terminal, as in a pipe
    #[arg(long)]
    pub(super) plain: bool,

    /// Print each event as a JSON object in a line; implies --plain
    #[arg(long)]
    pub(super) json: bool,

    /// Server, and the time limit.
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Framings that a listener without WebSocket may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ChatProtocol {
    /// Lines of text
    Text,
    /// Frames, for a listener with framing=length in its URL
    Length,
}

fn name(typed: &str) -> Result<String, String> {
    let is_valid = is_guest_name(typed);
    if is_valid { Ok(typed.to_owned()) } else { Err(expected(CommandError::Name)) }
}

fn room(typed: &str) -> Result<String, String> {
    let is_valid = is_room_name(typed);
    if is_valid { Ok(typed.to_owned()) } else { Err(expected(CommandError::Room)) }
}

/// Returns the rule as the end of a message about an argument.
fn expected(rule: CommandError) -> String {
    let rule = rule.to_string();
    rule.replacen("A name", "a name", 1).replacen("A room", "a room", 1)
}

/// Text after the help of `chat`.
pub(crate) const EXAMPLES: &str = "\
In a terminal:
  Enter          send the line; a line that begins with '/' is a command, '//' sends a '/'
  Up, Down       lines that were sent before
  Tab            complete a command, or the name of a member
  Page Up, Down  scroll; Ctrl+Home and Ctrl+End to the ends, Esc back to the newest message
  Ctrl+C         leave, as /quit and a line 'exit' do; Ctrl+D on an empty line too

Commands:
  /join ROOM, /leave, /name NAME, /who, /seq on|off, /help, /quit

Examples:
  echo-client chat                                    the room of the server on this machine
  echo-client chat --name bob chat.example.com:7      with a name
  echo-client chat wss://chat.example.com/team        a room over WebSocket with TLS
  echo-client chat --user bob tls://chat.example.com  with a login
  date | echo-client chat --room builds               send one message
  tail -f /dev/null | echo-client chat --json         follow a room, for a script

Exit status:
  0  the user has left, or every line of the input has returned from the room
  1  the server was not reached or closed the connection, or messages were lost (in a pipe)
  2  invalid command line";
