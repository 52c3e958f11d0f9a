// Node's own fetch (undici): bodies of every kind, streams both ways; `refused` asks what policy forbids.
const { URL: url, TOKEN } = process.env;
const ask = (path, options = {}) =>
  fetch(`${url}${path}`, { ...options, headers: { authorization: `Bearer ${TOKEN}`, ...options.headers } });

if (process.argv[2] === "refused") {
  const answer = await ask("/v1/secrets/1");
  const { title, detail } = await answer.json();
  console.log(answer.status, answer.headers.get("content-type"), title, detail);
  process.exit();
}
for (const method of ["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"]) {
  const answer = await ask(`/v1/echo/${encodeURIComponent("a b")}?q=${method}`, { method });
  console.log(answer.status, JSON.stringify(await answer.json()));
}
const many = await Promise.all([...Array(20).keys()].map((n) => ask(`/v1/echo?n=${n}`).then((answer) => answer.json())));
console.log(many.map((one) => one[2]).join());
const json = { method: "POST", body: JSON.stringify({ a: "é" }), headers: { "content-type": "application/json", "x-own": "mine" } };
console.log(JSON.stringify(await (await ask("/v1/echo", json)).json()));
const form = new FormData();
form.set("file", new Blob(["x".repeat(100_000)]), "a.txt");
console.log(JSON.stringify(await (await ask("/v1/echo", { method: "POST", body: form })).json()));
const pieces = new ReadableStream({
  start(controller) {
    for (let n = 0; n < 50; n++) controller.enqueue(new TextEncoder().encode(`${n}`.repeat(10_000)));
    controller.close();
  },
});
console.log(JSON.stringify(await (await ask("/v1/echo", { method: "PUT", body: pieces, duplex: "half" })).json()));
let length = 0;
for await (const piece of (await ask("/v1/pieces")).body) length += piece.length;
console.log(length);
const redirected = await ask("/v1/redirect");
console.log(redirected.redirected, JSON.stringify(await redirected.json()));
console.log((await (await ask("/v1/gzip")).text()).slice(0, 20), (await ask("/v1/nothing")).status);
console.log(await (await ask("/v1/fault")).text(), (await ask("/v1/cookies")).headers.getSetCookie().join(" | "));
console.log((await ask("/v1/same", { headers: { "if-none-match": '"1"' } })).status);
