//! Fuzzes `tests::fuzz::load`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tests::fuzz::load(data));
