//! A server whose admin listener answers with what a test has set.

use std::{
    io::{self, BufRead as _, BufReader, Read, Write},
    net::SocketAddr,
    os::unix::net::UnixListener,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use serde_json::{Value, json};

use super::mock_server;

/// Running admin listener. It answers as long as the test process runs.
#[derive(Clone, Debug)]
pub struct AdminServer {
    state: Arc<Mutex<State>>,
    url: String,
}

#[derive(Debug)]
struct State {
    status: Value,
    connections: Value,
    /// It closes each connection without an answer.
    is_silent: bool,
    /// Heads of the requests.
    requests: Vec<String>,
}

impl AdminServer {
    /// Starts the listener of a healthy server with one client.
    #[must_use]
    pub fn start() -> Self {
        let state = Self::state();
        let served = Arc::clone(&state);
        let address: SocketAddr = mock_server::serve(move |stream| {
            let _ = serve(&served, stream);
        });
        Self { state, url: format!("http://{address}") }
    }

    /// Like [`AdminServer::start`], at a Unix socket.
    #[must_use]
    pub fn start_at(path: &Path) -> Self {
        let state = Self::state();
        let listener = UnixListener::bind(path).expect("the path is free");
        let served = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let _ = serve(&served, stream);
            }
        });
        Self { state, url: format!("unix://{}", path.display()) }
    }

    fn state() -> Arc<Mutex<State>> {
        Arc::new(Mutex::new(State {
            status: status(),
            connections: connections(),
            is_silent: false,
            requests: Vec::new(),
        }))
    }

    /// Returns the URL of the listener.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Changes the answer of `/status`.
    pub fn change(&self, change: impl FnOnce(&mut Value)) {
        change(&mut self.lock().status);
    }

    /// Returns the answers of `/status` and `/connections`.
    #[must_use]
    pub fn answers(&self) -> (Value, Value) {
        let state = self.lock();
        (state.status.clone(), state.connections.clone())
    }

    /// Stops to answer, or answers again.
    pub fn set_silent(&self, is_silent: bool) {
        self.lock().is_silent = is_silent;
    }

    /// Returns the heads of all requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.lock().requests.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers one request. The client may go away at any time.
fn serve<S: Read + Write>(state: &Mutex<State>, stream: S) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let answer = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let body = match head.split(' ').nth(1) {
            Some("/status") => state.status.to_string(),
            Some(path) if path.starts_with("/connections?") => state.connections.to_string(),
            _ => panic!("an unexpected request: {head}"),
        };
        state.requests.push(head);
        if state.is_silent {
            return Ok(());
        }
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    reader.get_mut().write_all(answer.as_bytes())
}

fn status() -> Value {
    json!({
        "version": "0.1.0", "started": "2026-11-26T13:00:00Z", "uptime_seconds": 11520.5, "phase": "running",
        "is_live": true, "stalled_threads": [], "is_ready": true, "not_ready": [],
        "connections": {"open": 1, "limit": 1000, "accepted": 10, "refused": 2, "probes": 1},
        "listeners": [{
            "listener": "127.0.0.1:7000", "protocol": "text", "open": 1, "accepted": 10,
            "refused": {"max-connections": 2}, "closed": {"fin": 9},
            "received": {"bytes": 34500, "messages": 17}, "sent": {"bytes": 34500, "messages": 17},
            "latency": {"count": 3, "p50_seconds": 0.000_012_4, "p99_seconds": 0.000_24}, "is_open": true,
        }],
        "workers": [{"worker": 1, "connections": 1, "busy_seconds": 100.0, "busy_ratio": 0.02, "iterations": 100}],
        "dispatch_queue": {"connections": 0},
        "rates": {
            "interval_seconds": 10.0, "accepted": 1.0,
            "received": {"bytes": 1_200_000.0, "messages": 34500.0},
            "sent": {"bytes": 1_200_000.0, "messages": 34500.0},
        },
        "log": {"records": 10, "dropped": 0}, "history": null, "rooms": null, "relay": null,
        "descriptors": {"open": 20, "limit": 1024}, "panics": 0,
    })
}

fn connections() -> Value {
    json!({
        "open": 1, "next": null,
        "connections": [{
            "connection": "0-3-17", "peer": "@\u{1b}[2J\u{9b}J", "user": null, "listener": "127.0.0.1:7000",
            "protocol": "text", "layers": [], "stage": "serving", "worker": 1, "age_seconds": 90.5,
            "idle_seconds": 0.1, "received": {"bytes": 34500, "messages": 17},
            "sent": {"bytes": 34500, "messages": 17}, "unsent_bytes": 0,
        }],
    })
}
