//! Logins without a socket.

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::{
    fault::{Fault, FaultAct},
    login::{
        ClientBinding, ClientExchange, DerivedKeys, Keys, Mechanism, ScramError, prepare_password,
        random_nonce,
    },
    protocol::Protocol,
};
use proptest::prelude::*;

use super::SaslHandler;
use crate::{
    config::{Config, Credential, FaultKind, Login, User, Users, limits},
    faults::FaultPlan,
    layer::{Handshake, Identity},
    login::{Authenticator, Source},
    session::{Attributes, Next, ProtocolHandler, Reason, Reply},
};

const EXPORTER: [u8; 32] = [7; 32];

/// A connection to a server with the user `alice`, whose password is `pencil`.
struct Peer {
    handler: Option<Box<SaslHandler>>,
    units: Protocol,
    held: Vec<u8>,
    now: Instant,
    /// What follows the login.
    end: Option<Next>,
    failures: Vec<String>,
}

/// The keys of the password `pencil`.
static KEYS: LazyLock<Keys> =
    LazyLock::new(|| Keys::derive(&prepare_password("pencil").unwrap(), b"salt", 4096));

fn authenticator() -> Arc<Authenticator> {
    let users = [
        User::new("alice", Credential::Password(KEYS.clone())),
        User::new("alice", Credential::Certificate),
    ];
    let authenticator = Authenticator::default();
    authenticator.set(&Config {
        users: Some(Arc::new(Users::new([1; 32], users))),
        max_connections_per_user: Some(2),
        ..Config::default()
    });
    Arc::new(authenticator)
}

impl Peer {
    fn new(protocol: Protocol, identity: Option<&Identity>) -> Self {
        Self::of(&authenticator(), protocol, identity)
    }

    fn of(
        authenticator: &Arc<Authenticator>,
        protocol: Protocol,
        identity: Option<&Identity>,
    ) -> Self {
        let now = Instant::now();
        // Longer than a password takes on a busy machine: the time of a test passes in steps.
        let timeout = Some(Duration::from_hours(1));
        let mut handler = SaslHandler::new(
            Arc::new(Login::default()),
            Arc::clone(authenticator),
            protocol,
            timeout,
        );
        let handshake = Handshake {
            version: "TLS 1.3",
            suite: "TLS_AES_256_GCM_SHA384",
            group: None,
            alpn: None,
            server_name: None,
            client: None,
            is_resumed: false,
        };
        let handshake = identity.map(|_| &handshake);
        let attributes =
            Attributes { handshake, identity, opened_at: now, ..Attributes::for_tests() };
        handler.begin(&attributes, now);
        let handler = Some(Box::new(handler));
        Self { handler, units: protocol, held: Vec::new(), now, end: None, failures: Vec::new() }
    }

    /// Sends bytes as they are. Returns what is received.
    fn send_bytes(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let mut received = Vec::new();
        while self.end.is_none() && !self.held.is_empty() {
            let handler = self.handler.as_mut().expect("the login goes on");
            let step = handler.receive(&mut self.held, self.now);
            assert_eq!((step.echo, handler.logged()), (0, 0), "nothing is echoed or logged");
            self.held.drain(..step.consumed);
            let Some(reply) = step.reply else { break };
            let is_waiting = matches!(reply.next, Next::Wait | Next::LoginFailed { .. });
            received.extend(self.take(reply));
            if is_waiting {
                break;
            }
        }
        String::from_utf8(received).unwrap()
    }

    /// Sends a unit. Returns the answers, the last of them after all delays.
    fn send(&mut self, unit: &str) -> String {
        let unit = match self.units {
            Protocol::Length => common::frame::encode(unit.as_bytes()).unwrap(),
            _ => format!("{unit}\r\n").into_bytes(),
        };
        let received = self.send_bytes(&unit);
        if received.is_empty() { self.wait() } else { received }
    }

    /// Lets time pass until there is an answer.
    fn wait(&mut self) -> String {
        let mut received = Vec::new();
        while received.is_empty() && self.end.is_none() {
            let handler = self.handler.as_mut().expect("the login goes on");
            self.now = self.now.max(handler.deadline().expect("an answer is due"));
            let reply = handler.expire(self.now);
            received = self.take(reply);
            std::thread::yield_now();
        }
        String::from_utf8(received).unwrap()
    }

    fn take(&mut self, reply: Reply) -> Vec<u8> {
        match reply.next {
            Next::Continue | Next::Wait => {}
            Next::LoginFailed { failure, .. } => self.failures.push(failure.reason),
            end => self.end = Some(end),
        }
        reply.bytes.into_owned()
    }

    /// Logs in by SCRAM. Returns the last answer.
    fn scram(&mut self, mechanism: Mechanism, name: &str, password: &str) -> String {
        self.scram_until_proven(mechanism, name, password, |proof| {
            proof.expect("the server knows the user");
        })
    }

    /// Logs in by SCRAM, with a check of the server's proof.
    fn scram_until_proven(
        &mut self,
        mechanism: Mechanism,
        name: &str,
        password: &str,
        check: fn(Result<(), ScramError>),
    ) -> String {
        let binding = match mechanism {
            Mechanism::ScramSha256Plus => ClientBinding::Exporter(EXPORTER),
            _ => ClientBinding::Unsupported,
        };
        let password = prepare_password(password).unwrap();
        let (client, first) = ClientExchange::begin(name, password, binding, random_nonce());
        let challenge = self.send(&format!("AUTH {mechanism} {}", STANDARD.encode(first)));
        let Some(challenge) = decode(self.units, &challenge) else { return challenge };
        let proof = client.prove(&challenge, &mut DerivedKeys::default()).unwrap();
        let signature = self.send(&STANDARD.encode(&proof.message));
        let Some(signature) = decode(self.units, &signature) else { return signature };
        check(proof.verify(&signature));
        self.send("")
    }

    fn user(&self) -> Option<&str> {
        match &self.end {
            Some(Next::LoggedIn { account, .. }) => Some(account.name()),
            _ => None,
        }
    }
}

/// Returns the content of a challenge.
fn decode(units: Protocol, answer: &str) -> Option<Vec<u8>> {
    let text = match units {
        Protocol::Length => answer.get(4..)?,
        _ => answer.strip_suffix("\r\n")?,
    };
    Some(STANDARD.decode(text.strip_prefix("+ ")?).unwrap())
}

fn bound() -> Identity {
    Identity { exporter: Some(EXPORTER), common_name: Some("alice".to_owned()) }
}

#[test]
fn a_user_logs_in_by_each_mechanism_in_lines_and_frames() {
    for protocol in [Protocol::Text, Protocol::Length] {
        for mechanism in [Mechanism::ScramSha256, Mechanism::ScramSha256Plus] {
            let mut peer = Peer::new(protocol, Some(&bound()));
            assert!(peer.scram(mechanism, "alice", "pencil").contains("+OK Logged in"));
            assert_eq!(peer.user(), Some("alice"));
        }
        let mut peer = Peer::new(protocol, Some(&bound()));
        let plain = STANDARD.encode("\0alice\0pencil");
        assert!(peer.send(&format!("AUTH PLAIN {plain}")).contains("+OK Logged in"));
        let mut peer = Peer::new(protocol, Some(&bound()));
        assert!(peer.send("auth external").contains("+ "));
        assert!(peer.send("").contains("+OK Logged in"));
        assert_eq!(peer.user(), Some("alice"));
    }
}

#[test]
fn the_list_has_the_mechanisms_that_the_connection_allows() {
    let mut peer = Peer::new(Protocol::Text, None);
    assert_eq!(peer.send("AUTH"), "+OK Mechanisms:\r\nSCRAM-SHA-256\r\n.\r\n");
    let mut peer = Peer::new(Protocol::Text, Some(&Identity::default()));
    assert_eq!(peer.send("AUTH"), "+OK Mechanisms:\r\nSCRAM-SHA-256\r\nPLAIN\r\n.\r\n");
    let mut peer = Peer::new(Protocol::Text, Some(&bound()));
    assert_eq!(
        peer.send("AUTH"),
        "+OK Mechanisms:\r\nSCRAM-SHA-256-PLUS\r\nSCRAM-SHA-256\r\nEXTERNAL\r\nPLAIN\r\n.\r\n"
    );
    let mut peer = Peer::new(Protocol::Text, None);
    assert!(peer.send("AUTH PLAIN AGFsaWNlAHBlbmNpbA==").starts_with("-ERR Unknown mechanism"));
}

#[test]
fn every_failed_login_has_the_same_answer() {
    let answers = [("alice", "pen"), ("bob", "pencil")].map(|(name, password)| {
        let mut peer = Peer::new(Protocol::Text, Some(&bound()));
        let scram = peer.scram(Mechanism::ScramSha256, name, password);
        let plain = STANDARD.encode(format!("\0{name}\0{password}"));
        let plain = peer.send(&format!("AUTH PLAIN {plain}"));
        assert!(peer.user().is_none());
        assert_eq!(peer.failures, ["the proof is wrong", "the password is wrong"]);
        (scram, plain)
    });
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, "-ERR Not logged in\r\n");
    assert_eq!(answers[0].0, answers[0].1);
}

#[test]
fn the_third_failure_closes_the_connection() {
    let mut peer = Peer::new(Protocol::Text, None);
    assert_eq!(
        peer.send("hello"),
        "-ERR Log in first: AUTH MECHANISM; AUTH lists the mechanisms\r\n"
    );
    peer.scram(Mechanism::ScramSha256, "alice", "pen");
    assert!(peer.end.is_none());
    peer.send("AUTH SCRAM-SHA-256 =");
    assert!(matches!(peer.end, Some(Next::Close(Reason::NotLoggedIn))), "{:?}", peer.end);
}

#[test]
fn a_client_cancels_with_an_asterisk_and_ends_with_exit() {
    let mut peer = Peer::new(Protocol::Text, None);
    assert_eq!(peer.send("AUTH SCRAM-SHA-256"), "+ \r\n");
    assert_eq!(peer.send("*"), "-ERR Cancelled\r\n");
    assert_eq!(peer.send("exit"), "Goodbye!\r\n");
    assert!(matches!(peer.end, Some(Next::Close(Reason::Exit))));
}

#[test]
fn bytes_behind_the_login_are_those_of_the_session() {
    let mut peer = Peer::new(Protocol::Text, Some(&bound()));
    assert_eq!(peer.send_bytes(b"AUTH EXTERNAL =\r\nAUTH is text now\n"), "+OK Logged in\r\n");
    assert_eq!(peer.held, b"AUTH is text now\n");
    let mut peer = Peer::new(Protocol::Text, Some(&bound()));
    let plain = STANDARD.encode("\0alice\0pencil");
    let login = format!("AUTH PLAIN {plain}\r\nhello");
    assert_eq!(peer.send_bytes(login.as_bytes()), "", "the password is being verified");
    assert_eq!(peer.send_bytes(b" world"), "");
    assert_eq!(peer.wait(), "+OK Logged in\r\n");
    assert_eq!(peer.held, b"hello world");
}

#[test]
fn a_login_may_be_split_anywhere() {
    let login = b"AUTH\r\nAUTH EXTERNAL\r\n*\r\nAUTH EXTERNAL =\r\nhello";
    let receive = |at: usize| {
        let mut peer = Peer::new(Protocol::Text, Some(&bound()));
        let answers = [&login[..at], &login[at..]].map(|part| peer.send_bytes(part)).concat();
        assert_eq!(peer.user(), Some("alice"));
        (answers, peer.held)
    };
    let whole = receive(0);
    assert_eq!(whole.1, b"hello");
    for at in 1..=login.len() {
        assert_eq!(receive(at), whole);
    }
}

#[test]
fn a_login_that_is_too_long_or_too_late_ends() {
    for protocol in [Protocol::Text, Protocol::Length] {
        let mut peer = Peer::new(protocol, None);
        assert!(peer.send_bytes(&vec![b'A'; limits::LOGIN_UNIT + 1]).contains("-ERR Too long"));
        assert!(matches!(peer.end, Some(Next::Close(Reason::Violation(_)))));
    }
    let mut peer = Peer::new(Protocol::Text, None);
    peer.send("AUTH SCRAM-SHA-256");
    assert_eq!(peer.wait(), "-ERR Too late\r\n");
    assert!(matches!(peer.end, Some(Next::Close(Reason::Timeout(_)))));
}

#[test]
fn a_user_has_no_more_sessions_than_allowed() {
    let authenticator = authenticator();
    let mut peers = [(); 3].map(|()| {
        let mut peer = Peer::of(&authenticator, Protocol::Text, None);
        let answer = peer.scram(Mechanism::ScramSha256, "alice", "pencil");
        (peer, answer)
    });
    let answers = peers.each_ref().map(|(_, answer)| &answer[..5]);
    assert_eq!(answers, ["+OK L", "+OK L", "-ERR "]);
    peers[0].0.end = None;
    let mut peer = Peer::of(&authenticator, Protocol::Text, None);
    peer.scram(Mechanism::ScramSha256, "alice", "pencil");
    assert_eq!(peer.user(), Some("alice"));
}

proptest! {
    #[test]
    fn nothing_that_a_client_sends_is_echoed_or_makes_the_server_panic(
        lines in proptest::collection::vec(
            prop_oneof![
                "[ -~]{0,40}",
                "AUTH (SCRAM-SHA-256|SCRAM-SHA-256-PLUS|PLAIN|EXTERNAL)( [A-Za-z0-9+/=]{0,24})?",
                "(biws|=|\\*|bixhPWEsbj1hLHI9YQ==)",
            ],
            0..12,
        ),
        bytes: Vec<u8>,
        is_length: bool,
    ) {
        let protocol = if is_length { Protocol::Length } else { Protocol::Text };
        let mut peer = Peer::new(protocol, Some(&bound()));
        for line in lines {
            if peer.end.is_none() {
                peer.send_bytes(format!("{line}\r\n").as_bytes());
            }
        }
        if peer.end.is_none() {
            peer.send_bytes(&bytes);
        }
        let is_user = matches!(peer.end, Some(Next::LoggedIn { .. }));
        prop_assert!(!is_user || peer.user() == Some("alice"));
    }
}

#[test]
fn a_login_that_is_not_examined_counts_for_nobody() {
    let authenticator = authenticator();
    let source = Source::of("192.0.2.1:5000");
    let now = Instant::now();
    for _ in 0..limits::LOGIN_FAILURES_OF_SOURCE {
        authenticator.count_failure(source, None, now);
    }
    let plain = STANDARD.encode("\0alice\0pencil");
    for _ in 0..limits::LOGIN_FAILURES_OF_NAME {
        let mut peer = Peer::of(&authenticator, Protocol::Text, Some(&bound()));
        assert_eq!(peer.send(&format!("AUTH PLAIN {plain}")), "-ERR Not logged in\r\n");
        assert_eq!(peer.failures, ["too many logins have failed"]);
    }
    assert!(!authenticator.is_refused(Source::of("192.0.2.2:1"), "alice", now));
    assert!(!authenticator.is_refused(source, "alice", now + limits::LOGIN_REFUSAL));
}

#[test]
fn a_proof_that_is_wrong_on_purpose_is_refused_and_the_server_goes_on_as_if_it_were_right() {
    let identity = Identity { exporter: Some(EXPORTER), common_name: None };
    for mechanism in [Mechanism::ScramSha256, Mechanism::ScramSha256Plus] {
        for protocol in [Protocol::Text, Protocol::Length] {
            let mut peer = Peer::new(protocol, Some(&identity));
            let handler = peer.handler.as_mut().unwrap();
            handler.set_faults(Some(&FaultPlan::fixture(7, 0, &[FaultKind::LoginWrongProof])));
            peer.scram_until_proven(mechanism, "alice", "pencil", |proof| {
                proof.unwrap_err();
            });
            assert_eq!(peer.user(), Some("alice"));
            let injected = peer.handler.as_mut().unwrap().take_injected_fault();
            assert_eq!(
                injected.map(|injected| injected.act),
                Some(FaultAct::sent(Fault::LoginWrongProof, 0))
            );
        }
    }
}
