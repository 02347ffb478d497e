//! The corpus of the fuzz targets, replayed by the ordinary tests: what once was found is never found again.

use std::path::Path;

use vestal_testkit::fuzz::TARGETS;

#[test]
fn every_parser_survives_its_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, target) in TARGETS {
        let mut inputs = 0;
        for entry in
            std::fs::read_dir(corpus.join(name)).unwrap_or_else(|_| panic!("fuzz/corpus/{name} is missing"))
        {
            let path = entry.expect("an entry").path();
            let bytes = std::fs::read(&path).expect("an input");
            target(&bytes);
            for end in 0..bytes.len().min(256) {
                target(&bytes[..end]);
            }
            inputs += 1;
        }
        assert!(inputs > 0, "fuzz/corpus/{name} is empty");
    }
}
