//! Pieces of one session put into another: whatever they come to, nothing runs that is not recorded as permitted.

use std::collections::BTreeSet;

use postern_tests::raw::{
    Raw, bind, close_statement, describe_statement, execute, flush, message, parse, query, sync,
};
use postern_tests::{World, field};
use tokio::io::AsyncWriteExt;

const MIXTURES: u64 = 100;

/// Two sessions, as drivers hold them; `mark` is in each statement, which one session must be refused.
fn sessions(mark: &str) -> [Vec<Vec<u8>>; 2] {
    let served = |number: u32| format!("select id as {mark}served_{number} from customers");
    let refused = |number: u32| format!("select ssn as {mark}refused_{number} from customers");
    [
        vec![
            query("begin"),
            query(&served(1)),
            parse("a", &served(2)),
            describe_statement("a"),
            sync(),
            bind("", "a"),
            execute("", 0),
            sync(),
            parse("", &served(3)),
            bind("p", ""),
            execute("p", 1),
            flush(),
            execute("p", 0),
            sync(),
            query(&format!("prepare s as {}", served(4))),
            query("execute s"),
            query("savepoint one"),
            query(&format!("declare c cursor for {}", served(5))),
            query("fetch 2 from c"),
            query("commit"),
        ],
        vec![
            parse("a", &refused(1)),
            bind("", "a"),
            execute("", 0),
            sync(),
            query(&refused(2)),
            query(&format!("{}; {}", served(6), refused(3))),
            query(&format!("prepare s as {}", refused(4))),
            query("execute s"),
            parse("", &refused(5)),
            bind("p", ""),
            execute("p", 0),
            close_statement("a"),
            sync(),
            query(&format!("declare c cursor for {}", refused(6))),
            query("fetch 2 from c"),
            query("rollback to savepoint one"),
            query("deallocate all"),
            message('d', b"1\n"),
            message('c', b""),
            message('F', b"\0\0\0\x01\0\0\0\0\0\0"),
            query("rollback"),
        ],
    ]
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("small")
    }
}

/// Pieces of the one at any places of the other; now and then a message is left out.
fn mixed(seed: u64, mark: &str) -> Vec<Vec<u8>> {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut sessions = sessions(mark);
    if chance.below(2) == 1 {
        sessions.reverse();
    }
    let [mut whole, pieces] = sessions;
    for _ in 0..1 + chance.below(6) {
        let begin = chance.below(pieces.len());
        let piece = pieces.iter().skip(begin).take(1 + chance.below(4)).cloned();
        let place = chance.below(whole.len());
        whole.splice(place..place, piece);
    }
    for _ in 0..chance.below(3) {
        whole.remove(chance.below(whole.len()));
    }
    whole.push(message('X', b""));
    whole
}

/// The marks in a text.
fn marks(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))
        .filter(|word| word.starts_with("mixed_"))
}

#[test]
fn messages_of_two_sessions_mixed_pass_no_statement_that_is_not_recorded() {
    let world = World::shared();
    let token = world.token("report", &[]);
    for seed in 0..MIXTURES {
        let bytes = mixed(seed, &format!("mixed_{seed}_")).concat();
        world.block_on(async {
            let mut raw = Raw::log_in(world, &token).await;
            // A broken protocol ends the session while the rest is still being sent.
            let _ = raw.stream.write_all(&bytes).await;
            let _ = raw.stream.flush().await;
            raw.until_closed().await;
        });
    }
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.query("select id as mixed_last from customers").await;
    });
    world.until_recorded("the last one", |record| {
        field(record, "text").contains("mixed_last")
    });
    let log = world.server_log();
    let sent: BTreeSet<&str> = log.iter().flat_map(|line| marks(line)).collect();
    let runs = log.iter().filter(|line| line.contains("|LOG:"));
    let ran: BTreeSet<&str> = runs.flat_map(|line| marks(line)).collect();
    let refused: Vec<_> = sent.iter().filter(|mark| mark.contains("refused")).collect();
    assert!(
        refused.is_empty(),
        "what must be refused was sent on: {refused:?}"
    );
    let records = world.records("workload=report");
    let permitted: BTreeSet<&str> = records
        .iter()
        .filter(|record| field(record, "kind") == "intent")
        .flat_map(|record| marks(field(record, "text")))
        .collect();
    let unrecorded: Vec<_> = ran.difference(&permitted).collect();
    assert!(unrecorded.is_empty(), "ran without a record: {unrecorded:?}");
    assert!(
        ran.len() > usize::try_from(MIXTURES).unwrap(),
        "too little ran to say much: {}",
        ran.len()
    );
}
