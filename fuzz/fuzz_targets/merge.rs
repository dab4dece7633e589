//! Fuzzes `tests::fuzz::merge`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tests::fuzz::merge(data));
