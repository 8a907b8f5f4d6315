//! What one log record costs the thread that logs it: through fern, its format and the sink. The
//! writer's thread takes them meanwhile, and writes them where nothing is kept.

use std::hint::black_box;

use common::escape::Escaped;
use criterion::{Criterion, criterion_group, criterion_main};
use log::LevelFilter;
use server::logging::{Format, Options, Overflow, start};

/// The environment variable that names the format, `text` or `json`: a process has one logger.
const FORMAT: &str = "LOG_FORMAT";

fn record(criterion: &mut Criterion) {
    let json = std::env::var_os(FORMAT).is_some_and(|format| format == "json");
    let options = Options {
        level: LevelFilter::Info,
        format: if json { Format::Json } else { Format::Text },
        // What is measured is the making of a record, not the waiting for a disk.
        overflow: Overflow::Drop,
        file: Some("/dev/null".into()),
    };
    let log = start(&options).expect("the only logger of this process");
    let message = [b'x'; 64];
    criterion.bench_function(
        if json { "one record, json" } else { "one record, text" },
        |bencher| {
            bencher.iter(|| {
                let text = Escaped(black_box(&message));
                log::info!("Received from 127.0.0.1:54321: '{text}'");
            });
        },
    );
    criterion.bench_function("one record below the level", |bencher| {
        bencher.iter(|| {
            let (peer, text) = (black_box("127.0.0.1:54321"), Escaped(black_box(&message)));
            log::debug!(event = "received", peer, bytes = 64; "Received from {peer}: '{text}'");
        });
    });
    drop(log);
}

criterion_group!(benches, record);
criterion_main!(benches);
