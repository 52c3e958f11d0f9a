// Node's HTTP/2 with a client certificate: a body with trailers, and those of the answer.
import fs from "node:fs";
import http2 from "node:http2";

const { URL: url, CA, CERTIFICATE, KEY } = process.env;
const read = (file) => fs.readFileSync(file);
const session = http2.connect(url, { ca: read(CA), cert: read(CERTIFICATE), key: read(KEY) });
const request = session.request(
  { ":method": "POST", ":path": "/billing/v1/trailers", te: "trailers", trailer: "x-checksum, x-forwarded-for" },
  { waitForTrailers: true },
);
request.on("wantTrailers", () => request.sendTrailers({ "x-checksum": "up", "x-forwarded-for": "10.0.0.1" }));
request.on("response", (headers) => console.log(headers[":status"]));
request.on("trailers", (trailers) => console.log(trailers["x-checksum"]));
request.on("data", (data) => console.log(`${data}`));
request.on("close", () => session.close());
request.write("begun, ");
request.end("ended");
