//! The actions of slow and misbehaving peers. Each checks every byte that it receives.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    time::Duration,
};

use tests::{
    net::{Peer, assert_same_bytes},
    payload::Random,
};

use crate::actors::{Action, Context};

/// All actions, which run at the same time.
pub(crate) const ACTIONS: [Action; 8] = [
    Action { name: "probe", pause: Duration::from_millis(100), run: probe },
    Action { name: "reset", pause: Duration::from_millis(20), run: reset },
    Action { name: "half-close", pause: Duration::from_millis(200), run: half_close },
    Action { name: "never reads", pause: Duration::from_millis(500), run: never_read },
    Action { name: "never reads (second)", pause: Duration::from_millis(700), run: never_read },
    Action { name: "sends bytewise", pause: Duration::from_millis(100), run: send_bytewise },
    Action { name: "reads bytewise", pause: Duration::from_millis(100), run: read_bytewise },
    Action { name: "sends after exit", pause: Duration::from_millis(20), run: send_after_exit },
];

/// Number of connections that a probe opens and closes immediately.
const PROBES: usize = 20;

/// Number of bytes that the socket buffers hold, so that a peer can send them without reading.
const SMALL: usize = 32 * 1024;

/// Number of bytes that exceeds all buffers between two programs.
const LARGE: usize = 2 * 1024 * 1024;

/// Number of bytes from one newline to the next. The server logs each line twice, and its log queue keeps the memory
/// of its longest backlog: with few lines it reaches this maximum early.
pub(crate) const LINE: usize = 32 * 1024;

/// Number of connections that send one byte at a time, and number of bytes of each.
const SLOW_PEERS: usize = 16;
const SLOW_BYTES: usize = 40;

fn probe(context: &Context, _: &mut Random) {
    for _ in 0..PROBES {
        drop(context.connect());
    }
    // When this one has its echo, the server has accepted all others: they do not accumulate.
    context.connect().exchange(b"after the probes\n");
}

fn reset(context: &Context, random: &mut Random) {
    let mut peer = context.connect();
    let bytes = lines(random, SMALL);
    peer.send(&bytes);
    peer.expect(&bytes[..random.below(SMALL)]);
    peer.reset();
}

fn half_close(context: &Context, random: &mut Random) {
    let mut peer = context.connect();
    let bytes = lines(random, LARGE);
    let sender = peer.send_and_half_close_in_background(bytes.clone());
    peer.expect_to_end(&bytes);
    sender.join().expect("the sender does not panic").expect("the server reads");
}

/// Sends until the server closes the connection. The echo before that must be correct.
fn never_read(context: &Context, random: &mut Random) {
    let mut peer = context.connect();
    peer.shrink_buffers();
    let bytes = lines(random, 64 * 1024);
    let error = loop {
        if let Err(error) = peer.stream().write_all(&bytes) {
            break error;
        }
    };
    let expected = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    assert!(expected.contains(&error.kind()), "not closed at the write timeout: {error}");
    let mut received = Vec::new();
    // After a reset, the received bytes may be lost.
    let _ = peer.stream().read_to_end(&mut received);
    let expected: Vec<u8> = bytes.iter().copied().cycle().take(received.len()).collect();
    assert_same_bytes(&received, &expected);
}

fn send_bytewise(context: &Context, random: &mut Random) {
    let mut peers: Vec<Peer> = (0..SLOW_PEERS).map(|_| context.connect()).collect();
    for _ in 0..SLOW_BYTES {
        for peer in &mut peers {
            peer.exchange(&random.letters(1));
        }
        if context.stop.wait(Duration::from_millis(50)) {
            break;
        }
    }
    for peer in &mut peers {
        peer.half_close();
        peer.expect_end();
    }
}

fn read_bytewise(context: &Context, random: &mut Random) {
    let mut peer = context.connect();
    let bytes = lines(random, SMALL);
    peer.send(&bytes);
    for &byte in &bytes {
        peer.expect(&[byte]);
    }
}

fn send_after_exit(context: &Context, random: &mut Random) {
    let mut peer = context.connect();
    peer.send(&[b"hello\nexit\n", &lines(random, SMALL)[..]].concat());
    let more = lines(random, SMALL);
    peer.try_send(&more);
    peer.expect_to_end(b"hello\nGoodbye!\n");
    peer.try_send(&more);
}

/// Returns this many printable bytes, in long lines.
fn lines(random: &mut Random, len: usize) -> Vec<u8> {
    let mut bytes = random.letters(len);
    bytes.iter_mut().skip(LINE - 1).step_by(LINE).for_each(|byte| *byte = b'\n');
    bytes
}
