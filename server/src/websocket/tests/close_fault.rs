//! A WebSocket that is closed on purpose.

use std::{sync::Arc, time::Instant};

use common::fault::{Fault, FaultAct, FaultId};

use super::{client, server};
use crate::{
    config::FaultKind,
    faults::FaultPlan,
    session::{Exchange, ProtocolHandler as _, Reason, run_handler},
    websocket::WebSocket,
};

fn run(after: u64, reads: &[&[u8]]) -> (Exchange, Option<FaultAct>) {
    let mut socket = WebSocket::new(Arc::default(), None, Instant::now());
    let kind = FaultKind::CloseCode { code: 999, after };
    socket.set_faults(Some(&FaultPlan::fixture(7, 0, &[kind])));
    let (exchange, mut handler) = run_handler(Box::new(socket), reads);
    (exchange, handler.take_injected_fault().map(|injected| injected.act))
}

#[test]
fn the_close_follows_so_many_messages_whatever_their_fragments_and_reads() {
    let messages = [
        client(0x81, b"one"),
        client(0x01, b"two "),
        client(0x80, b"in fragments"),
        client(0x82, b"three"),
        client(0x88, &[0x03, 0xe8]),
    ];
    let echoes = [server(0x81, b"one"), server(0x01, b"two "), server(0x80, b"in fragments")];
    let close = server(0x88, &999_u16.to_be_bytes());
    let stream = messages.concat();
    for (after, echoes) in
        [(0, 0), (1, 1), (2, 3)].map(|(after, len)| (after, echoes[..len].concat()))
    {
        for at in 0..=stream.len() {
            let (exchange, act) = run(after, &[&stream[..at], &stream[at..]]);
            assert_eq!(exchange.received, [&echoes[..], &close].concat(), "{after}, {at}");
            assert_eq!(exchange.ended, Some(Reason::Fault));
            let expected = FaultAct::sent(Fault::CloseCode, echoes.len() as u64);
            let expected = FaultAct { message: Some(after), code: Some(999), ..expected };
            assert_eq!(act, Some(expected));
        }
    }
}

#[test]
fn cleared_faults_close_nothing() {
    let mut socket = WebSocket::new(Arc::default(), None, Instant::now());
    let kind = FaultKind::CloseCode { code: 999, after: 0 };
    socket.set_faults(Some(&FaultPlan::fixture(7, 0, &[kind])));
    socket.set_faults(None);
    let (exchange, mut handler) = run_handler(Box::new(socket), &[&client(0x81, b"one")]);
    assert_eq!(exchange.received, server(0x81, b"one"));
    assert_eq!(handler.take_injected_fault(), None);
}

#[test]
fn a_close_is_on_record_with_its_own_faults_after_they_were_replaced_or_cleared() {
    for next in [None, Some(FaultPlan::fixture(8, 3, &[]))] {
        let mut socket = WebSocket::new(Arc::default(), None, Instant::now());
        let kind = FaultKind::CloseCode { code: 999, after: 1 };
        socket.set_faults(Some(&FaultPlan::fixture(7, 2, &[kind])));
        socket.receive(&mut client(0x81, b"one"), Instant::now());
        socket.set_faults(next.as_ref());
        let injected = socket.take_injected_fault().expect("it is closed");
        assert_eq!(injected.plan.id(), FaultId { seed: 7, connection: 2 });
        assert_eq!((injected.act.message, injected.act.code), (Some(1), Some(999)));
        assert_eq!(socket.take_injected_fault(), None);
    }
}

#[test]
fn the_place_of_a_close_counts_from_the_beginning_of_the_websocket() {
    let plan = FaultPlan::fixture(7, 0, &[FaultKind::CloseCode { code: 999, after: 3 }]);
    let mut socket = WebSocket::new(Arc::default(), None, Instant::now());
    socket.receive(&mut client(0x81, b"one"), Instant::now());
    socket.set_faults(Some(&plan));
    socket.receive(&mut client(0x81, b"two"), Instant::now());
    socket.set_faults(None);
    assert_eq!(socket.take_injected_fault(), None);
    socket.set_faults(Some(&plan));
    socket.receive(&mut client(0x81, b"three"), Instant::now());
    let act = socket.take_injected_fault().expect("it is closed").act;
    let echoes = [server(0x81, b"one"), server(0x81, b"two"), server(0x81, b"three")];
    assert_eq!((act.offset, act.message), (echoes.concat().len() as u64, Some(3)));
}
