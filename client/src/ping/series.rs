//! Series of round trips: their pace, a line for each, and the summary.
//!
//! Must not know how a message travels.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use common::{cli::print_error, endpoint::Endpoint};

use crate::{
    echo,
    net::{
        poll::{Deadline, Interrupt},
        target::{Connected, Target},
    },
    stdio::{self, print},
};

use super::{
    config::PingConfig,
    datagrams::Datagrams,
    error::Error,
    sequence::Unexpected,
    statistics::{Anomaly, Statistics, millis},
    stream::StreamTransport,
    transport::Transport,
};

/// Makes the round trips, prints a line for each and a summary; returns `true` if none was lost.
///
/// # Errors
///
/// The server cannot be reached at the start, or the output failed. Any later failure counts as a lost
/// round trip. Over UDP there is no connection that could fail at the start.
pub(crate) fn run(
    target: &Target,
    config: &PingConfig,
    output: &mut impl Write,
) -> Result<bool, Error> {
    let deadline = Deadline::after(target.timeout);
    let addresses = target.resolve(deadline)?;
    if matches!(target.endpoint, Endpoint::Udp(_)) {
        let interrupt = Interrupt::on_ctrl_c()?;
        let transport = Datagrams::new(target, addresses, config.size, &interrupt)?;
        return run_series(transport, config, output);
    }
    let connected = target.connect_to(&addresses, deadline, None)?;
    let Connected { stream, address, times } = connected;
    let connection_times = Some(times);
    let interrupt = &Interrupt::on_ctrl_c()?;
    let stream = Some(stream.interrupted_by(Some(interrupt)));
    let uses_pings = config.uses_pings;
    let transport =
        StreamTransport { target, address, interrupt, stream, connection_times, uses_pings };
    run_series(transport, config, output)
}

fn run_series(
    mut transport: impl Transport,
    config: &PingConfig,
    output: &mut impl Write,
) -> Result<bool, Error> {
    let start = Instant::now();
    let mut screen = Screen { output, statistics: Statistics::default(), has_advice: false };
    for seq in 1..=config.count.unwrap_or(u64::MAX) {
        let next = Deadline::after(config.interval);
        let server = transport.server();
        let result =
            transport.round_trip(seq, config.size, &mut |it| screen.unexpected(&server, it));
        let server = transport.server();
        if let Some(times) = transport.take_connection_times() {
            screen.statistics.record_connection(times);
        }
        match result {
            Ok(time) => screen.reply(&server, seq, config.size, time)?,
            // An interrupted round trip is neither lost nor received.
            Err(error) if error.is_interrupted() => break,
            Err(error @ Error::Stdio(_)) => return Err(error),
            Err(error) => {
                screen.lost(&server, seq, &error)?;
                screen.advise(transport.advice(&error));
            }
        }
        if config.count == Some(seq) {
            break;
        }
        match transport.wait(next, &mut |it| screen.unexpected(&server, it)) {
            Err(error) if error.is_interrupted() => break,
            waited => waited?,
        }
    }
    screen.print(&format!("\n{}\n", screen.statistics.summary(start.elapsed())))?;
    transport.close();
    Ok(screen.statistics.is_perfect())
}

/// Output of one line for each event, which it also counts.
struct Screen<'o, Output> {
    output: &'o mut Output,
    statistics: Statistics,
    /// Advice was printed.
    has_advice: bool,
}

impl<Output: Write> Screen<'_, Output> {
    fn reply(&mut self, server: &str, seq: u64, size: usize, time: Duration) -> Result<(), Error> {
        self.statistics.record(time);
        let ms = millis(time);
        Ok(self.print(&format!("{size} bytes from {server}: seq={seq} time={ms:.3} ms\n"))?)
    }

    fn lost(&mut self, server: &str, seq: u64, error: &Error) -> Result<(), Error> {
        self.statistics.record_lost();
        if matches!(error, Error::Echo(echo::Error::WrongEcho(_))) {
            self.statistics.record_anomaly(Anomaly::Wrong);
        }
        Ok(self.print(&format!("No echo from {server}: seq={seq} ({})\n", brief(error)))?)
    }

    /// Prints advice on standard error, once.
    fn advise(&mut self, advice: Option<String>) {
        if let Some(advice) = advice.filter(|_| !self.has_advice) {
            self.has_advice = true;
            print_error(&advice);
        }
    }

    fn unexpected(
        &mut self,
        server: &str,
        Unexpected { anomaly, len, text }: &Unexpected,
    ) -> Result<(), Error> {
        self.statistics.record_anomaly(*anomaly);
        Ok(self.print(&format!("{len} bytes from {server}: {text}\n"))?)
    }

    fn print(&mut self, text: &str) -> Result<(), stdio::Error> {
        print(self.output, text)
    }
}

/// Returns the first line of an error, to be put in parentheses.
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

    /// Pings a server that runs `serve` for each connection, with an interrupt that is raised or not.
    fn ping(serve: fn(TcpStream), count: u64, is_interrupted: bool) -> (String, bool) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || listener.incoming().flatten().for_each(serve));
        let (interrupted, mut ctrl_c) = UnixStream::pair().unwrap();
        if is_interrupted {
            ctrl_c.write_all(b"!").unwrap();
        }
        let host = address.ip().to_string();
        let endpoint = Endpoint::Tcp(HostPort { host, port: address.port() });
        let target = Target::new(endpoint, LONG);
        let interrupt = Interrupt::from(interrupted);
        let transport = StreamTransport {
            target: &target,
            address: address.into(),
            interrupt: &interrupt,
            stream: None,
            connection_times: None,
            uses_pings: false,
        };
        let config = PingConfig {
            count: Some(count),
            interval: Duration::ZERO,
            size: 20,
            uses_pings: false,
        };
        let mut output = Vec::new();
        let is_perfect = run_series(transport, &config, &mut output).unwrap();
        let text = String::from_utf8(output).unwrap();
        (text.replace(&address.to_string(), "SERVER"), is_perfect)
    }

    fn echo(mut stream: TcpStream) {
        let mut reader = stream.try_clone().unwrap();
        let _ = std::io::copy(&mut reader, &mut stream);
    }

    /// Answers one ping and closes.
    fn echo_once(mut stream: TcpStream) {
        let mut line = [0; 20];
        if stream.read_exact(&mut line).is_ok() {
            let _ = stream.write_all(&line);
        }
    }

    #[test]
    fn prints_a_line_for_each_round_trip_and_a_summary() {
        let (text, is_perfect) = ping(echo, 3, false);
        let lines: Vec<_> = text.lines().collect();
        assert!(is_perfect);
        assert!(lines[0].starts_with("20 bytes from SERVER: seq=1 time="), "{text}");
        assert!(lines[2].starts_with("20 bytes from SERVER: seq=3 time="), "{text}");
        assert_eq!(lines[3], "");
        assert!(lines[4].starts_with("3 sent, 3 received, 0% lost, time "), "{text}");
        assert!(lines[5].starts_with("min/avg/max/stddev = "), "{text}");
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn a_lost_connection_is_a_lost_round_trip_and_the_next_one_reconnects() {
        let (text, is_perfect) = ping(echo_once, 3, false);
        let lines: Vec<_> = text.lines().collect();
        assert!(!is_perfect);
        assert!(lines[0].starts_with("20 bytes from SERVER: seq=1 "), "{text}");
        assert!(lines[1].starts_with("No echo from SERVER: seq=2 (the "), "{text}");
        assert!(lines[2].starts_with("20 bytes from SERVER: seq=3 "), "{text}");
        assert!(lines[4].starts_with("3 sent, 2 received, 33.3333% lost, "), "{text}");
    }

    #[test]
    fn ctrl_c_ends_the_series_with_the_summary() {
        let (text, is_perfect) = ping(echo, 1_000_000, true);
        assert!(!is_perfect);
        assert!(text.starts_with("\n0 sent, 0 received, 0% lost, time "), "{text}");
    }
}
