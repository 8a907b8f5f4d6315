//! Sessions of the `text` protocol.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::text::check(input));
