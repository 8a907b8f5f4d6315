//! Entry point of a worker process.

use std::{
    fs::File,
    io::{self, Read, StdoutLock},
    os::fd::AsFd,
};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Signal, set_parent_process_death_signal},
    thread::set_name,
};

use zeroize::Zeroizing;

use super::{
    connection::Connection,
    event_loop::EventLoop,
    io::{
        websocket_wire::WebSocketWire,
        wire::{PlainWire, TlsWire, Wire},
    },
    observe::{ObservedConnection, ObservedSocket},
    room::Member,
    udp::UdpSocket,
};
use crate::load::ipc::worker_config::{Server, WorkerConfig};

/// Reads its configuration from standard input, runs the load, and reports to standard output.
///
/// # Errors
///
/// The coordinator is gone or sent something else, or the system refused something that the event loop
/// cannot do without.
pub(crate) fn run() -> io::Result<()> {
    // The end of standard input also tells that the coordinator is gone, but a busy worker reads it late.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The system names a process after the path by which it was started, which is `/proc/self/exe`.
    let _ = set_name(c"echo-client");
    let mut commands = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let config: WorkerConfig = serde_json::from_slice(&Zeroizing::new(read_line(&mut commands)?))?;
    fcntl_setfl(&commands, fcntl_getfl(&commands)? | OFlags::NONBLOCK)?;
    let messages = io::stdout().lock();
    match config.server {
        Server::Udp(_) if config.expects_faults => {
            EventLoop::<ObservedSocket, _>::new(&config, commands, messages)?.run()
        }
        Server::Tcp(_) | Server::Unix(_) if config.expects_faults => {
            EventLoop::<ObservedConnection, _>::new(&config, commands, messages)?.run()
        }
        Server::Udp(_) => EventLoop::<UdpSocket, _>::new(&config, commands, messages)?.run(),
        Server::Tcp(_) | Server::Unix(_) => {
            let run = match (&config.tls, &config.websocket) {
                (None, None) => run_streams::<PlainWire>,
                (Some(_), None) => run_streams::<TlsWire>,
                (None, Some(_)) => run_streams::<WebSocketWire<PlainWire>>,
                (Some(_), Some(_)) => run_streams::<WebSocketWire<TlsWire>>,
            };
            run(&config, commands, messages)
        }
    }
}

fn run_streams<W: Wire>(
    config: &WorkerConfig,
    commands: File,
    messages: StdoutLock<'_>,
) -> io::Result<()> {
    if config.room.is_some() {
        return EventLoop::<Member<W>, _>::new(config, commands, messages)?.run();
    }
    EventLoop::<Connection<W>, _>::new(config, commands, messages)?.run()
}

/// Reads the first line and nothing after it: the commands are read when they arrive.
fn read_line(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.last() != Some(&b'\n') {
        input.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_line_and_nothing_after_it() {
        let mut input = &b"config\n\"start\"\n"[..];
        assert_eq!(read_line(&mut input).unwrap(), b"config\n");
        assert_eq!(input, b"\"start\"\n");
        assert!(read_line(&mut &b"cut off"[..]).is_err());
    }
}
