// What web pages can make a browser on this machine do: nothing, neither with the admin's pages nor with a gateway without keys.
import assert from "node:assert/strict";
import { after, freePort, Gateway, test } from "./stage.mjs";
import { Origin, Wire } from "./wire.mjs";
import { good } from "./framing/answers.mjs";

const origin = await Origin.start(() => good);
const healthPort = await freePort();
const gateway = await Gateway.start({
  workers: 1,
  backends: { rec: { url: origin.url } },
  routes: { m: { reference: "rec/m" } },
  health: { listen: `127.0.0.1:${healthPort}` },
});
after(async () => {
  await gateway.stop();
  await origin.stop();
});
const adminPort = new URL(gateway.admin).port;

// By raw socket: fetch would not let us choose Host and Origin.
async function ask(port, method, path, headers = {}, body = "") {
  const wire = await Wire.open(port);
  try {
    const fields = Object.entries({ Host: `127.0.0.1:${port}`, "Content-Length": body.length, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    await wire.write(`${method} ${path} HTTP/1.1\r\n${fields.join("")}\r\n${body}`);
    return await wire.answer(method === "HEAD");
  } finally {
    wire.destroy();
  }
}
const JSON_TYPE = { "Content-Type": "application/json" };
const SETS = '{"on": true}';

for (const [what, method, path, headers, body, status] of [
  ["its own page", "GET", "/metrics", {}, "", 200],
  ["a name of somebody's that leads here", "GET", "/metrics", { Host: "rebound.example" }, "", 403],
  ["such a name with our port", "GET", "/live", { Host: `rebound.example:${adminPort}` }, "", 403],
  ["a name that begins like ours", "GET", "/live", { Host: "localhost.rebound.example" }, "", 403],
  ["a page of another site that reads", "GET", "/metrics", { Origin: "https://evil.example" }, "", 403],
  ["a page without an origin", "GET", "/metrics", { Origin: "null" }, "", 403],
  ["a page of another site that sets", "POST", "/bypass", { ...JSON_TYPE, Origin: "https://evil.example" }, SETS, 403],
  ["a form", "POST", "/bypass", { "Content-Type": "text/plain" }, SETS, 415],
  ["a form with an encoding", "POST", "/bypass", { "Content-Type": "application/x-www-form-urlencoded" }, SETS, 415],
  ["a form of parts", "POST", "/bypass", { "Content-Type": "multipart/form-data; boundary=x" }, SETS, 415],
  ["no type", "POST", "/bypass", {}, SETS, 415],
  ["a preflight", "OPTIONS", "/bypass", { Origin: "https://evil.example", "Access-Control-Request-Method": "POST" }, "", 403],
  ["a preflight from here", "OPTIONS", "/bypass", { Origin: "http://localhost:3000", "Access-Control-Request-Method": "POST" }, "", 405],
  ["an image that would set", "GET", "/bypass?on=true", {}, "", 200],
  ["PUT", "PUT", "/bypass", JSON_TYPE, SETS, 405],
  ["an unknown page", "GET", "/nonsense", {}, "", 404],
  ["a page below a page", "GET", "/metrics/x", {}, "", 404],
  ["a path out of the pages", "GET", "/../etc/passwd", {}, "", 404],
  ["too much to set", "POST", "/bypass", JSON_TYPE, " ".repeat(5000), 413],
])
  test(`admin: ${what}: ${status}`, async () => {
    const answer = await ask(adminPort, method, path, headers, body);
    assert.equal(answer?.status, status, JSON.stringify(answer));
    for (const name of answer.headers.keys()) assert.doesNotMatch(name, /^access-control/);
    assert.equal(answer.headers.get("cache-control")?.join(), "no-store");
    assert.deepEqual(await (await fetch(`${gateway.admin}/bypass`)).json(), { bypass: false });
  });

test("the health listener shows three pages and sets nothing", async () => {
  for (const path of ["/healthz", "/readyz", "/metrics"]) assert.equal((await ask(healthPort, "GET", path)).status, 200, path);
  for (const path of ["/", "/live", "/bypass", "/levers", "/requests/0000000000000"]) assert.equal((await ask(healthPort, "GET", path)).status, 404, path);
  for (const path of ["/bypass", "/levers", "/reload"])
    assert.ok([404, 405].includes((await ask(healthPort, "POST", path, JSON_TYPE, SETS)).status), path);
});

const chat = '{"model":"m","messages":[]}';
for (const [what, headers, status] of [
  ["an application", {}, 200],
  ["a page of this machine", { Origin: "http://localhost:3000" }, 200],
  ["a page of this machine, by its address", { Origin: "http://[::1]:3000" }, 200],
  ["a page of another site", { Origin: "https://evil.example" }, 403],
  ["a page whose name begins like ours", { Origin: "http://localhost.evil.example" }, 403],
  ["a page without an origin", { Origin: "null" }, 403],
])
  test(`a gateway without keys, asked by ${what}: ${status}`, async () => {
    origin.take();
    const answer = await ask(new URL(gateway.url).port, "POST", "/v1/chat/completions", { "Content-Type": "text/plain", ...headers }, chat);
    assert.equal(answer?.status, status, JSON.stringify(answer));
    assert.equal(origin.take().length, status === 200 ? 1 : 0);
  });
