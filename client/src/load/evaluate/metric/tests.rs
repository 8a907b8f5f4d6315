use super::*;

#[test]
fn every_name_is_parsed_and_printed() {
    for name in [
        "p50",
        "p99.9",
        "p99.99",
        "p0",
        "p100",
        "min",
        "mean",
        "max",
        "connect.p99",
        "lag.max",
        "messages",
        "lost",
        "errors",
        "errors.wrong-bytes",
        "connects",
        "seconds",
        "rate",
        "bytes/s",
        "sent",
        "reordered",
        "deliveries",
        "deliveries/s",
        "gaps",
        "relay-gaps",
        "missing",
        "order",
        "wrong-texts",
        "foreign",
    ] {
        let metric: Metric = name.parse().unwrap();
        assert_eq!(metric.to_string(), name);
    }
}

#[test]
fn refuses_an_unknown_name_and_lists_the_known_ones() {
    for name in ["", "p", "pinf", "p-1", "p100.1", "connect", "connect.", "latency", "P99"] {
        let error = name.parse::<Metric>().unwrap_err();
        assert!(error.contains("p99.9") && error.contains("bytes/s"), "{error}");
    }
    let error = "errors.oops".parse::<Metric>().unwrap_err();
    assert!(error.contains("connect reset closed timeout wrong-bytes tls truncated"), "{error}");
}
