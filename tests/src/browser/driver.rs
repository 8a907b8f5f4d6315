//! The process of `chromedriver`, and its HTTP.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::{log, system::procfs, wait::DEADLINE};

/// Number of attempts to start the driver.
const ATTEMPTS: usize = 5;

/// Running driver. Dropping this ends it.
#[derive(Debug)]
pub(super) struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    /// Starts it on a port that it chooses itself. It chooses the port for one family of addresses and ends if another program has
    /// it for the other, so it may take several attempts.
    pub(super) fn start() -> Self {
        (0..ATTEMPTS).find_map(|_| Self::try_start()).expect("chromedriver finds a free port")
    }

    fn try_start() -> Option<Self> {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("chromedriver is installed");
        let output = child.stdout.take().expect("the stream is a pipe");
        let started = log::pattern(r"started successfully on port (\d+)");
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let port = lines.find_map(|line| started.captures(&line)?[1].parse().ok());
        if port.is_none() {
            // Its output has ended, so it has, too.
            child.wait().expect("it is our own child");
        }
        port.map(|port| Self { child, port })
    }

    /// Sends a request and returns its `value`.
    pub(super) fn request(&self, method: &str, path: &str, body: &Value) -> Value {
        self.try_request(method, path, body)
            .unwrap_or_else(|error| panic!("{method} {path} {body}: {error}"))
    }

    /// Sends a request. Returns its `value`, or the error of the driver.
    pub(super) fn try_request(
        &self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Value, String> {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        );
        let body = self.exchange(&request).map_err(|error| error.to_string())?;
        let mut body: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        match &body["value"]["error"] {
            Value::String(error) => Err(format!("{error}: {}", body["value"]["message"])),
            _ => Ok(body["value"].take()),
        }
    }

    /// Returns the body of the response. The driver keeps the connection open, so its length tells its end.
    fn exchange(&self, request: &str) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(2 * DEADLINE))?;
        stream.write_all(request.as_bytes())?;
        let mut reader = BufReader::new(stream);
        let mut len = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let header = line.to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                len = value.trim().parse().map_err(io::Error::other)?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; len];
        reader.read_exact(&mut body)?;
        Ok(body)
    }

    /// Starts a browser, and returns the path of its session.
    pub(super) fn start_session(&self, capabilities: &Value) -> String {
        let body = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let session = self.request("POST", "/session", &body);
        let id = session["sessionId"].as_str().expect("a session has an id");
        format!("/session/{id}")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A browser whose session has not begun, or cannot be ended, would outlive its driver.
        for browser in procfs::children(Pid::from_child(&self.child)) {
            let _ = kill_process(browser, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
