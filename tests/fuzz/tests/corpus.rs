//! Replays all inputs that fuzzing has found.

use std::{fs, path::Path};

#[test]
fn every_property_holds_for_its_corpus() {
    for (name, check) in fuzz::PROPERTIES {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut inputs = 0;
        for entry in fs::read_dir(&corpus).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            check(&fs::read(&path).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "{} is empty", corpus.display());
    }
}
