use std::time::Duration;

use super::*;

fn parsed(typed: &str) -> Listener {
    typed.parse::<ListenerUrl>().unwrap().listener(&ListenerOptions::default())
}

fn error(typed: &str) -> String {
    typed.parse::<ListenerUrl>().unwrap_err()
}

#[test]
#[cfg(all(feature = "http", feature = "tls"))]
fn messages_about_tls_name_a_listener_as_the_log_does() {
    for (typed, address) in [
        ("tls://[::1]:7", "tls://[::1]:7"),
        ("https://a", "https://a:443"),
        ("unix:a?tls=on", "unix:a?tls=on"),
        ("unix:a?tls=on&http=on", "unix:a?tls=on&http=on"),
    ] {
        assert_eq!(typed.parse::<ListenerUrl>().unwrap().tls_address(), address);
    }
}

#[test]
fn parameters_override_the_options_of_the_server() {
    assert_eq!(parsed("tcp://127.0.0.1:7"), Listener::tcp("127.0.0.1", 7));
    let all = parsed(
        "tcp://[::]:7?protocol=raw&v6only=yes&max-connections=3&idle-timeout=1s&write-timeout=off",
    );
    let mut expected = Listener::tcp("::", 7);
    (expected.options.v6only, expected.options.protocol) = (true, Protocol::Raw);
    expected.options.max_connections = Some(3);
    (expected.options.idle_timeout, expected.options.write_timeout) =
        (Some(Duration::from_secs(1)), None);
    assert_eq!(all, expected);
    assert_eq!(parsed("unix:///run/echo.sock?mode=660").options.mode, 0o660);
    for (value, proxy) in [("off", Proxy::Off), ("required", Proxy::Required)] {
        assert_eq!(parsed(&format!("unix:///run/echo.sock?proxy={value}")).options.proxy, proxy);
    }
    for (value, limit) in [("1m", Some(Duration::from_mins(1))), ("off", None)] {
        let url = format!("tcp://h?proxy-timeout={value}&proxy=required");
        assert_eq!(parsed(&url).options.proxy_timeout, limit);
    }
    assert_eq!(parsed("udp://127.0.0.1:7?protocol=raw&rate=9").options.rate, NonZeroU32::new(9));
    assert_eq!(parsed("udp://[::]:7?v6only=yes&rate=off").options.rate, None);
}

#[test]
fn invalid_parameters_are_refused_by_name() {
    for (typed, message) in [
        ("127.0.0.1:7", "expected tcp://HOST:PORT, tls://HOST:PORT, udp://"),
        ("tcp://h?port=7", "'port=7': unknown parameter; the parameters are protocol,"),
        ("tcp://h?protocol=udp", "'protocol=udp': expected text, raw, length or room"),
        ("tcp://h?protocol=raw&protocol=raw", "'protocol' is set twice"),
        ("tcp://127.0.0.1?v6only=yes", "'v6only=yes': it applies to IPv6"),
        ("tcp://[::]?v6only=1", "expected yes or no"),
        ("tcp://h?mode=600", "it applies to Unix sockets only"),
        ("tcp://h?proxy=yes", "'proxy=yes': expected off or required"),
        ("udp://h?proxy=required", "it applies to TCP and Unix sockets only"),
        ("udp://h?proxy-timeout=1s", "it applies to TCP and Unix sockets only"),
        ("tcp://h?proxy-timeout=1s", "'proxy-timeout' needs proxy=required"),
        ("tcp://h?proxy=off&proxy-timeout=1s", "'proxy-timeout' needs proxy=required"),
        ("tcp://h?proxy=required&proxy-timeout=5", "expected a duration"),
        ("unix:///s?mode=999", "expected permissions"),
        ("unix:///s?mode=7777", "expected permissions"),
        ("unix:@s?mode=600", "'mode=600': an abstract socket has no permissions"),
        ("tcp://[fe80::1]:7", "a link-local address needs the name of its network interface"),
        ("tcp://a%0ab:7", "invalid host 'a\\nb'"),
        ("unix:///s?max-connections=0", "at least 1"),
        ("unix:///s?idle-timeout=5", "expected a duration"),
        ("udp://h?protocol=text", "'protocol=text': UDP is always raw"),
        ("udp://h?protocol=udp", "expected text, raw, length or room"),
        ("udp://h?max-connections=5", "'max-connections=5': UDP has no connections"),
        ("udp://h?idle-timeout=5s", "UDP has no connections"),
        ("udp://h?write-timeout=off", "UDP has no connections"),
        ("udp://h?mode=600", "it applies to Unix sockets only"),
        ("udp://h?rate=0", "at least 1, or off"),
        ("udp://h?rate=10000001", "the maximum is 10000000"),
        ("tcp://h?rate=9", "it applies to UDP only"),
        ("tcp://h?tls=on", "over TCP write tls://HOST:PORT"),
        ("http://h?tls=on", "over TCP write https://HOST:PORT"),
        ("tls://h?http=on", "over TCP write https://HOST:PORT"),
    ] {
        assert!(error(typed).contains(message), "{typed}: {}", error(typed));
    }
}
