//! How long an analysis takes: `cargo run --release -p postern-sql --example speed`.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use postern_sql::{Catalogue, Reading, Relation, Schema, analyse};

const TEXTS: &[(&str, &str)] = &[
    ("pgbench", "SELECT abalance FROM pgbench_accounts WHERE aid = $1;"),
    (
        "join of 300 bytes",
        "SELECT u.id, u.name, u.email, o.id, o.total, o.state, p.name FROM users AS u \
         INNER JOIN orders AS o ON o.user_id = u.id LEFT OUTER JOIN products AS p ON p.id = o.product_id \
         WHERE u.country = $1 AND o.created_at > $2 AND (p.price < $3 OR p.price IS NULL) \
         ORDER BY o.created_at DESC, u.id LIMIT 20 OFFSET $4",
    ),
    (
        "upsert",
        "INSERT INTO users (id, name, email) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET \
         name = excluded.name, email = excluded.email RETURNING id",
    ),
];

fn main() {
    let table = |columns: &[&str]| Relation {
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        ..Relation::default()
    };
    let relations = BTreeMap::from([
        (
            "users".to_owned(),
            table(&["id", "name", "email", "country", "created_at"]),
        ),
        (
            "orders".to_owned(),
            table(&["id", "user_id", "product_id", "total", "state", "created_at"]),
        ),
        ("products".to_owned(), table(&["id", "name", "price"])),
        (
            "pgbench_accounts".to_owned(),
            table(&["aid", "bid", "abalance", "filler"]),
        ),
    ]);
    let public = Schema {
        relations,
        ..Schema::default()
    };
    let catalogue = Catalogue {
        server_version: 180_000,
        schemas: BTreeMap::from([("public".to_owned(), public.into())]),
        ..Catalogue::default()
    };
    let search_path = ["pg_catalog".to_owned(), "public".to_owned()];
    let reading = Reading {
        catalogue: &catalogue,
        search_path: &search_path,
        role: "app",
        standard_conforming_strings: true,
    };
    for (name, text) in TEXTS {
        let rounds = 20_000_u32;
        for _ in 0..1_000 {
            black_box(analyse(black_box(text), &reading).is_ok());
        }
        let started = Instant::now();
        for _ in 0..rounds {
            black_box(analyse(black_box(text), &reading).is_ok());
        }
        println!(
            "{name:<20} {:>4} bytes {:>10.2?}",
            text.len(),
            started.elapsed() / rounds
        );
    }
}
