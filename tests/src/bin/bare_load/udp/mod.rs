//! UDP sockets, each with the same number of datagrams in flight.
//!
//! The kernel drops a datagram for which a buffer has no room, so a load that only counts would end with nothing in
//! flight. Each datagram begins with its number: when one returns, those that the same socket has sent before it have
//! returned or are lost, and others take their places. If nothing returns, all of a socket are lost after a time.
//!
//! Start with [`Udp`]; [`calls`] has the two ways to send and receive.

mod calls;

use std::{
    net::{Ipv4Addr, UdpSocket},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, Event, EventData, EventFlags},
    fd::OwnedFd,
    io::read,
};
use socket2::SockRef;

use self::calls::{Exchange, NUMBER};
use crate::{
    args::Args,
    load::Load,
    measurement::Measurement,
    socket::{EVENTS, TICK, TIMER, start_ticks, start_timer},
};

/// Time without an answer after which the datagrams of a socket are lost: between one and two of these.
const LOSS_TIMEOUT: Duration = Duration::from_millis(100);

/// Requested receive buffer. It has to hold everything that a socket has in flight.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

pub(crate) struct Udp {
    epoll: OwnedFd,
    flows: Vec<Flow>,
    /// Number of datagrams that each socket has in flight.
    depth: usize,
    exchange: Exchange,
    events: Vec<Event>,
}

/// A socket and its datagrams.
struct Flow {
    socket: UdpSocket,
    /// Number of the datagram that is sent next. A run of hours is too short for the last one.
    next: u32,
    /// Those with lower numbers have returned or are lost.
    first_in_flight: u32,
    /// Value of `first_in_flight` at the last tick.
    at_last_tick: Option<u32>,
    /// Time at which the datagram in flight was sent, if it is known.
    sent: Option<Instant>,
}

impl Udp {
    pub(crate) fn connect(args: &Args) -> anyhow::Result<Self> {
        let calls = args.udp.context("the load is not over UDP")?;
        let size = args.size.get();
        ensure!(size >= NUMBER, "a datagram has at least {NUMBER} bytes, for its number");
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut flows = Vec::new();
        for number in 0..args.connections.get() {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER)?;
            let port = args.port;
            socket
                .connect((Ipv4Addr::LOCALHOST, port))
                .with_context(|| format!("cannot connect to port {port}"))?;
            let data = EventData::new_u64(number as u64);
            epoll::add(&epoll, &socket, data, EventFlags::IN | EventFlags::ET)?;
            flows.push(Flow {
                socket,
                next: 0,
                first_in_flight: 0,
                at_last_tick: None,
                sent: None,
            });
        }
        Ok(Self {
            epoll,
            flows,
            depth: args.depth.get(),
            exchange: Exchange::new(calls, size),
            events: Vec::with_capacity(EVENTS),
        })
    }
}

impl Load for Udp {
    fn run(&mut self, duration: Duration, measurement: &mut Measurement) -> anyhow::Result<u64> {
        let _timer = start_timer(&self.epoll, duration)?;
        let ticks = start_ticks(&self.epoll, LOSS_TIMEOUT)?;
        for flow in &mut self.flows {
            // What is in flight has waited for this run.
            (flow.sent, flow.at_last_tick) = (None, None);
            flow.send(&mut self.exchange, self.depth)?;
        }
        let (mut count, mut ended) = (0, false);
        // Handles the events that arrive with the timer as well: they are reported once, and a later run needs them.
        while !ended {
            self.events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut self.events), None)?;
            for event in &self.events {
                match event.data.u64() {
                    TIMER => ended = true,
                    TICK => {
                        // The timer fires again only after it has been read.
                        read(&ticks, &mut [0; 8])?;
                        for flow in &mut self.flows {
                            flow.give_up();
                            flow.send(&mut self.exchange, self.depth)?;
                        }
                    }
                    number => {
                        let flow = &mut self.flows[usize::try_from(number)?];
                        let returned = flow.exchange(&mut self.exchange, self.depth)?;
                        count += returned;
                        if measurement.is_timed() && returned > 0 {
                            measurement.lap(&mut flow.sent);
                        }
                    }
                }
            }
        }
        Ok(count)
    }
}

impl Flow {
    fn in_flight(&self) -> usize {
        usize::try_from(self.next - self.first_in_flight).expect("at most the depth")
    }

    /// Receives what has arrived, and sends as many. Returns how many have arrived.
    fn exchange(&mut self, exchange: &mut Exchange, depth: usize) -> anyhow::Result<u64> {
        let mut count = 0;
        // When as many have arrived as were in flight, another call would mostly find none. Those that arrive meanwhile
        // cause a new event.
        while count < depth
            && let Some(arrived) = exchange.receive(&self.socket, self.in_flight().max(1))?
        {
            count += arrived.count;
            self.first_in_flight = self.next.min(self.first_in_flight.max(arrived.last + 1));
            self.send(exchange, depth)?;
            if !arrived.has_more {
                break;
            }
        }
        Ok(count as u64)
    }

    /// Sends until `depth` datagrams are in flight.
    fn send(&mut self, exchange: &mut Exchange, depth: usize) -> anyhow::Result<()> {
        while self.in_flight() < depth {
            let sent = exchange.send(&self.socket, self.next, depth - self.in_flight())?;
            self.next += u32::try_from(sent)?;
        }
        Ok(())
    }

    /// Counts everything in flight as lost if nothing has returned since the last tick.
    fn give_up(&mut self) {
        let is_stalled =
            self.at_last_tick.replace(self.first_in_flight) == Some(self.first_in_flight);
        if is_stalled {
            self.first_in_flight = self.next;
            self.sent = None;
        }
    }
}
