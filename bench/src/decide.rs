//! What one decision costs, and one reading of a statement, in process and on one thread.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postern_link::snapshot::{Policy, Snapshot};
use postern_policies::{Context, Question, Resource, Slice};
use postern_proxy::audit::Audit;
use postern_proxy::audit::spool::{Room, Spool};
use postern_proxy::authorize::{Authorizer, Reading, Rules, View, ViewFacts};
use postern_proxy::config::{Durability, Limits};
use postern_sql::Catalogue;

use crate::Wanted;
use crate::spread::Spread;

/// Rules that are about the one who asks.
const SLICE_RULES: usize = 10;

/// How long one round of one figure takes.
const ROUND: Duration = Duration::from_millis(100);

pub fn run(wanted: &Wanted) {
    println!(
        "\n| one decision, of a workload with {SLICE_RULES} rules | uncached, µs | cached, with its text, ns |"
    );
    println!("| --- | --- | --- |");
    for (policies, workloads) in [
        (10, 1),
        (1_000, 10),
        (100_000, 10),
        (100_000, 1_000),
        (100_000, 100_000),
    ] {
        let house = House::new(policies, workloads);
        let decided = figure(wanted, || house.decide());
        let cached = figure(wanted, || {
            house.judge("select id, status from orders where id = $1")
        });
        println!(
            "| {policies} policies, {workloads} workloads | {:.2} | {cached:.0} |",
            micro(decided)
        );
    }
    println!("\n| reading a statement | bytes | cold, µs | warm, ns |");
    println!("| --- | --- | --- | --- |");
    let house = House::new(10, 1);
    for (name, text) in statements() {
        let cold = figure(wanted, || house.analyse(&text));
        let warm = figure(wanted, || house.judge(&text));
        println!("| {name} | {} | {:.2} | {warm:.0} |", text.len(), micro(cold));
    }
}

fn micro(nanoseconds: Spread) -> Spread {
    Spread {
        least: nanoseconds.least / 1e3,
        median: nanoseconds.median / 1e3,
        greatest: nanoseconds.greatest / 1e3,
    }
}

/// Nanoseconds of one call.
fn figure(wanted: &Wanted, work: impl Fn()) -> Spread {
    let once = || {
        let (started, mut calls) = (Instant::now(), 0_u32);
        while started.elapsed() < ROUND {
            for _ in 0..64 {
                work();
            }
            calls += 64;
        }
        started.elapsed().as_nanos() as f64 / f64::from(calls)
    };
    once();
    Spread::of((0..wanted.rounds).map(|_| once()))
}

/// Everything that judges, without a socket.
struct House {
    slice: Arc<Slice>,
    authorizer: Authorizer,
    view: Rc<View>,
    reading: Rc<Reading>,
    catalogue: Arc<Catalogue>,
    path: Vec<String>,
    columns: BTreeSet<String>,
    _folder: tempfile::TempDir,
}

impl House {
    /// The one who asks is `w0`; all other rules are about others, spread over the other workloads.
    fn new(policies: usize, workloads: usize) -> House {
        let mut text = String::new();
        for number in 0..policies {
            let workload = if number < SLICE_RULES {
                0
            } else {
                1 + number % workloads.max(2)
            };
            let name = if number == SLICE_RULES - 1 {
                "orders".into()
            } else {
                format!("t{number}")
            };
            text.push_str(&format!(
                "@id(\"r{number}\") permit (principal == Postern::Workload::\"w{workload}\", \
                 action == Postern::Action::\"select\", resource) when {{ resource is Postern::Table && \
                 resource.name == \"{name}\" && [\"id\", \"status\", \"total\"].containsAll(context.columns) }};\n"
            ));
        }
        let snapshot = Snapshot {
            policies: vec![Policy {
                name: "bench.cedar".into(),
                text,
            }],
            ..Snapshot::default()
        };
        let rules = Rules::load(snapshot).expect("rules");
        let folder = tempfile::tempdir().expect("a folder");
        let limits = Limits::default();
        let room = Room {
            spool_bytes_max: 1 << 24,
            file_bytes_max: 1 << 22,
            record_bytes_max: 1 << 20,
            durability: Durability::Process,
        };
        let (spool, _) =
            Spool::open(folder.path(), 0, 1, room, &Arc::default(), |_, _| Vec::new()).expect("a spool");
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &[0; 32]);
        let authorizer = Authorizer::new(Rc::new(Audit::new(spool, "bench")), key, &limits);
        let facts = ViewFacts {
            policy_epoch: 1,
            workload: "w0".into(),
            segments: Vec::new(),
            target: "shop".into(),
            database: "shop".into(),
            role: "shop_reader".into(),
            source: IpAddr::from([127, 0, 0, 1]),
            evidence: "certificate",
            run: None,
        };
        let view = authorizer.view(
            facts,
            |facts| rules.slices(&facts.workload, &facts.segments),
            false,
        );
        let catalogue: Arc<Catalogue> = Arc::new(
            serde_json::from_str(include_str!("../../proxy/tests/sessions/shop.json")).expect("a catalogue"),
        );
        let path = vec!["pg_catalog".to_owned(), "public".to_owned()];
        let reading = authorizer.reading(&catalogue, path.clone(), "shop_reader", true);
        House {
            slice: rules.slices("w0", &[]).enforced,
            authorizer,
            view,
            reading,
            catalogue,
            path,
            columns: ["id", "status"].map(str::to_owned).into(),
            _folder: folder,
        }
    }

    fn decide(&self) {
        let mut context = Context::new("shop_reader", IpAddr::from([127, 0, 0, 1]), 0, "certificate");
        context.columns = Some(&self.columns);
        let question = Question {
            action: "select",
            resource: Resource::Table {
                target: "shop",
                database: "shop",
                schema: "public",
                name: "orders",
            },
            context,
            whole: false,
        };
        assert!(black_box(self.slice.decide(&question)).permitted);
    }

    fn judge(&self, text: &str) {
        black_box(self.authorizer.judge(&self.view, &self.reading, text, &[]));
    }

    fn analyse(&self, text: &str) {
        let reading = postern_sql::Reading {
            catalogue: &self.catalogue,
            search_path: &self.path,
            role: "shop_reader",
            standard_conforming_strings: true,
        };
        let _ = black_box(postern_sql::analyse(text, &reading));
    }
}

fn statements() -> [(&'static str, String); 4] {
    let join = "select o.id, o.status, o.total, c.name, c.country from orders o join customers c on c.id = o.customer_id \
                where o.status = 'open' and o.total > 10 and c.country in ('DE', 'FR', 'IT') \
                and o.id in (select id from orders where customer_id = 7) order by o.total desc, c.name limit 100 offset 20 /* page */";
    let list = |count: usize| {
        let numbers: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        format!(
            "select id, status from orders where id in ({})",
            numbers.join(", ")
        )
    };
    [
        (
            "one row by its key",
            "select id, status from orders where id = 17".to_owned(),
        ),
        ("a join of two tables and a list", join.to_owned()),
        ("a list of 500", list(500)),
        ("a list of 10,000", list(10_000)),
    ]
}
