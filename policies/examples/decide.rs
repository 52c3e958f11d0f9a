//! What one decision costs as the set grows and the slice does not; prints, asserts nothing.
//! Run with `cargo run --release -p postern-policies --example decide`.

use postern_policies::{Context, Grantee, Link, PolicySet, Question, Resource, Slice, Source};
use std::collections::BTreeSet;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;
use std::time::Instant;

const ROUNDS: u32 = 50_000;
const SLICES: u32 = 100;
const LIBRARY: [&str; 3] = ["session-basics", "introspection", "read-only"];

fn main() {
    println!(
        "{:>9} {:>9} {:>10}  µs for one uncached decision",
        "policies", "load s", "slice µs"
    );
    for policies in [10, 1_000, 100_000] {
        measure(policies);
    }
}

fn measure(policies: usize) {
    let source = Source {
        name: "generated.cedar".to_owned(),
        text: text(policies),
    };
    let links = LIBRARY.map(|library| Link {
        library: library.to_owned(),
        principal: Grantee::Segment("apps".to_owned()),
        target: "billing".to_owned(),
    });
    let start = processor_seconds();
    let set = match PolicySet::load(1, &[source], &links) {
        Ok(set) => set,
        Err(errors) => {
            errors.iter().for_each(|error| eprintln!("{error}"));
            return;
        }
    };
    let load = processor_seconds() - start;
    let segments = ["migrators".to_owned(), "apps".to_owned()];
    let slice = set.slice("workload-0", &segments);
    let start = processor_seconds();
    for _ in 0..SLICES {
        let _ = black_box(set.slice("workload-0", &segments));
    }
    let cut = (processor_seconds() - start) * 1e6 / f64::from(SLICES);
    print!("{policies:>9} {load:>9.2} {cut:>10.0} ");
    for (name, question) in questions(&columns()) {
        print!(" {name} {:.2}", cost(&slice, &question));
    }
    println!();
}

/// Ten rules that concern workload-0 and any number that do not.
fn text(policies: usize) -> String {
    let mut text = String::from(
        r#"
permit (principal in Postern::Segment::"migrators", action in Postern::Action::"define", resource in Postern::Target::"orders");
permit (principal == Postern::Workload::"workload-0", action == Postern::Action::"select", resource == Postern::Table::"orders/orders/public/customers")
  when { ["id", "country", "created_at"].containsAll(context.columns) };
permit (principal == Postern::Workload::"workload-0", action in Postern::Action::"write", resource in Postern::Schema::"orders/orders/public");
permit (principal == Postern::Workload::"workload-0", action == Postern::Action::"use", resource in Postern::Target::"orders");
permit (principal == Postern::Workload::"workload-0", action == Postern::Action::"assume", resource == Postern::Role::"orders/app");
forbid (principal, action in [Postern::Action::"update", Postern::Action::"delete"], resource in Postern::Target::"orders") unless { context.filtered };
forbid (principal, action == Postern::Action::"select", resource in Postern::Schema::"orders/orders/hr");
forbid (principal, action == Postern::Action::"truncate", resource in Postern::Target::"orders");
permit (principal == Postern::Workload::"workload-0", action == Postern::Action::"show", resource) when { context.source.isInRange(ip("10.0.0.0/8")) };
permit (principal == Postern::Workload::"workload-0", action == Postern::Action::"execute", resource in Postern::Schema::"orders/orders/api")
  when { context.now < datetime("2027-01-01") };
"#,
    );
    for number in 10..policies {
        text.push_str(&format!(
            "permit (principal == Postern::Workload::\"workload-{number}\", action == Postern::Action::\"select\", \
             resource == Postern::Table::\"orders/orders/public/table_{number}\");\n"
        ));
    }
    text
}

fn columns() -> BTreeSet<String> {
    ["id", "country"].map(str::to_owned).into()
}

fn questions<'a>(columns: &'a BTreeSet<String>) -> Vec<(&'static str, Question<'a>)> {
    let context = Context::new(
        "app",
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7)),
        1_795_000_000_000,
        "certificate",
    );
    let (target, database, schema) = ("orders", "orders", "public");
    let table = Resource::Table {
        target,
        database,
        schema,
        name: "customers",
    };
    let database_itself = Resource::Database { target, database };
    let routine = Resource::Routine {
        target,
        database,
        schema: "api",
        name: "total",
    };
    let touched = Context {
        columns: Some(columns),
        rows_only: Some(false),
        filtered: Some(true),
        ..context
    };
    let library = Resource::Database {
        target: "billing",
        database,
    };
    let ask = |action, resource, context| Question {
        action,
        resource,
        context,
        whole: false,
    };
    vec![
        ("use", ask("use", database_itself, context)),
        ("select-columns", ask("select", table, touched)),
        ("update-filtered", ask("update", table, touched)),
        (
            "show-by-source",
            ask(
                "show",
                database_itself,
                Context {
                    setting: Some("jit"),
                    ..context
                },
            ),
        ),
        (
            "execute-by-time",
            ask(
                "execute",
                routine,
                Context {
                    class: Some("user"),
                    ..context
                },
            ),
        ),
        (
            "library-set",
            ask(
                "set",
                library,
                Context {
                    setting: Some("jit"),
                    value: Some("off"),
                    reset: Some(false),
                    ..context
                },
            ),
        ),
        ("refused", ask("call", routine, context)),
    ]
}

fn cost(slice: &Slice, question: &Question<'_>) -> f64 {
    let start = processor_seconds();
    for _ in 0..ROUNDS {
        let _ = black_box(slice.decide(black_box(question)));
    }
    (processor_seconds() - start) * 1e6 / f64::from(ROUNDS)
}

/// The time this thread has run, so that a busy machine does not count; the clock on the wall where Linux's
/// account of it is not to be had.
fn processor_seconds() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let account = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = account
        .split_whitespace()
        .next()
        .and_then(|word| word.parse::<f64>().ok());
    nanoseconds.map_or_else(|| START.elapsed().as_secs_f64(), |nanoseconds| nanoseconds / 1e9)
}
