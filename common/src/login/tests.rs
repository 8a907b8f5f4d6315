//! Both sides of SCRAM, with the vectors of the RFCs and with each other.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;

use super::*;

/// The exchange of RFC 7677, section 3.
const CLIENT_FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const SERVER_FIRST: &str =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                            p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
const CLIENT_NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

const EXPORTER: [u8; EXPORTER_LENGTH] = [7; EXPORTER_LENGTH];

fn secret(password: &str) -> Secret {
    prepare_password(password).expect("the password is allowed")
}

fn keys(password: &str) -> Keys {
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    Keys::derive(&secret(password), &salt, MIN_ITERATIONS)
}

/// The keys of the RFC's example.
static KEYS: LazyLock<Keys> = LazyLock::new(|| keys("pencil"));

/// Begins as the server of the RFC's example.
fn begin(message: &str) -> Result<(ServerExchange, String), ScramError> {
    let mechanism = Mechanism::ScramSha256;
    ServerExchange::begin(mechanism, None, message.as_bytes(), SERVER_NONCE, |_| KEYS.clone())
}

/// Logs in at a server that knows the password `pencil`. Returns what the server makes of it, or what the client refuses.
fn log_in(
    mechanism: Mechanism,
    exporter: Option<&[u8; EXPORTER_LENGTH]>,
    binding: ClientBinding,
    password: &str,
) -> Result<String, ScramError> {
    let (client, first) = ClientExchange::begin("user", secret(password), binding, random_nonce());
    let keys = |_: &str| KEYS.clone();
    let (server, challenge) =
        ServerExchange::begin(mechanism, exporter, first.as_bytes(), &random_nonce(), keys)?;
    let proof = client.prove(challenge.as_bytes(), &mut DerivedKeys::default())?;
    let end = server.finish(proof.message.as_bytes())?;
    proof.verify(end.as_bytes())?;
    Ok(server.name().to_owned())
}

#[test]
fn the_server_has_the_exchange_of_rfc_7677() {
    let (exchange, reply) = begin(CLIENT_FIRST).unwrap();
    assert_eq!(reply, SERVER_FIRST);
    assert_eq!(exchange.finish(CLIENT_FINAL.as_bytes()).unwrap(), SERVER_FINAL);
    assert_eq!(exchange.name(), "user");
}

#[test]
fn the_client_has_the_exchange_of_rfc_7677() {
    let binding = ClientBinding::Unsupported;
    let (exchange, first) =
        ClientExchange::begin("user", secret("pencil"), binding, CLIENT_NONCE.to_owned());
    assert_eq!(first, CLIENT_FIRST);
    let mut derived = DerivedKeys::default();
    for _ in 0..2 {
        let proof = exchange.prove(SERVER_FIRST.as_bytes(), &mut derived).unwrap();
        assert_eq!(proof.message, CLIENT_FINAL);
        assert_eq!(proof.verify(SERVER_FINAL.as_bytes()), Ok(()));
        let wrong = SERVER_FINAL.replace('6', "7");
        assert_eq!(proof.verify(wrong.as_bytes()), Err(ScramError::ServerSignature));
        assert_eq!(proof.verify(b"v="), Err(ScramError::ServerSignature));
        let refused = ScramError::Refused("invalid-proof".to_owned());
        assert_eq!(proof.verify(b"e=invalid-proof"), Err(refused));
    }
}

#[test]
fn both_sides_agree_with_and_without_a_channel_binding() {
    use Mechanism::{ScramSha256, ScramSha256Plus};
    let bound = ClientBinding::Exporter(EXPORTER);
    let user = Ok("user".to_owned());
    assert_eq!(log_in(ScramSha256Plus, Some(&EXPORTER), bound, "pencil"), user);
    for binding in [ClientBinding::Unsupported, ClientBinding::NotOffered] {
        assert_eq!(log_in(ScramSha256, None, binding, "pencil"), user);
    }
    assert_eq!(log_in(ScramSha256, Some(&EXPORTER), ClientBinding::Unsupported, "pencil"), user);
}

#[test]
fn a_wrong_password_another_channel_and_a_downgrade_are_refused() {
    use Mechanism::{ScramSha256, ScramSha256Plus};
    let unbound = ClientBinding::Unsupported;
    let bound = ClientBinding::Exporter(EXPORTER);
    assert_eq!(log_in(ScramSha256, None, unbound, "pen"), Err(ScramError::Proof));
    for (mechanism, exporter, binding) in [
        (ScramSha256Plus, Some(&[8; EXPORTER_LENGTH]), bound),
        (ScramSha256Plus, Some(&EXPORTER), unbound),
        (ScramSha256Plus, None, bound),
        (ScramSha256, Some(&EXPORTER), bound),
        (ScramSha256, Some(&EXPORTER), ClientBinding::NotOffered),
    ] {
        let result = log_in(mechanism, exporter, binding, "pencil");
        assert!(matches!(result, Err(ScramError::ChannelBinding(_))), "{binding:?}: {result:?}");
    }
}

#[test]
fn a_malformed_first_message_is_refused() {
    for message in [
        "",
        "n",
        "n,,",
        "n,,n=user",
        "n,,r=abc,n=user",
        "n,,n=user,r=",
        "n,,n=,r=abc",
        "n,,n=us=er,r=abc",
        "n,,n=us=2cer,r=abc",
        "n,,n=us\u{7}er,r=abc",
        "n,,n=user,r=a\0bc",
        "n,,n=user,r=a bc",
        "n,,n=user,r=abc,",
        "n,,n=user,r=abc,1=x",
        "q,,n=user,r=abc",
        "p=,,n=user,r=abc",
        "n,x,n=user,r=abc",
    ] {
        let result = begin(message);
        assert!(matches!(result, Err(ScramError::Malformed(_))), "{message:?}: {result:?}");
    }
    assert_eq!(begin("n,,m=ext,n=user,r=abc").unwrap_err(), ScramError::UnknownExtension);
    assert_eq!(begin("n,a=other,n=user,r=abc").unwrap_err(), ScramError::OtherIdentity);
    begin("n,a=us=2Cer,n=us=2Cer,r=abc,x=an extension").unwrap();
}

#[test]
fn a_last_message_of_another_exchange_is_refused() {
    let (exchange, _) = begin(CLIENT_FIRST).unwrap();
    for (from, to, error) in [
        ("r=rO", "r=r0", ScramError::Nonce),
        ("$k0", "$k", ScramError::Nonce),
        ("biws", "eSws", ScramError::ChannelBinding("the client sees another channel")),
        ("p=dH", "p=eH", ScramError::Proof),
        ("p=dHzb", "p=", ScramError::Malformed("the proof has a wrong length")),
        ("p=", "p=*", ScramError::Malformed("invalid base64")),
        (",p=", ",q=", ScramError::Malformed("the proof is missing")),
    ] {
        let message = CLIENT_FINAL.replacen(from, to, 1);
        assert_ne!(message, CLIENT_FINAL);
        assert_eq!(exchange.finish(message.as_bytes()), Err(error), "{message}");
    }
    let more = format!("{CLIENT_FINAL},x=y");
    assert!(exchange.finish(more.as_bytes()).is_err());
}

#[test]
fn a_first_message_of_the_server_that_is_unsafe_is_refused() {
    let binding = ClientBinding::Unsupported;
    let (exchange, _) =
        ClientExchange::begin("user", secret("pencil"), binding, CLIENT_NONCE.to_owned());
    let malformed = ScramError::Malformed;
    for (from, to, error) in [
        ("i=4096", "i=4095", ScramError::Iterations(4095)),
        ("i=4096", "i=4294967297", ScramError::Iterations(4_294_967_297)),
        ("i=4096", "i=99999999999999999999999", ScramError::Iterations(u64::MAX)),
        ("i=4096", "i=+4096", malformed("the iterations are no number")),
        ("i=4096", "i=", malformed("the iterations are no number")),
        ("r=rO", "r=r0", ScramError::Nonce),
        ("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "", ScramError::Nonce),
        ("s=W22ZaJ0SNY7soEsUEjb6gQ==", "s=", malformed("an empty salt")),
        ("s=W", "s=*", malformed("invalid base64")),
        ("r=", "m=ext,r=", ScramError::UnknownExtension),
    ] {
        let message = SERVER_FIRST.replacen(from, to, 1);
        assert_ne!(message, SERVER_FIRST);
        let result = exchange.prove(message.as_bytes(), &mut DerivedKeys::default());
        assert_eq!(result.unwrap_err(), error, "{message}");
    }
}

#[test]
fn a_password_is_verified_as_it_is_prepared() {
    let keys = Keys::derive(&secret("p\u{aa}\u{ad}ss"), b"salt", MIN_ITERATIONS);
    assert!(keys.matches(&secret("pass")));
    assert!(!keys.matches(&secret("pas")));
    assert_eq!(prepare_password("").unwrap_err(), PrepareError::Empty);
    assert_eq!(prepare_password("\u{ad}").unwrap_err(), PrepareError::Empty);
    assert_eq!(prepare_name("a\tb").unwrap_err(), PrepareError::Prohibited);
    assert_eq!(prepare_name(&"a".repeat(1025)).unwrap_err(), PrepareError::TooLong);
}

#[test]
fn no_secret_is_shown() {
    let keys = keys("pencil");
    let (exchange, _) = begin(CLIENT_FIRST).unwrap();
    let plain = PlainMessage::parse(b"\0user\0pencil").unwrap();
    for shown in [format!("{keys:?}"), format!("{exchange:?}"), format!("{plain:?}")] {
        assert!(!shown.contains("pencil") && !shown.contains("key"), "{shown}");
    }
}

#[test]
fn a_message_of_plain_has_three_fields() {
    let message = PlainMessage::parse("user\0user\0p\u{e4}ss".as_bytes()).unwrap();
    assert_eq!((&message.name[..], message.password.expose()), ("user", "p\u{e4}ss"));
    assert_eq!(PlainMessage::parse(b"root\0user\0pass").unwrap_err(), ScramError::OtherIdentity);
    for message in [&b""[..], b"user\0pass", b"\0\0pass", b"\0user\0", b"\0a\0b\0c", b"\0\xff\0b"] {
        assert!(PlainMessage::parse(message).is_err(), "{message:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_message_makes_a_side_panic(bytes: Vec<u8>, text in "[a-z=,\0-9]{0,40}") {
        let (server, _) = begin(CLIENT_FIRST).unwrap();
        let binding = ClientBinding::Unsupported;
        let (client, _) =
            ClientExchange::begin("user", secret("pencil"), binding, CLIENT_NONCE.to_owned());
        for message in [&bytes[..], text.as_bytes()] {
            let _ = begin(&String::from_utf8_lossy(message));
            let _ = server.finish(message);
            let _ = client.prove(message, &mut DerivedKeys::default());
            let _ = PlainMessage::parse(message);
        }
    }

    #[test]
    fn a_name_is_escaped_and_unescaped(name in "[a-z,=]{1,20}") {
        let binding = ClientBinding::Unsupported;
        let (_, first) = ClientExchange::begin(&name, secret("pencil"), binding, random_nonce());
        let (server, _) = begin(&first).unwrap();
        prop_assert_eq!(server.name(), name);
    }
}
