//! The cost of one log record for the thread that logs it: fern, format, sink, and the hand-over of batches as
//! a worker does it. The writer writes them to `/dev/null` at the same time. A slow writer would show as a
//! higher cost, because a slow sink drops no records.

use std::hint::black_box;

use common::escape::Quoted;
use criterion::{Criterion, criterion_group, criterion_main};
use log::LevelFilter;
use server::logging::{Destination, Format, Options, Overflow, defer, flush, start};

/// Environment variable with the format, `text` or `json`. A process has one logger, so one run measures one.
const FORMAT: &str = "LOG_FORMAT";

/// Records per batch: those of a worker with 50 connections and a message each.
const ROUND: u32 = 100;

fn record(criterion: &mut Criterion) {
    let json = std::env::var_os(FORMAT).is_some_and(|format| format == "json");
    let options = Options {
        level: LevelFilter::Info,
        format: if json { Format::Json } else { Format::Text },
        overflow: Overflow::Block,
        destination: Destination::File("/dev/null".into()),
    };
    let log = start(&options).expect("no other logger is installed");
    let message = [b'x'; 64];
    defer();
    let mut records = 0;
    criterion.bench_function(
        if json { "one record, json" } else { "one record, text" },
        |bencher| {
            bencher.iter(|| {
                let (peer, text) = (black_box("127.0.0.1:54321"), Quoted(black_box(&message)));
                log::info!(event = "received", peer, bytes = 64; "Received from {peer}: {text}");
                records += 1;
                if records % ROUND == 0 {
                    flush();
                }
            });
        },
    );
    criterion.bench_function("one record below the level", |bencher| {
        bencher.iter(|| {
            let (peer, text) = (black_box("127.0.0.1:54321"), Quoted(black_box(&message)));
            log::debug!(event = "received", peer, bytes = 64; "Received from {peer}: {text}");
        });
    });
    drop(log);
}

criterion_group!(benches, record);
criterion_main!(benches);
