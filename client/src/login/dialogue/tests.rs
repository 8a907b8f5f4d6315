//! Logins at a server in memory, which knows the user `alice` with the password `pencil`, and at hostile ones.

use std::sync::LazyLock;

use common::login::{Keys, MAX_ITERATIONS, ServerExchange, prepare_password};
use proptest::prelude::*;

use super::*;
use crate::login::SecretText;

/// The keys of the user at the server.
static KEYS: LazyLock<Keys> =
    LazyLock::new(|| Keys::derive(&prepare_password("pencil").unwrap(), b"salt", 4096));

const EXPORTER: [u8; 32] = [7; 32];
const TLS: Channel =
    Channel { is_tls: true, is_verified: true, has_certificate: false, exporter: Some(EXPORTER) };
const PLAIN: Channel =
    Channel { is_tls: false, is_verified: false, has_certificate: false, exporter: None };

fn client(password: &str, mechanism: Option<Mechanism>) -> Client {
    let password = SecretText::from(password.to_owned());
    Client::new(Credentials::Password { user: "alice".to_owned(), password, mechanism }).unwrap()
}

/// The server's side.
struct Server {
    offered: Vec<Mechanism>,
    exporter: Option<[u8; 32]>,
    exchange: Option<ServerExchange>,
    /// Lines that the client has sent.
    received: Vec<String>,
    /// Changes an answer before it is sent.
    change: fn(String) -> String,
}

impl Server {
    fn new(offered: &[Mechanism], exporter: Option<[u8; 32]>) -> Self {
        let (exchange, received) = (None, Vec::new());
        Self { offered: offered.to_vec(), exporter, exchange, received, change: |answer| answer }
    }

    fn changed(change: fn(String) -> String) -> Self {
        Self { change, ..Self::new(&[Mechanism::ScramSha256], None) }
    }

    fn answer(&mut self, line: &str) -> String {
        self.received.push(line.to_owned());
        let answer = self.reply(line);
        (self.change)(answer)
    }

    fn reply(&mut self, line: &str) -> String {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["AUTH"] => {
                let names = self.offered.iter().map(|name| format!("{name}\r\n"));
                format!("+OK Mechanisms:\r\n{}.\r\n", names.collect::<String>())
            }
            ["AUTH", "PLAIN", initial] if initial == BASE64_STANDARD.encode("\0alice\0pencil") => {
                "+OK Logged in\r\n".to_owned()
            }
            ["AUTH", "EXTERNAL", "="] => "+OK Logged in\r\n".to_owned(),
            ["AUTH", name, initial] => self.begin(name.parse().unwrap(), initial),
            [""] if self.exchange.is_some() => "+OK Logged in\r\n".to_owned(),
            [proof] => {
                let proof = BASE64_STANDARD.decode(proof).unwrap();
                match self.exchange.as_ref().unwrap().finish(&proof) {
                    Ok(signature) => challenge(&signature),
                    Err(_) => "-ERR Not logged in\r\n".to_owned(),
                }
            }
            _ => panic!("{line}"),
        }
    }

    fn begin(&mut self, mechanism: Mechanism, initial: &str) -> String {
        let initial = BASE64_STANDARD.decode(initial).unwrap();
        let keys = |_: &str| KEYS.clone();
        let exporter = self.exporter.as_ref();
        match ServerExchange::begin(mechanism, exporter, &initial, "server", keys) {
            Ok((exchange, salt)) => {
                self.exchange = Some(exchange);
                challenge(&salt)
            }
            Err(_) => "-ERR Not logged in\r\n".to_owned(),
        }
    }
}

fn challenge(text: &str) -> String {
    format!("+ {}\r\n", BASE64_STANDARD.encode(text))
}

/// Returns the text of a challenge.
fn text_of(challenge: &str) -> String {
    let text = challenge.trim_end().strip_prefix("+ ").unwrap();
    String::from_utf8(BASE64_STANDARD.decode(text).unwrap()).unwrap()
}

/// Logs in; the answers arrive in pieces of at most `piece` bytes.
fn log_in(
    client: &Client,
    channel: Channel,
    server: &mut Server,
    piece: usize,
) -> Result<Mechanism, Error> {
    let mut dialogue = Dialogue::new(client, channel);
    loop {
        let line = String::from_utf8(dialogue.unsent().to_vec()).unwrap();
        // The line may leave in pieces too.
        for _ in 0..line.len() {
            dialogue.mark_sent(1);
        }
        assert!(dialogue.unsent().is_empty());
        let answer = server.answer(line.strip_suffix("\r\n").unwrap());
        let mut pieces = answer.as_bytes().chunks(piece).peekable();
        while let Some(part) = pieces.next() {
            let mechanism = dialogue.receive(part)?;
            if let Some(mechanism) = mechanism {
                return Ok(mechanism);
            }
            assert!(
                pieces.peek().is_none() || dialogue.unsent().is_empty(),
                "it sends before the end"
            );
        }
        if dialogue.unsent().is_empty() {
            return Err(dialogue.end());
        }
    }
}

/// Returns what a login without TLS with the right password makes of answers that are changed.
fn failure(change: fn(String) -> String) -> Error {
    let client = client("pencil", None);
    log_in(&client, PLAIN, &mut Server::changed(change), usize::MAX).unwrap_err()
}

#[test]
fn a_user_logs_in_by_each_mechanism_whatever_pieces_arrive() {
    use Mechanism::{External, Plain, ScramSha256, ScramSha256Plus};
    let password = client("pencil", None);
    let certificate = Client::new(Credentials::Certificate { user: None }).unwrap();
    let with_certificate = Channel { has_certificate: true, ..TLS };
    for (client, channel, offered, expected) in [
        (&password, TLS, &Mechanism::ALL[..], ScramSha256Plus),
        (&password, PLAIN, &Mechanism::ALL, ScramSha256),
        (&password, TLS, &[Plain], Plain),
        (&certificate, with_certificate, &Mechanism::ALL, External),
    ] {
        for piece in (1..60).chain([usize::MAX]) {
            let mut server = Server::new(offered, channel.exporter);
            let mechanism = log_in(client, channel, &mut server, piece).unwrap();
            assert_eq!(mechanism, expected);
        }
    }
}

#[test]
fn a_wrong_password_is_refused_with_the_text_of_the_server() {
    for mechanism in [Mechanism::ScramSha256, Mechanism::ScramSha256Plus] {
        let mut server = Server::new(&[mechanism], Some(EXPORTER));
        let error = log_in(&client("pen", None), TLS, &mut server, 1).unwrap_err();
        assert_eq!(error.to_string(), "the server refused it: 'Not logged in'");
        assert!(error.with_advice().contains("\nCheck the name and the password"), "{error}");
        assert!(error.is_final());
    }
    let error = failure(|_| "-ERR \x1b[2Jno\r\n".to_owned());
    assert_eq!(error.to_string(), r"the server refused it: '\x1b[2Jno'");
}

#[test]
fn a_server_that_does_not_know_the_password_is_told_apart() {
    let wrong = |answer: String| {
        if answer.starts_with("+ dj") {
            challenge(&format!("v={}", BASE64_STANDARD.encode([0; 32])))
        } else {
            answer
        }
    };
    let error = failure(wrong);
    assert!(matches!(error, Error::WrongServer), "{error:?}");
    assert_eq!(error.to_string(), "the server does not know the password: its signature is wrong");
    let error =
        failure(
            |answer| {
                if answer.starts_with("+ dj") { challenge("e=other-error\x1b") } else { answer }
            },
        );
    assert_eq!(error.to_string(), r"the server refused it: 'other-error\x1b'");
}

#[test]
fn a_login_that_is_accepted_too_early_is_refused() {
    let accept = "+OK Logged in\r\n";
    let after_the_name =
        failure(
            |answer| {
                if answer.starts_with("+ cj") { "+OK Logged in\r\n".to_owned() } else { answer }
            },
        );
    let after_the_proof =
        failure(
            |answer| {
                if answer.starts_with("+ dj") { "+OK Logged in\r\n".to_owned() } else { answer }
            },
        );
    for error in [after_the_name, after_the_proof] {
        assert!(matches!(error, Error::NoProof), "{error:?}");
        assert!(error.is_final());
    }
    // In the place of the list it is the beginning of one.
    let mut dialogue = Dialogue::new(&client("pencil", None), PLAIN);
    assert!(matches!(dialogue.receive(accept.as_bytes()), Ok(None)));
    assert_eq!(dialogue.receive(b".\r\n").unwrap_err().to_string(), no_mechanism());
}

fn no_mechanism() -> &'static str {
    "the server offers no mechanism that can be used on this connection: it offers none that this client knows"
}

#[test]
fn a_shortened_list_of_mechanisms_is_a_failed_login() {
    // Somebody on the path has removed SCRAM-SHA-256-PLUS, so the server sees the flag `y` and knows better.
    let mut server = Server::new(&[Mechanism::ScramSha256], Some(EXPORTER));
    let error = log_in(&client("pencil", None), TLS, &mut server, usize::MAX).unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
    let first = server.received[1].rsplit(' ').next().unwrap();
    assert!(BASE64_STANDARD.decode(first).unwrap().starts_with(b"y,,n=alice,r="));
    // A server that has no channel binding accepts it.
    let mut server = Server::new(&[Mechanism::ScramSha256], None);
    log_in(&client("pencil", None), TLS, &mut server, usize::MAX).unwrap();
    // And another TLS connection in the middle has another exporter.
    let mut server = Server::new(&Mechanism::ALL, Some([8; 32]));
    let error = log_in(&client("pencil", None), TLS, &mut server, usize::MAX).unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
}

#[test]
fn an_unsafe_or_malformed_challenge_is_refused() {
    let few = |answer: String| match &answer[..4] {
        "+ cj" => challenge(&text_of(&answer).replace("i=4096", "i=4095")),
        _ => answer,
    };
    let many = |answer: String| match &answer[..4] {
        "+ cj" => challenge(&text_of(&answer).replace("i=4096", "i=4000000000")),
        _ => answer,
    };
    let other_nonce = |answer: String| match &answer[..4] {
        "+ cj" => challenge(&text_of(&answer).replacen("r=", "r=x", 1)),
        _ => answer,
    };
    let not_base64 = |answer: String| match &answer[..4] {
        "+ cj" => "+ ###\r\n".to_owned(),
        _ => answer,
    };
    let range = format!("iterations, outside of 4096 to {MAX_ITERATIONS}");
    for (error, text) in [
        (failure(few), format!("the server asks for 4095 {range}")),
        (failure(many), format!("the server asks for 4000000000 {range}")),
        (
            failure(other_nonce),
            "the server broke the protocol of the login: the nonce is not the one of this exchange"
                .to_owned(),
        ),
        (
            failure(not_base64),
            "the server broke the protocol of the login: the message is malformed: invalid base64"
                .to_owned(),
        ),
    ] {
        assert_eq!(error.to_string(), text);
        assert!(error.is_final());
    }
}

#[test]
fn a_server_that_never_comes_to_an_end_is_refused() {
    let endless = failure(|answer| match &answer[..3] {
        "+OK" if answer.starts_with("+OK Logged in") => "+ \r\n".to_owned(),
        _ => answer,
    });
    assert!(matches!(endless, Error::Unexpected(_)), "{endless:?}");
    for part in ["+ x", "-ERR x", "+OK\r\nSCRAM-SHA-256\r\n"] {
        let mut dialogue = Dialogue::new(&client("pencil", None), PLAIN);
        let mut received = 0;
        let error = loop {
            received += part.len();
            match dialogue.receive(part.as_bytes()) {
                Ok(None) => assert!(received <= MAX_ANSWER, "{part}"),
                Ok(Some(_)) => panic!("{part}"),
                Err(error) => break error,
            }
        };
        let is_bounded = matches!(error, Error::TooLong(_) | Error::Unexpected(_));
        assert!(is_bounded && received <= MAX_ANSWER + part.len(), "{error:?}");
    }
}

#[test]
fn an_answer_that_is_none_to_a_login_is_named() {
    for (answer, text) in [
        ("AUTH\r\n", "the server has no login: it echoed the command"),
        ("AUTH\n", "the server has no login: it echoed the command"),
        (
            "Server is full: try later\r\n",
            "the server refused the connection: 'Server is full: try later'",
        ),
        ("SSH-2.0\r\n", r"the server broke the protocol of the login: it sent 'SSH-2.0\r\n'"),
        ("\x15\x03", r"the server broke the protocol of the login: it sent '\x15\x03'"),
        ("+OKAY\r\n.\r\n", r"the server broke the protocol of the login: it sent '+OKAY\r\n.\r\n'"),
        ("+ \r\n", r"the server broke the protocol of the login: it sent '+ \r\n'"),
        (
            "+OK\r\nSCRAM-SHA-256\r\n.\r\n+ cj0=\r\n",
            r"the server broke the protocol of the login: it sent '+ cj0=\r\n'",
        ),
        ("+OK\r\n.\r\n", no_mechanism()),
        (
            "+OK\r\nPLAIN\r\nCRAM-MD5\r\n.\r\n",
            "the server offers no mechanism that can be used on this connection: it offers PLAIN",
        ),
    ] {
        let mut dialogue = Dialogue::new(&client("pencil", None), PLAIN);
        let error = dialogue.receive(answer.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), text, "{answer:?}");
    }
}

#[test]
fn nothing_may_follow_the_end_of_the_login() {
    let error = failure(|answer| match &answer[..] {
        "+OK Logged in\r\n" => "+OK Logged in\r\npsst".to_owned(),
        _ => answer,
    });
    assert_eq!(error.to_string(), "the server broke the protocol of the login: it sent 'psst'");
}

#[test]
fn the_end_of_the_connection_is_an_error() {
    let mut dialogue = Dialogue::new(&client("pencil", None), PLAIN);
    assert!(matches!(dialogue.end(), Error::Ended));
    assert!(!dialogue.end().is_final());
    assert!(matches!(dialogue.receive(b"+OK\r\nSCRAM"), Ok(None)));
    assert!(matches!(dialogue.end(), Error::Unexpected(_)));
}

#[test]
fn no_password_is_shown() {
    let client = client("pencil", None);
    let shown = format!("{client:?} {:?}", Dialogue::new(&client, TLS));
    assert!(shown.contains("alice") && !shown.contains("pencil"), "{shown}");
}

proptest! {
    #[test]
    fn no_answers_log_in_without_the_proof_of_the_server(
        answers in prop::collection::vec("(\\+OK|-ERR|\\+ |AUTH|v=|r=|\\.|[a-zA-Z0-9+/=]{0,8}|\r\n|\\PC){0,6}\n", 0..6),
    ) {
        let mut dialogue = Dialogue::new(&client("pencil", None), TLS);
        let list = "+OK\r\nSCRAM-SHA-256\r\n.\r\n".to_owned();
        for answer in std::iter::once(list).chain(answers) {
            match dialogue.receive(answer.as_bytes()) {
                Ok(mechanism) => prop_assert_eq!(mechanism, None),
                Err(_) => break,
            }
        }
    }
}

#[test]
fn what_follows_the_last_answer_is_left_for_the_session() {
    let client = client("pencil", None);
    let mut server = Server::new(&Mechanism::ALL, None);
    let mut dialogue = Dialogue::new(&client, PLAIN);
    loop {
        let line = String::from_utf8(dialogue.unsent().to_vec()).unwrap();
        dialogue.mark_sent(line.len());
        let answer = server.answer(line.trim_end());
        let is_last = answer == "+OK Logged in\r\n";
        let stream = if is_last { format!("{answer}* You are @alice") } else { answer };
        let (mut rest, mut mechanism) = (stream.as_bytes(), None);
        while mechanism.is_none() && !rest.is_empty() {
            let (part, after) = rest.split_at(dialogue.max_read().min(rest.len()));
            (mechanism, rest) = (dialogue.receive(part).unwrap(), after);
        }
        if mechanism.is_some() {
            return assert_eq!(rest, b"* You are @alice");
        }
    }
}
