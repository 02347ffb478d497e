#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vestal_testkit::fuzz::configuration(bytes));
