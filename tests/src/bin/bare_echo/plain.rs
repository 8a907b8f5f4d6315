//! A connection with the bytes of the wire.

use std::net::TcpStream;

use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};

use crate::server::Connection;

pub(crate) struct PlainConnection(pub(crate) TcpStream);

impl Connection for PlainConnection {
    fn echo(&mut self, buffer: &mut [u8]) -> bool {
        loop {
            let len = match recv(&self.0, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((0, _)) => return false,
                Ok((len, _)) => len,
                Err(error) => return error == Errno::AGAIN,
            };
            let mut sent = 0;
            while sent < len {
                match send(&self.0, &buffer[sent..len], SendFlags::NOSIGNAL) {
                    Ok(count) => sent += count,
                    Err(_) => return false,
                }
            }
            // A short read has emptied the socket; later bytes cause a new event.
            if len < buffer.len() {
                return true;
            }
        }
    }
}
