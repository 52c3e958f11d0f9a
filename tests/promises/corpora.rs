//! What fuzzing has found, and where it began, is read again.

use std::fs;
use std::path::Path;

use postern_proxy::identity::Error;

#[path = "../fuzz/src/lib.rs"]
mod targets;

#[test]
fn nothing_of_the_fuzzers_corpora_makes_a_reader_panic() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in targets::ALL {
        let files = fs::read_dir(corpora.join(name)).expect("a corpus of each target");
        let mut count = 0;
        for file in files {
            let path = file.expect("a file").path();
            let bytes = fs::read(&path).expect("its bytes");
            let read = std::panic::catch_unwind(|| target(&bytes));
            assert!(read.is_ok(), "{}", path.display());
            // Cut and changed, it is read too: the corpus is where a stranger would begin.
            for place in 0..bytes.len().min(64) {
                let mut changed = bytes.clone();
                changed[place] ^= 0x81;
                let read = std::panic::catch_unwind(|| (target(&changed), target(&bytes[..place])));
                assert!(read.is_ok(), "{} changed or cut at {place}", path.display());
            }
            count += 1;
        }
        assert!(count > 0, "the corpus of {name} is empty");
    }
}

#[test]
fn the_certificates_that_fuzzing_begins_with_are_read_to_the_end_of_their_chain() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/certificate");
    for name in ["root_alone", "root_sent", "intermediate", "constraints"] {
        let bytes = fs::read(corpus.join(name)).expect("its bytes");
        let found = targets::by_chain(&bytes);
        assert!(
            matches!(found, Err(Error::Unregistered(_))),
            "{name}: {:?}",
            found.err()
        );
    }
}
