// Loaded before a program that knows no credentials: whatever it fetches, it fetches with the token of `TOKEN`.
import * as undici from "undici";

const bearer = `Bearer ${process.env.TOKEN}`;
const plain = globalThis.fetch;
globalThis.fetch = (input, init = {}) => {
  const headers = new Headers(init.headers ?? input.headers);
  headers.set("authorization", bearer);
  return plain(input, { ...init, headers });
};
// What it asks for by another way than `fetch`.
const agent = new undici.Agent().compose((dispatch) => (options, handler) => {
  if (!Array.isArray(options.headers)) options.headers = { ...options.headers, authorization: bearer };
  return dispatch(options, handler);
});
undici.setGlobalDispatcher(agent);
