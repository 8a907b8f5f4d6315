//! Sessions and frames of the `length` protocol.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::length::check(input));
