//! A report for the tests of those who read one.

use std::{collections::BTreeMap, time::Duration};

use crate::load::{
    evaluate::verdict::{Verdict, judge},
    report::document::{ClientCpu, Datagrams, Pacing, Report, VERSION},
    stats::counters::Times,
};

/// The same over datagrams, one in a hundred of which was lost.
pub(crate) fn datagrams(messages: u32, latency_us: u64) -> Report {
    let sent = u64::from(messages) * 100 / 99;
    let mut report = Report {
        lost: Some(sent - u64::from(messages)),
        datagrams: Some(Datagrams { sent, ..Datagrams::default() }),
        ..report(messages, latency_us)
    };
    (report.verdict, report.reason) = judge(&report);
    report
}

/// Of an open loop that went well for a second: so many messages, each of which took this long.
pub(crate) fn report(messages: u32, latency_us: u64) -> Report {
    let mut latency = Times::default();
    (0..messages).for_each(|_| latency.record(Duration::from_micros(latency_us)));
    let mut report = Report {
        version: VERSION,
        verdict: Verdict::Unknown,
        reason: String::new(),
        stopped_early: false,
        plan: None,
        pacing: Some(Pacing::OpenLoop),
        messages: messages.into(),
        lost: Some(0),
        bytes_lost: Some(0),
        drains: Some(0),
        resent: Some(0),
        bytes_resent: Some(0),
        seconds: 1.0,
        rate: messages.into(),
        bytes_sent: Some(u64::from(messages) * 64),
        bytes_checked: Some(u64::from(messages) * 64),
        bytes_per_second: Some(f64::from(messages) * 64.0),
        connects: Some(10),
        latency: latency.into(),
        connect: Some(Times::default().into()),
        lag: Some(Times::default().into()),
        datagrams: None,
        errors: Some(BTreeMap::new()),
        faults: Vec::new(),
        casualties: Vec::new(),
        client_cpu: Some(ClientCpu {
            seconds: 0.5,
            cores: 0.5,
            busiest_process: 0.25,
            machine_cores: 4,
        }),
        assertions: Vec::new(),
        find_rate: None,
        parts: Vec::new(),
    };
    (report.verdict, report.reason) = judge(&report);
    report
}
