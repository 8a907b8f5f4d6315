//! Round trips one by one.
//!
//! Owns their pace, what counts as lost, and what is shown. Must not know how a message travels, nor how
//! times add up.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use common::endpoint::Endpoint;

use crate::ping::{datagrams::Datagrams, sequence::Aside, stream::Stream};
use crate::{
    net::{
        error::Error,
        poll::{Deadline, Interrupt},
        target::Target,
    },
    ping::statistics::{Odd, Statistics, millis},
};

/// Bytes of a round trip unless told otherwise: what ping(8) sends, with its header.
pub const DEFAULT_SIZE: usize = 64;

/// The most bytes of a round trip (16 MiB): it is held in memory, and has to return within a timeout
/// that is meant for a reply.
pub const MAX_SIZE: usize = 16 * 1024 * 1024;

/// How to measure round trips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PingConfig {
    /// How many; `None` is until Ctrl+C.
    pub count: Option<u64>,
    /// From the start of one to the start of the next.
    pub interval: Duration,
    /// Bytes of a message, over a connection with the newline at their end; at least one, of a datagram
    /// [`datagrams::MIN_SIZE`].
    pub size: usize,
}

/// Makes the round trips, a line each, and sums them up. `true` if none was lost.
///
/// # Errors
///
/// There is no server to begin with; the output failed. Whatever befalls a round trip after the first
/// connection makes it a lost one. Datagrams have no connection to begin with.
pub fn run(target: &Target, config: &PingConfig, output: &mut impl Write) -> Result<bool, Error> {
    let deadline = Deadline::after(target.timeout);
    let addresses = target.resolve(deadline)?;
    let on_ctrl_c = || {
        Interrupt::on_ctrl_c().map_err(|error| Error::System { what: "listen for Ctrl+C", error })
    };
    if matches!(target.endpoint, Endpoint::Udp(_)) {
        let interrupt = on_ctrl_c()?;
        return series(Datagrams::new(target, addresses, config.size, &interrupt)?, config, output);
    }
    let (link, address) = target.connect_to(&addresses, deadline, None)?;
    let interrupt = on_ctrl_c()?;
    let link = Some(link.interrupted_by(Some(&interrupt)));
    series(Stream { target, address, interrupt: &interrupt, link }, config, output)
}

/// A way to a server.
pub(super) trait Route {
    /// The server's address as people read it.
    fn server(&self) -> String;

    /// One round trip of so many bytes, and how long it took. Only [`Error::Interrupted`] and a failed
    /// output are not the server's fault.
    fn round_trip(
        &mut self,
        seq: u64,
        size: usize,
        on_aside: OnAside<'_>,
    ) -> Result<Duration, Error>;

    /// Waits for the next round trip's time, or for Ctrl+C ([`Error::Interrupted`]).
    fn rest(&mut self, until: Deadline, on_aside: OnAside<'_>) -> Result<(), Error>;

    /// Leaves as one should.
    fn end(self);
}

/// Told of everything that comes and is not waited for.
pub(super) type OnAside<'a> = &'a mut dyn FnMut(&Aside) -> Result<(), Error>;

fn series(
    mut route: impl Route,
    config: &PingConfig,
    output: &mut impl Write,
) -> Result<bool, Error> {
    let began = Instant::now();
    let mut screen = Screen { output, statistics: Statistics::default() };
    for seq in 1..=config.count.unwrap_or(u64::MAX) {
        let next = Deadline::after(config.interval);
        let server = route.server();
        let tripped = route.round_trip(seq, config.size, &mut |aside| screen.aside(&server, aside));
        let server = route.server();
        match tripped {
            Ok(time) => screen.reply(&server, seq, config.size, time)?,
            // What was under way is neither lost nor received.
            Err(Error::Interrupted) => break,
            Err(error @ (Error::Output(_) | Error::OutputClosed)) => return Err(error),
            Err(error) => screen.lost(&server, seq, &error)?,
        }
        if config.count == Some(seq) {
            break;
        }
        match route.rest(next, &mut |aside| screen.aside(&server, aside)) {
            Err(Error::Interrupted) => break,
            rested => rested?,
        }
    }
    screen.show(&format!("\n{}\n", screen.statistics.summary(began.elapsed())))?;
    route.end();
    Ok(screen.statistics.is_perfect())
}

/// A line for everything that happens, and its count.
struct Screen<'o, Output> {
    output: &'o mut Output,
    statistics: Statistics,
}

impl<Output: Write> Screen<'_, Output> {
    fn reply(&mut self, server: &str, seq: u64, size: usize, time: Duration) -> Result<(), Error> {
        self.statistics.record(time);
        let ms = millis(time);
        self.show(&format!("{size} bytes from {server}: seq={seq} time={ms:.3} ms\n"))
    }

    fn lost(&mut self, server: &str, seq: u64, error: &Error) -> Result<(), Error> {
        self.statistics.record_lost();
        if matches!(error, Error::WrongEcho(_)) {
            self.statistics.record_odd(Odd::Wrong);
        }
        self.show(&format!("No echo from {server}: seq={seq} ({})\n", brief(error)))
    }

    fn aside(&mut self, server: &str, Aside { odd, len, text }: &Aside) -> Result<(), Error> {
        self.statistics.record_odd(*odd);
        self.show(&format!("{len} bytes from {server}: {text}\n"))
    }

    fn show(&mut self, text: &str) -> Result<(), Error> {
        let shown = self.output.write_all(text.as_bytes()).and_then(|()| self.output.flush());
        shown.map_err(Error::output)
    }
}

/// An error as a part of a line.
fn brief(error: &Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    let mut chars = line.chars();
    chars.next().into_iter().flat_map(char::to_lowercase).chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::LONG;
    use common::endpoint::HostPort;
    use std::{
        io::Read as _,
        net::{TcpListener, TcpStream},
        os::unix::net::UnixStream,
        thread,
    };

    /// Pings a server of which every connection is served by `serve`, with an interrupt raised or not.
    fn pinged(serve: fn(TcpStream), count: u64, raised: bool) -> (String, bool) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || listener.incoming().flatten().for_each(serve));
        let (interrupted, mut ctrl_c) = UnixStream::pair().unwrap();
        if raised {
            ctrl_c.write_all(b"!").unwrap();
        }
        let host = address.ip().to_string();
        let endpoint = Endpoint::Tcp(HostPort { host, port: address.port() });
        let target = Target { endpoint, timeout: LONG };
        let interrupt = Interrupt::from(interrupted);
        let stream =
            Stream { target: &target, address: address.into(), interrupt: &interrupt, link: None };
        let config = PingConfig { count: Some(count), interval: Duration::ZERO, size: 20 };
        let mut output = Vec::new();
        let perfect = series(stream, &config, &mut output).unwrap();
        let text = String::from_utf8(output).unwrap();
        (text.replace(&address.to_string(), "SERVER"), perfect)
    }

    fn echo(mut stream: TcpStream) {
        let mut reader = stream.try_clone().unwrap();
        let _ = std::io::copy(&mut reader, &mut stream);
    }

    /// Answers one ping and leaves.
    fn echo_once(mut stream: TcpStream) {
        let mut line = [0; 20];
        if stream.read_exact(&mut line).is_ok() {
            let _ = stream.write_all(&line);
        }
    }

    #[test]
    fn every_round_trip_is_a_line_and_the_summary_the_last() {
        let (text, perfect) = pinged(echo, 3, false);
        let lines: Vec<_> = text.lines().collect();
        assert!(perfect);
        assert!(lines[0].starts_with("20 bytes from SERVER: seq=1 time="), "{text}");
        assert!(lines[2].starts_with("20 bytes from SERVER: seq=3 time="), "{text}");
        assert_eq!(lines[3], "");
        assert!(lines[4].starts_with("3 sent, 3 received, 0% lost, time "), "{text}");
        assert!(lines[5].starts_with("min/avg/max/stddev = "), "{text}");
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn a_lost_connection_is_a_lost_round_trip_and_the_next_connects_again() {
        let (text, perfect) = pinged(echo_once, 3, false);
        let lines: Vec<_> = text.lines().collect();
        assert!(!perfect);
        assert!(lines[0].starts_with("20 bytes from SERVER: seq=1 "), "{text}");
        assert!(lines[1].starts_with("No echo from SERVER: seq=2 (the "), "{text}");
        assert!(lines[2].starts_with("20 bytes from SERVER: seq=3 "), "{text}");
        assert!(lines[4].starts_with("3 sent, 2 received, 33.3333% lost, "), "{text}");
    }

    #[test]
    fn ctrl_c_ends_it_with_the_summary() {
        let (text, perfect) = pinged(echo, 1_000_000, true);
        assert!(!perfect);
        assert!(text.starts_with("\n0 sent, 0 received, 0% lost, time "), "{text}");
    }
}
