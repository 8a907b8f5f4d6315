//! Tests of the `raw` protocol, RFC 862: the server echoes every byte, and sends no other byte.

use tests::{payload::Random, programs::EchoServer};

#[test]
fn echoes_an_exit_line_like_any_bytes() {
    let server = EchoServer::start(&["--protocol", "raw"]);
    let mut peer = server.connect();
    for text in [&b"exit"[..], b"exit\n", b"EXIT\r\n", b"a\nexit\nb\n"] {
        peer.exchange(text);
    }
    peer.half_close();
    peer.expect_end();
}

#[test]
fn echoes_megabytes_of_arbitrary_bytes_and_then_ends_the_stream() {
    let server = EchoServer::start(&["--protocol", "raw"]);
    let mut peer = server.connect();
    let bytes = Random::new(862).bytes(5_000_000);
    let sender = peer.send_and_half_close_in_background(bytes.clone());
    peer.expect_to_end(&bytes);
    sender.join().unwrap().unwrap();
}
