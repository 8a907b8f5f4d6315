//! Login: who is served, what a reload changes, the command `user`, and other programs as clients.

mod command;
mod http;
mod page;
mod peers;
mod sessions;

use std::{path::PathBuf, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::login::{
    ClientBinding, ClientExchange, ClientProof, DerivedKeys, prepare_password, random_nonce,
};
use tempfile::TempDir;
use tests::{
    net::Peer,
    programs::{Finished, Program, binaries},
};

/// A file of users, in a folder of its own.
struct Users(TempDir);

impl Users {
    /// Creates a file with the user `alice`, whose password is `pencil`.
    fn new() -> Self {
        let users = Self(tempfile::tempdir().expect("a temporary directory"));
        assert_eq!(users.run("pencil\n", &["add", "alice", "--iterations", "4096"]).code(), 0);
        users
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("users")
    }

    /// Runs `echo-server user` with this standard input.
    fn run(&self, input: &str, args: &[&str]) -> Finished {
        let mut program = self.start(args);
        program.feed_all(input.as_bytes().to_vec());
        program.finish()
    }

    /// Starts `echo-server user`.
    fn start(&self, args: &[&str]) -> Program {
        let mut command = Command::new(binaries::echo_server());
        command.arg("user").args(args).arg("--users").arg(self.path());
        Program::spawn(command)
    }

    /// Returns the arguments of a server that listens on this URL.
    fn server(&self, listen: &str) -> Vec<String> {
        ["--listen", listen, "--users"]
            .map(str::to_owned)
            .into_iter()
            .chain([self.path().to_str().expect("it is UTF-8").to_owned()])
            .collect()
    }
}

/// Reads a line, and no byte behind it.
fn read_line(peer: &mut Peer) -> String {
    peer.read_until("\n")
}

/// A login by SCRAM-SHA-256 after the challenge of the server.
struct Scram(ClientProof);

impl Scram {
    /// Begins a login.
    fn begin(peer: &mut Peer, name: &str, password: &str) -> Self {
        let password = prepare_password(password).expect("the password is allowed");
        let binding = ClientBinding::Unsupported;
        let (client, first) = ClientExchange::begin(name, password, binding, random_nonce());
        peer.send(format!("AUTH SCRAM-SHA-256 {}\r\n", STANDARD.encode(first)).as_bytes());
        let challenge = read_line(peer);
        let challenge = challenge.strip_prefix("+ ").expect("every name gets a challenge");
        let challenge = STANDARD.decode(challenge.trim_end()).expect("a challenge is base64");
        Self(client.prove(&challenge, &mut DerivedKeys::default()).expect("it is safe"))
    }

    /// Returns the line with the proof.
    fn proof(&self) -> String {
        format!("{}\r\n", STANDARD.encode(&self.0.message))
    }

    fn send_proof(&self, peer: &mut Peer) {
        peer.send(self.proof().as_bytes());
    }
}

/// Logs in by SCRAM-SHA-256. Returns the last line of the server.
fn log_in(peer: &mut Peer, name: &str, password: &str) -> String {
    let exchange = Scram::begin(peer, name, password);
    exchange.send_proof(peer);
    let signature = read_line(peer);
    let Some(signature) = signature.strip_prefix("+ ") else { return signature };
    let signature = STANDARD.decode(signature.trim_end()).expect("a challenge is base64");
    exchange.0.verify(&signature).expect("the server knows the user");
    peer.send(b"\r\n");
    read_line(peer)
}
