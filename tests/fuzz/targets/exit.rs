//! The recognition of an exit.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::exit::check(input));
