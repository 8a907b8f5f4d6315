use super::*;
use crate::protocol::DEFAULT_PORT;

fn parsed(url: &str) -> Result<Endpoint, UrlError> {
    url.parse().map(|url: Url| url.endpoint)
}

fn at(host: &str, port: u16) -> HostPort {
    HostPort { host: host.to_owned(), port }
}

#[test]
fn parses_and_prints_every_kind_of_endpoint() {
    for (url, endpoint) in [
        ("tcp://127.0.0.1:65432", Endpoint::Tcp(at("127.0.0.1", 65432))),
        ("TCP://echo.example.com:7/", Endpoint::Tcp(at("echo.example.com", 7))),
        ("tcp://[::1]", Endpoint::Tcp(at("::1", DEFAULT_PORT))),
        ("udp://0.0.0.0:0", Endpoint::Udp(at("0.0.0.0", 0))),
        ("unix:///run/echo.sock", Endpoint::Unix("/run/echo.sock".into())),
        ("unix:///tmp/a%20b", Endpoint::Unix("/tmp/a b".into())),
        ("unix:echo.sock", Endpoint::Unix("echo.sock".into())),
        ("unix:./@echo", Endpoint::Unix("./@echo".into())),
        ("unix:/@echo", Endpoint::Unix("/@echo".into())),
        ("unix:@echo", Endpoint::Abstract("echo".into())),
        ("unix:@a/b@c%20d", Endpoint::Abstract("a/b@c d".into())),
        ("tcp://[fe80::1%lo]:7", Endpoint::Tcp(at("fe80::1%lo", 7))),
        ("tcp://[fe80::1%25lo]:7", Endpoint::Tcp(at("fe80::1%lo", 7))),
        ("udp://[FE80::0001%25a%2Db]", Endpoint::Udp(at("fe80::1%a-b", DEFAULT_PORT))),
        ("tcp://[fe80::1%25]:7", Endpoint::Tcp(at("fe80::1%25", 7))),
        ("tcp://[fe80::1%3]:7", Endpoint::Tcp(at("fe80::1%3", 7))),
    ] {
        assert_eq!(parsed(url).as_ref(), Ok(&endpoint), "{url}");
    }
    for url in [
        "tcp://[::1]:7",
        "udp://localhost:7",
        "unix:///run/echo.sock",
        "unix:a/b",
        "unix:@a",
        "tcp://[fe80::1%lo]:7",
    ] {
        assert_eq!(parsed(url).unwrap().to_string(), url);
    }
}

#[test]
fn names_the_error_in_a_url() {
    for (url, error) in [
        ("", UrlError::Form),
        ("localhost:7", UrlError::Form),
        ("127.0.0.1:7", UrlError::Form),
        ("ftp://localhost", UrlError::Form),
        ("http://localhost/echo", UrlError::Path("/echo".to_owned())),
        ("tcp:localhost:7", UrlError::Form),
        ("tcp://me@localhost", UrlError::Form),
        ("tcp://localhost#x", UrlError::Form),
        ("tcp://a b:7", UrlError::Form),
        ("tcp://::1:7", UrlError::Form),
        ("tcp://:7", UrlError::NoHost),
        ("tcp://localhost:65536", UrlError::Port("65536".to_owned())),
        ("tcp://localhost:7/echo", UrlError::Path("/echo".to_owned())),
        (
            "tcp://[fe80::1]:7",
            UrlError::Host("fe80::1".into(), HostError::NoZone("fe80::1".parse().unwrap())),
        ),
        ("tcp://[::1%lo]:7", UrlError::Host("::1%lo".into(), HostError::Zone("lo".into()))),
        (
            "tcp://[fe80::1%a%2Fb]:7",
            UrlError::Host("fe80::1%a%2Fb".into(), HostError::Interface("a%2Fb".into())),
        ),
        (
            "tcp://[fe80::1%25a%2Fb]:7",
            UrlError::Host("fe80::1%a/b".into(), HostError::Interface("a/b".into())),
        ),
        ("tcp://a%20b:7", UrlError::Host("a b".into(), HostError::Form)),
        ("tcp://a%00b:7", UrlError::Host("a\0b".into(), HostError::Form)),
        ("tcp://127.0.0.1%lo:7", UrlError::Form),
        ("unix:///a%00b", UrlError::NulInPath),
        ("unix:///a\0b", UrlError::NulInPath),
        ("unix:@a%00b", UrlError::NulInName),
        ("unix:@a\0b", UrlError::NulInName),
        ("unix:@a\nb", UrlError::Unencoded('\n')),
        ("UNIX:///a b", UrlError::Unencoded(' ')),
        ("unix:///%zz", UrlError::Form),
        ("unix:@", UrlError::NoName),
        ("unix://@echo", UrlError::AbstractSlashes("@echo".to_owned())),
        ("unix:///run/", UrlError::Directory("/run/".to_owned())),
        ("unix:..", UrlError::Directory("..".to_owned())),
        ("unix://run/echo.sock", UrlError::Slashes("run/echo.sock".to_owned())),
        ("unix://", UrlError::NoPath),
        ("unix:///", UrlError::NoPath),
        ("tcp://localhost?a=%ff", UrlError::Utf8("a=%ff".to_owned())),
    ] {
        assert_eq!(parsed(url), Err(error), "{url}");
    }
}

#[test]
fn a_message_gives_the_encoding_of_a_character() {
    for (char, message) in [
        ('\n', r"'\n' cannot be in a URL; write it as %0A"),
        ('é', "'é' cannot be in a URL; write it as %C3%A9"),
    ] {
        assert_eq!(UrlError::Unencoded(char).to_string(), message);
    }
}

#[test]
fn a_path_or_a_name_over_the_maximum_length_is_refused() {
    for (prefix, error) in
        [("unix:/", UrlError::LongPath(108)), ("unix:@", UrlError::LongName(108))]
    {
        let file = usize::from(prefix.ends_with('/'));
        let url = |len: usize| format!("{prefix}{}", "x".repeat(len - file));
        assert!(parsed(&url(107)).is_ok());
        assert_eq!(parsed(&url(108)), Err(error));
    }
    // Bytes count, not their escapes in the URL.
    assert!(parsed(&format!("unix:/{}", "%20".repeat(106))).is_ok());
}

#[test]
fn a_scheme_adds_protocols_to_an_address() {
    for (typed, port, scheme) in [
        ("tls://[::1]:7", 7, Scheme::Tls),
        ("TLS://[::1]", DEFAULT_PORT, Scheme::Tls),
        ("tcp://[::1]:7", 7, Scheme::Tcp),
        ("http://[::1]", 80, Scheme::Http),
        ("https://[::1]/", 443, Scheme::Https),
        ("ws://[::1]", 80, Scheme::Ws),
        ("wss://[::1]:7", 7, Scheme::Wss),
    ] {
        let url: Url = typed.parse().unwrap();
        assert_eq!((url.endpoint, url.scheme), (Endpoint::Tcp(at("::1", port)), scheme));
    }
}

#[test]
fn a_websocket_has_a_target() {
    for (typed, target) in [
        ("ws://h", "/"),
        ("ws://h/", "/"),
        ("wss://h:7/a%20b/?c=d&e", "/a%20b/?c=d&e"),
        ("ws://h?a", "/?a"),
    ] {
        let url: Url = typed.parse().unwrap();
        assert_eq!((&url.target[..], url.query.len()), (target, 0), "{typed}");
    }
}

#[test]
fn parses_a_query_into_names_and_values_in_order() {
    let url: Url = "tcp://localhost?b=1&a=%32&flag&c=d=e&".parse().unwrap();
    let query: Vec<_> = url.query.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    assert_eq!(query, [("b", "1"), ("a", "2"), ("flag", ""), ("c", "d=e")]);
}

#[test]
fn a_percent_sign_of_a_query_without_two_digits_stands_for_itself() {
    for (typed, value) in [
        ("5%", "5%"),
        ("1MB@5%", "1MB@5%"),
        ("5%@10s..20s&b=%", "5%@10s..20s"),
        ("%%41%4%zz%", "%A%4%zz%"),
        ("%2525%%25", "%25%%"),
        ("%é", "%\u{e9}"),
    ] {
        let url: Result<Url, _> = format!("tcp://localhost?a={typed}").parse();
        if typed.is_ascii() {
            assert_eq!(url.unwrap().query[0].1, value, "{typed}");
        } else {
            let parameter = "a=%25\u{e9}".to_owned();
            assert_eq!(url, Err(UrlError::UnencodedIn { parameter, char: 'é' }), "{typed}");
        }
    }
    let url: Url = "ws://h/?drop=1%".parse().unwrap();
    assert_eq!(url.target, "/?drop=1%25", "a request has no other percent sign");
    assert_eq!(parsed("unix:///a%?b=1%"), Err(UrlError::Form), "a path has encodings only");
}
