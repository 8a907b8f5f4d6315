//! Tests of the admin listener while a thread of the server does not continue, which `strace` delays.

use std::time::Duration;

use tests::{
    net::Peer,
    programs::{EchoServer, Strace},
    requirements::{self, skip_without},
    system::procfs::threads_named,
    wait::wait_until,
};

/// Returns the response to a GET.
fn get(admin: &str, target: &str) -> String {
    let mut peer = Peer::connect(admin.parse().expect("an address"));
    peer.send(
        format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes(),
    );
    String::from_utf8(peer.read_to_end()).expect("a response is text")
}

#[test]
#[ignore = "make torture"]
fn a_stalled_worker_is_named_and_delays_only_what_needs_it() {
    if skip_without(&[requirements::strace()]) {
        return;
    }
    let server = EchoServer::start(&["--workers", "2", "--admin", "http://127.0.0.1:0"]);
    let started = server.log().wait_for_line("Admin listener started on http://");
    let admin = started.rsplit('/').next().unwrap_or_default();
    assert!(get(admin, "/livez").starts_with("HTTP/1.1 200 OK\r\n"));
    let stalled = threads_named(server.pid(), "worker-2");
    let poll = "?epoll_wait,epoll_pwait";
    let strace = Strace::attach(&stalled, poll, &format!("{poll}:delay_enter=60000000"));
    // Longer than the time in which a thread has to make progress.
    server.connect().expect_silence_for(Duration::from_secs(6));
    let live = get(admin, "/livez");
    assert!(
        live.starts_with("HTTP/1.1 503 ") && live.ends_with("the thread worker-2 is stalled\n"),
        "{live}"
    );
    let list = get(admin, "/connections");
    assert!(list.ends_with("the thread worker-2 does not answer\n"), "{list}");
    assert!(get(admin, "/connections?worker=1").starts_with("HTTP/1.1 200 "));
    assert!(get(admin, "/metrics").contains("echo_thread_stalled{thread=\"worker-2\"} 1\n"));
    // The thread continues: a delay changes no result.
    drop(strace);
    wait_until("it is alive", || get(admin, "/livez").starts_with("HTTP/1.1 200 "));
}
