use super::*;

#[test]
fn every_name_names_itself() {
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
    ] {
        let metric: Metric = name.parse().unwrap();
        assert_eq!(metric.to_string(), name);
    }
}

#[test]
fn other_names_are_refused_with_those_that_there_are() {
    for name in ["", "p", "pinf", "p-1", "p100.1", "connect", "connect.", "latency", "P99"] {
        let mistake = name.parse::<Metric>().unwrap_err();
        assert!(mistake.contains("p99.9") && mistake.contains("bytes/s"), "{mistake}");
    }
    let mistake = "errors.oops".parse::<Metric>().unwrap_err();
    assert!(mistake.contains("connect reset closed timeout wrong-bytes unreachable"), "{mistake}");
}
