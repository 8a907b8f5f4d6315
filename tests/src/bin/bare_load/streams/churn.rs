//! Connections with one message each: connect, send, wait for the echo, close, repeat. A round trip lasts from before
//! the connect to the last byte of the echo.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure};
use rustix::{
    event::epoll::{self, EventData, EventFlags},
    fd::OwnedFd,
    net::{RecvFlags, recv},
};

use crate::{
    args::{Args, SOCKET_CAPACITY},
    load::Load,
    measurement::Measurement,
    socket::{Ready, connect, send_all, start_timer},
};

pub(crate) struct Churn {
    epoll: OwnedFd,
    /// Each slot has one connection after the other.
    slots: Vec<Slot>,
    message: Vec<u8>,
    port: u16,
    /// Number of connections so far.
    opened: usize,
}

struct Slot {
    stream: TcpStream,
    returned: usize,
    /// Time before the connect, if it is known.
    start: Option<Instant>,
}

impl Churn {
    pub(crate) fn connect(args: &Args) -> anyhow::Result<Self> {
        ensure!(
            args.in_flight().is_some_and(|bytes| bytes <= SOCKET_CAPACITY),
            "a message is larger than a socket buffer"
        );
        let mut churn = Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            slots: Vec::new(),
            message: args.message()?.0,
            port: args.port,
            opened: 0,
        };
        for number in 0..args.connections.get() {
            let slot = churn.open(number, None)?;
            churn.slots.push(slot);
        }
        Ok(churn)
    }

    /// Opens a connection and sends its message.
    fn open(&mut self, number: usize, start: Option<Instant>) -> anyhow::Result<Slot> {
        let stream = connect(self.port, self.opened)?;
        self.opened += 1;
        epoll::add(&self.epoll, &stream, EventData::new_u64(number as u64), EventFlags::IN)?;
        send_all(&stream, &self.message)?;
        Ok(Slot { stream, returned: 0, start })
    }
}

impl Load for Churn {
    fn run(&mut self, duration: Duration, measurement: &mut Measurement) -> anyhow::Result<u64> {
        let _timer = start_timer(&self.epoll, duration)?;
        for slot in &mut self.slots {
            slot.start = None;
        }
        let mut ready = Ready::new();
        let mut buffer = vec![0; SOCKET_CAPACITY];
        let mut count = 0;
        while let Some(number) = ready.wait(&self.epoll)? {
            let slot = &mut self.slots[number];
            match recv(&slot.stream, &mut buffer[..], RecvFlags::DONTWAIT)? {
                (0, _) => bail!("the server has closed a connection"),
                (len, _) => slot.returned += len,
            }
            if slot.returned == self.message.len() {
                count += 1;
                measurement.lap(&mut slot.start);
                let start = slot.start;
                // Replacing the old connection closes it.
                self.slots[number] = self.open(number, start)?;
            }
        }
        Ok(count)
    }
}
