//! Round trips one by one.
//!
//! Owns their payload, their pace, and what counts as lost. Must not know how a message travels, nor
//! how times add up.

use std::{
    io::Write,
    slice,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags};
use socket2::SockAddr;

use crate::{
    connect::Target,
    error::Error,
    exchange::{exchange, take_leave},
    link::Link,
    statistics::{Statistics, millis},
    wait::{Deadline, Interrupt, wait},
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
    /// Bytes on the wire, newline included; at least one.
    pub size: usize,
}

/// Makes the round trips, a line each, and sums them up. `true` if none was lost.
///
/// # Errors
///
/// There is no server to begin with; the output failed. Whatever befalls a round trip after the first
/// connection makes it a lost one.
pub fn run(target: &Target, config: &PingConfig, output: &mut impl Write) -> Result<bool, Error> {
    let deadline = Deadline::after(target.timeout);
    let addresses = target.resolve(deadline)?;
    let connected = target.connect_to(&addresses, deadline, None)?;
    let interrupt = Interrupt::on_ctrl_c()
        .map_err(|error| Error::System { what: "listen for Ctrl+C", error })?;
    let (link, address) = connected;
    let mut pinger = Pinger {
        target,
        address,
        interrupt: &interrupt,
        link: Some(link.interrupted_by(Some(&interrupt))),
    };
    pinger.run(config, output)
}

struct Pinger<'p> {
    target: &'p Target,
    /// The address that answered at first; a name is looked up once, as ping(8) does.
    address: SockAddr,
    interrupt: &'p Interrupt,
    /// `None` after a lost round trip: a reply that comes late must not answer the next.
    link: Option<Link<'p>>,
}

impl<'p> Pinger<'p> {
    fn run(&mut self, config: &PingConfig, output: &mut impl Write) -> Result<bool, Error> {
        let began = Instant::now();
        let mut statistics = Statistics::default();
        for seq in 1..=config.count.unwrap_or(u64::MAX) {
            let next = Deadline::after(config.interval);
            let address = self.address();
            let line = match self.round_trip(&payload(seq, config.size)) {
                Ok(time) => {
                    statistics.record(time);
                    let (size, ms) = (config.size, millis(time));
                    format!("{size} bytes from {address}: seq={seq} time={ms:.3} ms\n")
                }
                // What was under way is neither lost nor received.
                Err(Error::Interrupted) => break,
                Err(error) => {
                    statistics.record_lost();
                    format!("No echo from {address}: seq={seq} ({})\n", brief(&error))
                }
            };
            show(output, &line)?;
            if config.count == Some(seq) || self.interrupted_before(next) {
                break;
            }
        }
        show(output, &format!("\n{}\n", statistics.summary(began.elapsed())))?;
        if let Some(link) = self.link.take() {
            take_leave(link);
        }
        Ok(statistics.is_perfect())
    }

    /// Connects if need be, which is not part of the time, and exchanges one message.
    fn round_trip(&mut self, payload: &[u8]) -> Result<Duration, Error> {
        let link = match self.link.take() {
            Some(link) => link,
            None => self.connect()?,
        };
        let began = Instant::now();
        exchange(&link, payload)?;
        let time = began.elapsed();
        self.link = Some(link);
        Ok(time)
    }

    fn connect(&self) -> Result<Link<'p>, Error> {
        let deadline = Deadline::after(self.target.timeout);
        self.target
            .connect_to(slice::from_ref(&self.address), deadline, Some(self.interrupt))
            .map(|(link, _)| link)
    }

    /// As people read it.
    fn address(&self) -> String {
        self.address.as_socket().map_or_else(|| self.target.to_string(), |at| at.to_string())
    }

    /// Waits for the next round trip's time; `true` if Ctrl+C came before.
    fn interrupted_before(&self, next: Deadline) -> bool {
        let mut fds = [PollFd::new(self.interrupt, PollFlags::IN)];
        wait(&mut fds, next).is_err() || !fds[0].revents().is_empty()
    }
}

/// A line of `size` bytes, newline included. It begins with the number of the round trip, so that no
/// two are the same and none reads as an exit.
fn payload(seq: u64, size: usize) -> Vec<u8> {
    let mut line = Vec::with_capacity(size);
    line.extend(format!("{seq} ").bytes().chain((b'a'..=b'z').cycle()).take(size - 1));
    line.push(b'\n');
    line
}

/// An error as a part of a line.
fn brief(error: &Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    let mut chars = line.chars();
    chars.next().into_iter().flat_map(char::to_lowercase).chain(chars).collect()
}

fn show(output: &mut impl Write, text: &str) -> Result<(), Error> {
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(Error::output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::LONG;
    use common::{
        endpoint::{Endpoint, HostPort},
        exit::is_exit,
    };
    use std::{
        io::Read as _,
        net::{TcpListener, TcpStream},
        os::unix::net::UnixStream,
        thread,
    };

    #[test]
    fn a_payload_has_its_size_is_one_line_and_no_exit() {
        for size in 1..300 {
            for seq in [1, 9, 10, u64::MAX] {
                let payload = payload(seq, size);
                assert_eq!(payload.len(), size);
                assert_eq!(payload.iter().position(|&byte| byte == b'\n'), Some(size - 1));
                assert!(!is_exit(&payload), "{payload:?}");
            }
        }
        assert_ne!(payload(1, 64), payload(2, 64));
    }

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
        let server = address.into();
        let mut pinger =
            Pinger { target: &target, address: server, interrupt: &interrupt, link: None };
        let config = PingConfig { count: Some(count), interval: Duration::ZERO, size: 20 };
        let mut output = Vec::new();
        let perfect = pinger.run(&config, &mut output).unwrap();
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
