//! A load's process: what it is when it has been started, before its loop.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::AsFd,
};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Signal, set_parent_process_death_signal},
};

use crate::load::{
    ipc::wire::{Order, Server},
    worker::{connection::Connection, event_loop::Engine, udp::socket::Socket},
};

/// Reads an order from standard input and carries it out, reporting to standard output.
///
/// # Errors
///
/// The parent is gone or spoke nonsense, or the system refused something that the loop cannot do
/// without.
pub fn run() -> io::Result<()> {
    // The end of our input tells that the parent is gone; should we be too busy to hear it, this does.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut commands = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let order: Order = serde_json::from_slice(&read_line(&mut commands)?)?;
    fcntl_setfl(&commands, fcntl_getfl(&commands)? | OFlags::NONBLOCK)?;
    let reports = io::stdout().lock();
    match order.server {
        Server::Udp(_) => Engine::<Socket, _>::new(&order, commands, reports)?.run(),
        Server::Tcp(_) | Server::Unix(_) => {
            Engine::<Connection, _>::new(&order, commands, reports)?.run()
        }
    }
}

/// The first line, and not a byte more: the words behind it are read when they come.
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
    fn a_line_is_read_without_what_follows() {
        let mut input = &b"order\n\"start\"\n"[..];
        assert_eq!(read_line(&mut input).unwrap(), b"order\n");
        assert_eq!(input, b"\"start\"\n");
        assert!(read_line(&mut &b"cut off"[..]).is_err());
    }
}
