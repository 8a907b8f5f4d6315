//! What a load's parent and its processes say to each other: lines of JSON over pipes.
//!
//! Parent to child, on the child's standard input: one [`Order`], then [`Word`]s. The end of that
//! stream means that the parent is gone, and ends the child. Child to parent, on the child's standard
//! output: [`Report`]s.

use std::{
    ffi::OsString,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::load::stats::counters::{ErrorKind, Tally};

/// What one process of a load is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Where the server is.
    pub server: Server,
    /// Addresses of this machine to connect from, in turn; none leaves it to the system.
    pub sources: Vec<IpAddr>,
    /// This process's number; the first is 0.
    pub process: u32,
    /// How many processes there are.
    pub processes: u32,
    /// Connections of each process. They are numbered through: this process's first is
    /// `process * connections`.
    pub connections: u32,
    /// What the payload is made from.
    pub seed: u64,
    /// The fewest bytes of a message, newline included.
    pub min_size: u32,
    /// The most.
    pub max_size: u32,
    /// When messages are sent.
    pub pace: Pace,
    /// When it is over.
    pub stop: Stop,
    /// What is sent within this time from the start is checked, but neither counted nor timed.
    pub warmup: Duration,
    /// Connect anew after this many messages.
    pub churn: Option<u64>,
    /// The server may end connections: they are made anew.
    pub expect_restart: bool,
    /// How long connecting may take, and how long bytes that are owed may stay away.
    pub timeout: Duration,
}

/// Where a server is, and so how it is talked to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Server {
    /// By streams.
    Tcp(SocketAddr),
    /// By streams. A path, which need not be text: JSON has it as bytes.
    Unix(OsString),
    /// By datagrams.
    Udp(SocketAddr),
}

/// When messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// Closed loop: each connection has this many messages under way, and sends the next when one has
    /// come back.
    Depth(u32),
    /// Open loop: this many messages a second, of all processes together, whatever comes back.
    Rate(f64),
}

/// When a load is over.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// When this time has passed since the warm-up.
    After(Duration),
    /// When each connection has sent this many messages, those of the warm-up included.
    Messages(u64),
}

/// What the parent says after the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// Begin: all processes are connected.
    Start,
    /// Send nothing more; wait for what is under way, then report.
    Stop,
}

/// What a process says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Report {
    /// All connections are made; it waits for [`Word::Start`].
    Ready,
    /// What has been counted since the last report. Comes at least every [`REPORT_INTERVAL`] or so.
    Progress(Tally),
    /// It is over: the rest, and what it cost.
    Done(Summary),
    /// It cannot go on; it ends.
    Failed {
        /// What kind of thing was in the way.
        kind: ErrorKind,
        /// The system's number for it, where it has one (`errno(3)`).
        errno: Option<i32>,
        /// In words.
        text: String,
    },
}

/// A process's last words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// What has been counted since the last report.
    pub tally: Tally,
    /// From the end of the warm-up to the last message that came back; over UDP, or was sent.
    pub measured: Duration,
    /// From the end of the warm-up to the end of all work: without the time at the end in which it only
    /// waited.
    pub worked: Duration,
    /// CPU time that this process used while it worked, user and system.
    pub cpu: Duration,
}

/// How often a process reports while it works.
pub const REPORT_INTERVAL: Duration = Duration::from_millis(500);

/// One line for the pipe, newline included.
///
/// # Panics
///
/// Never: all that is said can be said in JSON.
pub fn line(said: &impl Serialize) -> String {
    let mut line = serde_json::to_string(said).expect("maps with keys that are strings");
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt as _;

    #[test]
    fn a_path_that_is_no_text_survives_the_pipe() {
        let server = Server::Unix(OsString::from_vec(b"/run/\xff\n".to_vec()));
        assert_eq!(serde_json::from_str::<Server>(&line(&server)).unwrap(), server);
    }

    #[test]
    fn what_is_said_fits_in_a_line() {
        let said =
            Report::Failed { kind: ErrorKind::Connect, errno: Some(111), text: "a\nb".to_owned() };
        let line = line(&said);
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(serde_json::from_str::<Report>(&line).unwrap(), said);
    }
}
