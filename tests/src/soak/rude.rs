//! The acts of peers that are slow or rude: what each must get is checked to the last byte.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    time::Duration,
};

use tests::{payload::Random, peer::Peer, peer::assert_same};

use crate::peers::{Act, Stage};

/// All of them, played at the same time.
pub(crate) const ACTS: [Act; 8] = [
    Act { name: "probe", pause: Duration::from_millis(100), play: probe },
    Act { name: "reset", pause: Duration::from_millis(20), play: reset },
    Act { name: "half-close", pause: Duration::from_millis(200), play: half_close },
    Act { name: "never reads", pause: Duration::from_millis(500), play: never_read },
    Act { name: "never reads either", pause: Duration::from_millis(700), play: never_read },
    Act { name: "byte a time out", pause: Duration::from_millis(100), play: send_bytewise },
    Act { name: "byte a time in", pause: Duration::from_millis(100), play: read_bytewise },
    Act { name: "exit and more", pause: Duration::from_millis(20), play: exit_and_more },
];

/// Connections that are closed as soon as they are made.
const PROBES: usize = 20;

/// Less than a socket's buffers hold: it can be sent without reading meanwhile.
const SMALL: usize = 32 * 1024;

/// More than all buffers between two programs hold.
const MUCH: usize = 2 * 1024 * 1024;

/// Bytes between two newlines. Each line is logged twice, and the server keeps the room for the longest
/// backlog that its log has ever had: the less is logged, the sooner that has been seen.
pub(crate) const LINE: usize = 32 * 1024;

/// Peers that send a byte at a time, side by side, and how many bytes each.
const SLOW_PEERS: usize = 16;
const SLOW_BYTES: usize = 40;

fn probe(stage: &Stage, _: &mut Random) {
    for _ in 0..PROBES {
        drop(stage.connect());
    }
    // All have been accepted when this one is answered: they never pile up against the limit.
    stage.connect().exchange(b"anybody there?\n");
}

fn reset(stage: &Stage, random: &mut Random) {
    let mut peer = stage.connect();
    let bytes = lines(random, SMALL);
    peer.send(&bytes);
    peer.expect(&bytes[..random.below(SMALL)]);
    peer.reset();
}

fn half_close(stage: &Stage, random: &mut Random) {
    let mut peer = stage.connect();
    let bytes = lines(random, MUCH);
    let sender = peer.send_aside_and_half_close(bytes.clone());
    peer.expect_rest(&bytes);
    sender.join().expect("it does not panic").expect("the server takes what is sent");
}

/// Sends until the server cuts it; what had come by then must be right.
fn never_read(stage: &Stage, random: &mut Random) {
    let mut peer = stage.connect();
    peer.shrink_buffers();
    let bytes = lines(random, 64 * 1024);
    let cut = loop {
        if let Err(error) = peer.stream().write_all(&bytes) {
            break error;
        }
    };
    let cuts = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    assert!(cuts.contains(&cut.kind()), "not cut at the write timeout: {cut}");
    let mut received = Vec::new();
    // There may be nothing left to read behind a reset, or a part of it.
    let _ = peer.stream().read_to_end(&mut received);
    let expected: Vec<u8> = bytes.iter().copied().cycle().take(received.len()).collect();
    assert_same(&received, &expected);
}

fn send_bytewise(stage: &Stage, random: &mut Random) {
    let mut peers: Vec<Peer> = (0..SLOW_PEERS).map(|_| stage.connect()).collect();
    for _ in 0..SLOW_BYTES {
        for peer in &mut peers {
            peer.exchange(&random.letters(1));
        }
        if stage.stop.wait(Duration::from_millis(50)) {
            break;
        }
    }
    for peer in &mut peers {
        peer.half_close();
        peer.expect_end();
    }
}

fn read_bytewise(stage: &Stage, random: &mut Random) {
    let mut peer = stage.connect();
    let bytes = lines(random, SMALL);
    peer.send(&bytes);
    for &byte in &bytes {
        peer.expect(&[byte]);
    }
}

fn exit_and_more(stage: &Stage, random: &mut Random) {
    let mut peer = stage.connect();
    peer.send(&[b"hello\nexit\n", &lines(random, SMALL)[..]].concat());
    let more = lines(random, SMALL);
    peer.send_regardless(&more);
    peer.expect_rest(b"hello\nGoodbye!\n");
    peer.send_regardless(&more);
}

/// So many printable bytes, in long lines.
fn lines(random: &mut Random, len: usize) -> Vec<u8> {
    let mut bytes = random.letters(len);
    bytes.iter_mut().skip(LINE - 1).step_by(LINE).for_each(|byte| *byte = b'\n');
    bytes
}
