// node-postgres: a pool, prepared statements, a transaction and an error with its code.
import fs from "node:fs";
import pg from "pg";

const pool = new pg.Pool({
  host: process.env.PGHOST,
  ssl: { ca: fs.readFileSync(process.env.PGSSLROOTCERT, "utf8") },
  statement_timeout: 20000,
  max: 3,
});
const answers = await Promise.all([...Array(20).keys()].map((n) => pool.query("select $1::int as n", [n])));
if (answers.some((answer, n) => answer.rows[0].n !== n)) throw new Error("wrong rows");
const client = await pool.connect();
await client.query("begin");
await client.query({ name: "named", text: "select count(*) from orders where total > $1", values: [5] });
await client.query("rollback");
client.release();
try {
  await pool.query("selekt");
  throw new Error("no error");
} catch (error) {
  if (error.code !== "42601") throw error;
}
await pool.end();
console.log("ok");
