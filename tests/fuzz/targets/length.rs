//! Conversations in the `length` protocol, and its frames.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::length::check(input));
