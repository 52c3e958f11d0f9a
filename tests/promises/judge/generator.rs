//! Statements over the small schema of this folder, by a fixed seed; most of them run.

/// The tables that are read, and their columns.
const TABLES: [(&str, &[&str]); 5] = [
    ("people", &["id", "name", "ssn", "boss"]),
    ("public.orders", &["id", "person", "total", "state"]),
    ("side.payroll", &["id", "amount", "ssn"]),
    ("events", &["id", "day", "body"]),
    ("people_names", &["id", "name"]),
];
/// How deep queries stand in queries.
const DEPTH_MAX: usize = 2;

pub struct Generator(u64);

/// A table under the name that the statement gave it.
struct Source {
    alias: String,
    columns: &'static [&'static str],
}

impl Generator {
    pub fn new(seed: u64) -> Generator {
        Generator(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Xorshift: the same statements on each machine.
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        let at = self.below(of.len());
        of[at]
    }

    pub fn statement(&mut self) -> String {
        match self.below(10) {
            0 => self.insert(),
            1 => self.update(),
            2 => self.delete(),
            3 => self.merge(),
            4 => format!(
                "with w as ({}), v as (select count(*) as c from w) select * from v, {}",
                self.query(1),
                self.one(&["people p", "orders o", "events e"])
            ),
            5 => format!(
                "{} {} {}",
                self.narrow(),
                self.one(&["union all", "except", "intersect"]),
                self.narrow()
            ),
            6 => format!("explain {}", self.query(1)),
            _ => self.query(0),
        }
    }

    fn source(&mut self, number: usize) -> (String, Source) {
        let (name, columns) = TABLES[self.below(TABLES.len())];
        let alias = format!("t{number}");
        let only = if self.below(8) == 0 { "only " } else { "" };
        (format!("{only}{name} as {alias}"), Source { alias, columns })
    }

    fn column(&mut self, sources: &[Source]) -> String {
        let at = self.below(sources.len());
        let source = &sources[at];
        format!("{}.{}", source.alias, self.one(source.columns))
    }

    /// One text column, so that any two fit together.
    fn narrow(&mut self) -> String {
        let (table, source) = self.source(0);
        let sources = [source];
        format!(
            "(select {}::text from {table} where {})",
            self.column(&sources),
            self.condition(&sources, DEPTH_MAX)
        )
    }

    fn query(&mut self, depth: usize) -> String {
        let (mut from, first) = self.source(depth * 10);
        let mut sources = vec![first];
        if self.below(2) == 0 {
            let (table, second) = self.source(depth * 10 + 1);
            sources.push(second);
            let condition = self.condition(&sources, DEPTH_MAX);
            let join = self.one(&["join", "left join", "full join"]);
            let condition = if join == "full join" {
                "true".to_owned()
            } else {
                condition
            };
            from = format!("{from} {join} {table} on {condition}");
        }
        if self.below(5) == 0 {
            let (table, inner) = self.source(depth * 10 + 2);
            let column = self.column(&[inner]);
            from = format!("{from}, lateral (select {column} as inner_column from {table} limit 1) l");
        }
        let list = self.list(&sources, depth);
        let condition = self.condition(&sources, depth);
        let end = match self.below(6) {
            0 => format!(" order by {}::text", self.column(&sources)),
            1 => " limit 2".to_owned(),
            2 if !from.contains("join") && list.starts_with('t') => {
                format!(" for update of {}", sources[0].alias)
            }
            _ => String::new(),
        };
        format!("select {list} from {from} where {condition}{end}")
    }

    fn list(&mut self, sources: &[Source], depth: usize) -> String {
        match self.below(9) {
            0 => "*".to_owned(),
            1 => format!("{}.*", sources[0].alias),
            2 => "count(*)".to_owned(),
            3 => format!("{}::text", sources[0].alias),
            4 => format!("total_of({}.id)", sources[0].alias),
            5 => format!(
                "side.peek({}::text), nextval('side.numbers')",
                self.column(sources)
            ),
            6 if depth < DEPTH_MAX => {
                let (table, inner) = self.source(depth * 10 + 5);
                let column = self.column(&[inner]);
                format!("(select max({column}::text) from {table})")
            }
            7 => format!("row_number() over (order by {}::text), 1", self.column(sources)),
            _ => format!("{}, {}", self.column(sources), self.column(sources)),
        }
    }

    fn condition(&mut self, sources: &[Source], depth: usize) -> String {
        match self.below(7) {
            0 => "true".to_owned(),
            1 if depth < DEPTH_MAX => {
                let outer = self.column(sources);
                let (table, inner) = self.source(depth * 10 + 6);
                let column = self.column(&[inner]);
                format!("exists (select from {table} where {column}::text = {outer}::text)")
            }
            2 if depth < DEPTH_MAX => {
                let (table, inner) = self.source(depth * 10 + 7);
                let column = self.column(&[inner]);
                format!(
                    "{}::text in (select {column}::text from {table})",
                    self.column(sources)
                )
            }
            3 => format!("{} is not null", sources[0].alias),
            4 => format!("total_of({}.id) > 1", sources[0].alias),
            _ => format!("{}::text <> {}::text", self.column(sources), self.column(sources)),
        }
    }

    fn insert(&mut self) -> String {
        let returning = self.one(&[
            "",
            " returning total",
            " returning *",
            " returning orders.id, total_of(1)",
        ]);
        let conflict = self.one(&[
            "",
            " on conflict do nothing",
            " on conflict (id) do update set total = excluded.total",
            " on conflict (id) do update set state = orders.state || 'x' where orders.total > 1",
        ]);
        match self.below(3) {
            0 => format!("insert into orders (id, total) values (1, 2){conflict}{returning}"),
            1 => format!("insert into orders values (9, 1, 2, 'new'){conflict}{returning}"),
            _ => {
                let (table, source) = self.source(1);
                let column = self.column(&[source]);
                format!(
                    "insert into orders (id, state) select 7, {column}::text from {table} limit 1{conflict}{returning}"
                )
            }
        }
    }

    fn update(&mut self) -> String {
        let (table, source) = self.source(1);
        let other = self.column(&[source]);
        let returning = self.one(&["", " returning o.id", " returning o.*", " returning *"]);
        match self.below(3) {
            0 => format!("update orders o set state = 'x' where o.id = 1{returning}"),
            1 => format!("update orders o set state = {other}::text from {table} where o.id = 2{returning}"),
            _ => format!(
                "update orders o set (state, total) = (select max({other}::text), 1 from {table}){returning}"
            ),
        }
    }

    fn delete(&mut self) -> String {
        let (table, source) = self.source(1);
        let other = self.column(&[source]);
        match self.below(3) {
            0 => "delete from orders".to_owned(),
            1 => format!("delete from orders o using {table} where o.state = {other}::text"),
            _ => "delete from orders where total > 1 returning id".to_owned(),
        }
    }

    fn merge(&mut self) -> String {
        let when = self.one(&[
            "when matched then delete",
            "when matched and o.state is not null then update set total = 1",
            "when not matched then insert (id, state) values (90, 'm')",
            "when matched then update set state = p.name when not matched then do nothing",
        ]);
        format!("merge into orders o using people p on o.person = p.id {when}")
    }
}
