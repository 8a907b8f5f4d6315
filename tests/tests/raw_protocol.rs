//! The `raw` protocol, RFC 862: every byte back, and no byte that was not sent.

use tests::{payload::Random, server::EchoServer};

#[test]
fn an_exit_comes_back_like_any_bytes() {
    let server = EchoServer::start(&["--protocol", "raw"]);
    let mut peer = server.connect();
    for text in [&b"exit"[..], b"exit\n", b"EXIT\r\n", b"a\nexit\nb\n"] {
        peer.exchange(text);
    }
    peer.half_close();
    peer.expect_end();
}

#[test]
fn megabytes_of_any_bytes_come_back_and_then_the_end() {
    let server = EchoServer::start(&["--protocol", "raw"]);
    let mut peer = server.connect();
    let bytes = Random::new(862).bytes(5_000_000);
    let sender = peer.send_aside_and_half_close(bytes.clone());
    peer.expect_rest(&bytes);
    sender.join().unwrap().unwrap();
}
