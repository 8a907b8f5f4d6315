//! Connections that live for one message: connect, send, wait for the echo, close, and again. Its
//! round trips are from before the connect to the last byte of the echo.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure};
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, EventData, EventFlags},
    fd::OwnedFd,
    net::{RecvFlags, recv},
};

use crate::{
    Args, HELD_BY_SOCKET, Load,
    report::Watch,
    socket::{EVENTS, TIMER, connect, send_all, start_timer},
};

pub(crate) struct Churn {
    epoll: OwnedFd,
    /// Where connections are: each place has one after the other.
    places: Vec<Place>,
    message: Vec<u8>,
    port: u16,
    /// How many connections there have been.
    made: usize,
}

struct Place {
    stream: TcpStream,
    returned: usize,
    /// Before it was connected, if that is to be known.
    begun: Option<Instant>,
}

impl Churn {
    pub(crate) fn connect(args: &Args) -> anyhow::Result<Self> {
        ensure!(args.under_way().is_some_and(|bytes| bytes <= HELD_BY_SOCKET), "too large");
        let mut churn = Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            places: Vec::new(),
            message: args.message(),
            port: args.port,
            made: 0,
        };
        for number in 0..args.connections.get() {
            let place = churn.open(number, None)?;
            churn.places.push(place);
        }
        Ok(churn)
    }

    /// A new connection with its message under way.
    fn open(&mut self, number: usize, begun: Option<Instant>) -> anyhow::Result<Place> {
        let stream = connect(self.port, self.made)?;
        self.made += 1;
        epoll::add(&self.epoll, &stream, EventData::new_u64(number as u64), EventFlags::IN)?;
        send_all(&stream, &self.message)?;
        Ok(Place { stream, returned: 0, begun })
    }
}

impl Load for Churn {
    fn run(&mut self, duration: Duration, watch: &mut Watch) -> anyhow::Result<u64> {
        let _timer = start_timer(&self.epoll, duration)?;
        for place in &mut self.places {
            place.begun = None;
        }
        let mut events = Vec::with_capacity(EVENTS);
        let mut buffer = vec![0; HELD_BY_SOCKET];
        let mut count = 0;
        loop {
            events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut events), None)?;
            for event in &events {
                let data = event.data.u64();
                if data == TIMER {
                    return Ok(count);
                }
                let number = usize::try_from(data).expect("a number of ours");
                let place = &mut self.places[number];
                match recv(&place.stream, &mut buffer[..], RecvFlags::DONTWAIT)? {
                    (0, _) => bail!("the server has closed a connection"),
                    (len, _) => place.returned += len,
                }
                if place.returned == self.message.len() {
                    count += 1;
                    watch.lap(&mut place.begun);
                    let begun = place.begun;
                    // The old one is closed when the new one takes its place.
                    self.places[number] = self.open(number, begun)?;
                }
            }
        }
    }
}
