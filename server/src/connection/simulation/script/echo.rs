//! Scripts: the bytes that a peer sends.

use common::{frame::encode, protocol::Protocol};
use fastrand::Rng;

/// PROXY headers: one of each version that names a source, and one that names none.
const HEADERS: [&[u8]; 3] = [
    b"PROXY TCP4 203.0.113.7 10.0.0.1 5000 65432\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\x0a\0\0\x01\x13\x88\xff\x98",
    b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
];

/// Returns the messages of a peer, the last of which may be incomplete.
pub(in crate::connection::simulation) fn messages(protocol: Protocol, rng: &mut Rng) -> Vec<u8> {
    let messages = rng.usize(0..8);
    let mut script = Vec::new();
    // The client has sent a newline, so a bare `exit` is not an exit. Otherwise the outcome would depend on the
    // reads, which the model does not know.
    if protocol == Protocol::Text {
        script.extend_from_slice(if rng.bool() { b"hi\n" } else { b"\r\n" });
    }
    for _ in 0..messages {
        let text = match rng.u8(0..12) {
            0 => b"exit".to_vec(),
            1 => b" EXit \r".to_vec(),
            _ => {
                (0..rng.usize(0..24)).map(|_| rng.choice(*b"exitEXIT \r\0\xff.").unwrap()).collect()
            }
        };
        match protocol {
            Protocol::Length => script.extend(encode(&text).expect("the text is short")),
            Protocol::Text | Protocol::Raw => {
                script.extend_from_slice(&text);
                script.push(b'\n');
            }
        }
    }
    if rng.u8(0..3) == 0 {
        script.truncate(rng.usize(0..=script.len()));
        if protocol == Protocol::Text && !script.contains(&b'\n') {
            script = b"\n".to_vec();
        }
    }
    script
}

/// Returns a PROXY header.
pub(in crate::connection::simulation) fn header(rng: &mut Rng) -> &'static [u8] {
    rng.choice(HEADERS).expect("the list is not empty")
}
