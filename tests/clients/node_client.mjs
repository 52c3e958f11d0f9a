// node-postgres: a pool, named statements, parsed types, a cursor's worth of rows, a transaction, errors with codes.
import fs from "node:fs";
import pg from "pg";

const { PGSSLCERT, PGSSLKEY } = process.env;
const read = (file) => fs.readFileSync(file, "utf8");
const evidence = fs.existsSync(PGSSLCERT) ? { cert: read(PGSSLCERT), key: read(PGSSLKEY) } : {};
const pool = new pg.Pool({
  host: process.env.PGHOST,
  ssl: { ca: read(process.env.PGSSLROOTCERT), ...evidence },
  statement_timeout: 20000,
  max: 3,
});
const answers = await Promise.all([...Array(20).keys()].map((n) => pool.query("select $1::int as n", [n])));
console.log(answers.map((answer) => answer.rows[0].n));
const client = await pool.connect();
console.log((await client.query("show statement_timeout")).rows);
await client.query("begin");
const named = { name: "named", text: "select count(*) from orders where total > $1", values: [5] };
console.log((await client.query(named)).rows, (await client.query({ ...named, values: [190] })).rows);
const inserted = await client.query({
  text: "insert into orders select n, 1, 'new', n from unnest($1::int[]) n returning *",
  values: [[5000, 5001, 5002]],
  rowMode: "array",
});
console.log(inserted.command, inserted.rowCount, inserted.rows, inserted.fields.map((field) => field.dataTypeID));
await client.query("savepoint before");
for (const text of ["insert into orders values (1, 1, 'twice', 1)", "selekt"]) {
  const error = await client.query(text).catch((error) => error);
  console.log(error.code, error.message, error.position, error.constraint);
  await client.query("rollback to savepoint before");
}
console.log(await client.query("select 1 as a; select 2 as b").then((all) => all.map((one) => one.rows)));
console.log((await client.query("select now() is not null as now, array['a', null] as names, '{\"a\": 1}'::jsonb as body")).rows);
await client.query("rollback");
client.release();
await pool.end();
