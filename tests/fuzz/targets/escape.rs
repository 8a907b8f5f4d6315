//! The escaped form of a peer's bytes.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::escape::check(input));
