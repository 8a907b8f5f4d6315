//! Sessions of the `raw` protocol.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::raw::check(input));
