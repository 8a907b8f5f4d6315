//! Micro-benchmarks of the protocol without sockets: splitting into messages, finding an exit, escaping.

use std::hint::black_box;

use common::{
    escape::Escaped,
    exit::{ExitMatcher, is_exit},
    message::Splitter,
    protocol::Protocol,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Returns one full read buffer of 64-byte lines.
fn lines() -> Vec<u8> {
    let mut line = vec![b'x'; 63];
    line.push(b'\n');
    line.repeat(1024)
}

/// Returns the same amount of bytes as frames of the `length` protocol.
fn frames() -> Vec<u8> {
    let mut frame = 60_u32.to_be_bytes().to_vec();
    frame.extend([b'x'; 60]);
    frame.repeat(1024)
}

fn splitting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("split 1,024 messages");
    group.throughput(Throughput::Elements(1024));
    for (name, protocol, bytes) in
        [("text", Protocol::Text, lines()), ("length", Protocol::Length, frames())]
    {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut splitter = Splitter::new(protocol);
                let (mut at, mut count) = (0, 0);
                while let Some(message) = splitter.next(black_box(&bytes[at..])) {
                    at += message.len;
                    count += 1;
                }
                count
            });
        });
    }
    group.finish();
}

fn exits(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exit");
    let long = [b'x'; 64];
    let blank = [b' '; 64];
    for (name, line) in [("a word", &long[..]), ("white space", &blank), ("an exit", b" exit\r")] {
        group.bench_function(format!("matched: {name}"), |bencher| {
            bencher.iter(|| {
                let mut matcher = ExitMatcher::default();
                matcher.feed(black_box(line));
                matcher.end_line()
            });
        });
        group.bench_function(format!("in one piece: {name}"), |bencher| {
            bencher.iter(|| is_exit(black_box(line)));
        });
    }
    group.finish();
}

fn escaping(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("escape 64 bytes");
    group.throughput(Throughput::Bytes(64));
    let mixed: Vec<u8> = "ab\u{e9}\t".bytes().cycle().take(64).collect();
    for (name, bytes) in [("plain", vec![b'x'; 64]), ("mixed", mixed), ("control", vec![7; 64])] {
        let mut shown = String::new();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                use std::fmt::Write as _;
                shown.clear();
                write!(shown, "{}", Escaped(black_box(&bytes))).expect("a string takes anything");
                shown.len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, splitting, exits, escaping);
criterion_main!(benches);
