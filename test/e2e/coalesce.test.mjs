// Equal requests that are under way at the same time share one call: each gets the whole answer from its first byte, and
// all together pay what the call cost. What 200 make of a call, whatever befalls it, is in shared_calls.test.mjs.
import assert from "node:assert/strict";
import { until } from "./harness.mjs";
import { pico } from "./speak.mjs";
import { after, Gateway, KEY, sha256, test, Twin, usualConfig } from "./stage.mjs";

// The backend has two places, so that a call that fails at one has another to go to.
const twins = await Promise.all([1, 2].map(() => Twin.start(["--key", "sk-upstream-only-the-gateway-knows", "--concurrency", "0"])));
const [twin] = twins;
const config = usualConfig(twin.url);
for (const backend of Object.values(config.backends)) backend.url = twins.map(({ url }) => url);
config.workers = 4;
for (const route of Object.values(config.routes)) route.levers = { coalesce: "on" };
config.keys.other = { sha256: sha256("sk-of-another-tenant-0123456789"), tenant: "globex" };
const gateway = await Gateway.start(config);
after(async () => {
  await gateway.stop();
  for (const one of twins) await one.stop();
});

const WORDS = 60;
let question = 0;
const body = (more = {}) => ({ model: "assistant", stream: true, temperature: 0,
  messages: [{ role: "user", content: `Tell me story ${question} of ${WORDS} words.` }], ...more });

const post = (asked, { key = KEY, fault = "slow=10ms", signal, headers = {} } = {}) => fetch(`${gateway.url}/v1/chat/completions`, {
  method: "POST", signal, body: JSON.stringify(asked),
  headers: { "content-type": "application/json", authorization: `Bearer ${key}`, "x-twin-fault": fault, ...headers },
});
const read = async (response) => ({ id: response.headers.get("x-equipoise-id"), source: response.headers.get("x-equipoise-source"),
  status: response.status, text: await response.text() });
const count = async (what) => (await Promise.all(twins.map((one) => one.seen()))).reduce((sum, { total }) => sum + total[what], 0);
const calls = () => count("requests");

test("all leave: the call is closed at once, and the last who left pays", async () => {
  question++;
  const [before, gone] = [await calls(), await count("client_gone")];
  const leaves = Array.from({ length: 5 }, () => new AbortController());
  const responses = await Promise.all(leaves.map(({ signal }) => post(body(), { signal, fault: "slow=200ms" })));
  for (const controller of leaves) controller.abort();
  await until("the call to be closed", async () => await count("client_gone") > gone || null);
  assert.equal((await calls()) - before, 1);
  const all = await Promise.all(responses.map((response) => gateway.row(response.headers.get("x-equipoise-id"))));
  assert.ok(all.every(({ state }) => state === "client gone"));
  assert.equal(all.filter((row) => pico(row.cost_usd) > 0n).length, 1);
});

test("tenants share nothing, nor do requests that want an answer of their own", async () => {
  question++;
  let before = await calls();
  await Promise.all([KEY, "sk-of-another-tenant-0123456789"].map(async (key) => read(await post(body(), { key }))));
  assert.equal((await calls()) - before, 2);
  before = await calls();
  const free = body();
  delete free.temperature;
  await Promise.all([1, 2, 3].map(async () => read(await post(free))));
  assert.equal((await calls()) - before, 3);
});
