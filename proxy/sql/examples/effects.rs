//! What texts would do: `cargo run -p postern-sql --example effects CATALOGUE.json SEARCH,PATH < texts`, one text a line.

use std::io::BufRead;

use postern_sql::{Catalogue, Reading, analyse};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().unwrap_or_default();
    let path = arguments.next().unwrap_or_else(|| "pg_catalog,public".to_owned());
    let read = std::fs::read_to_string(&file).map_err(|error| error.to_string());
    let parsed =
        read.and_then(|text| serde_json::from_str::<Catalogue>(&text).map_err(|error| error.to_string()));
    let catalogue = match parsed {
        Ok(catalogue) => catalogue,
        Err(error) => {
            eprintln!("the catalogue `{file}` cannot be read: {error}");
            std::process::exit(2);
        }
    };
    let search_path: Vec<String> = path.split(',').map(str::to_owned).collect();
    let reading = Reading {
        catalogue: &catalogue,
        search_path: &search_path,
        role: "app",
        standard_conforming_strings: true,
    };
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match analyse(&line, &reading) {
            Ok(analysis) => {
                let effects: Vec<String> = analysis
                    .statements
                    .iter()
                    .flat_map(|statement| &statement.effects)
                    .map(|effect| format!("{}|{:?}|{:?}", effect.action, effect.object, effect.columns))
                    .collect();
                println!("{}", effects.join(";"));
            }
            Err(rejection) => println!("! {rejection}"),
        }
    }
}
