// Embeddings of many clients in few calls: each gets what it would have got alone, and all together pay what the calls cost.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { until } from "./harness.mjs";
import { pico } from "./speak.mjs";
import { after, Gateway, KEY, sha256, test, Twin, usualConfig } from "./stage.mjs";

const OTHER_KEY = "sk-of-another-tenant-0123456789";
const PICO_PER_TOKEN = 100_000n; // $0.10/M

// No call is answered before all have come who are to come meanwhile.
let allCame = Promise.resolve();
const twin = await Twin.start(["--key", "sk-upstream-only-the-gateway-knows"]);
const gate = createServer(async (request, response) => {
  let body = "";
  for await (const piece of request) body += piece;
  await allCame;
  const { authorization } = request.headers;
  const answer = await fetch(twin.url + request.url, { method: request.method, body: body || undefined, headers: { "content-type": "application/json", authorization } });
  response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") });
  response.end(Buffer.from(await answer.arrayBuffer()));
});
await new Promise((done) => gate.listen(0, "127.0.0.1", done));

// A server that likes no input with "poison" in it, and knows what it was asked.
const asked = [];
const picky = createServer(async (request, response) => {
  if (request.method !== "POST") return response.writeHead(404).end();
  let text = "";
  for await (const piece of request) text += piece;
  const { input } = JSON.parse(text), inputs = [input].flat(), bad = inputs.find((one) => one.includes("poison"));
  asked.push(inputs);
  await allCame;
  response.writeHead(bad ? 400 : 200, { "content-type": "application/json" });
  response.end(JSON.stringify(bad
    ? { error: { message: `this is not to be embedded: ${bad}`, type: "invalid_request_error" } }
    : { object: "list", model: "picky", data: inputs.map((one, index) => ({ object: "embedding", index, embedding: [one.length, 1] })).reverse(),
        usage: { prompt_tokens: 3 * inputs.length, total_tokens: 3 * inputs.length } }));
});
await new Promise((done) => picky.listen(0, "127.0.0.1", done));

const config = usualConfig(`http://127.0.0.1:${gate.address().port}`);
config.workers = 1;
config.backends.picky = { url: `http://127.0.0.1:${picky.address().port}` };
config.routes.vectors.levers = { batching: "on" };
config.routes.picky = { reference: "picky/picky", attempts: 1, levers: { batching: "on" } };
config.prices.override["picky/picky"] = { input: "$0.10/M" };
config.keys.other = { sha256: sha256(OTHER_KEY), tenant: "globex" };
const gateway = await Gateway.start(config);
after(async () => {
  await gateway.stop();
  await twin.stop();
  for (const server of [gate, picky]) server.closeAllConnections(), server.close();
});

const direct = async (input) => {
  const response = await fetch(`${twin.url}/v1/embeddings`, { method: "POST", body: JSON.stringify({ model: "twin-embed", input, encoding_format: "float" }),
    headers: { authorization: "Bearer sk-upstream-only-the-gateway-knows" } });
  return (await response.json()).data.map(({ embedding }) => embedding);
};
const near = (a, b) => a.length === b.length && a.every((value, i) => Math.abs(value - b[i]) < 1e-6);
const calls = async () => (await twin.seen()).total.requests;
const sum = (values) => values.reduce((a, b) => a + b, 0n);
const metric = async (name) => Number((await (await fetch(`${gateway.admin}/metrics`)).text())
  .match(new RegExp(`^${name.replace(/[{}]/g, "\\$&")} (\\d+)$`, "m"))?.[1] ?? NaN);
const underWay = (count) => until(`${count} to be under way`, async () => (await metric("equipoise_requests_in_flight")) === count);
// From now on no call is answered before so many have come, and something has happened then. Who came before has gone, or would be counted.
async function holdUntil(count, then = () => {}) {
  await underWay(0);
  allCame = underWay(count).then(then);
}
const rowsOf = async ({ heard }) => Promise.all(heard.map(({ headers }) => gateway.row(headers.get("x-equipoise-id"))));

test("60 SDK clients at once: few calls, each with its own vectors, and one bill", async () => {
  const before = await calls();
  const clients = gateway.clients();
  const texts = Array.from({ length: 60 }, (_, i) => (i % 7 === 0 ? [`text ${i}`, `and another of ${i}`] : `text ${i} of many`));
  await holdUntil(60);
  const answers = await Promise.all(texts.map((input) => clients.openai.embeddings.create({ model: "vectors", input })));
  const made = (await calls()) - before;
  assert.ok(made < 20, `${made} calls`);
  const alone = await direct(texts.flat());
  let at = 0;
  answers.forEach(({ data, model, usage }, i) => {
    assert.deepEqual(data.map(({ index }) => index), [texts[i]].flat().map((_, index) => index));
    for (const { embedding } of data) assert.ok(near(embedding, alone[at++]), `vectors of ${i}`);
    assert.equal(model, "twin-embed");
    assert.ok(usage.prompt_tokens > 0 && usage.total_tokens === usage.prompt_tokens);
  });
  const rows = await rowsOf(clients);
  assert.equal(rows.length, 60);
  const tokens = rows.reduce((total, { input_tokens }) => total + input_tokens, 0);
  assert.equal(tokens, answers.reduce((total, { usage }) => total + usage.prompt_tokens, 0));
  assert.equal(sum(rows.map(({ cost_usd }) => pico(cost_usd))), BigInt(tokens) * PICO_PER_TOKEN);
  assert.ok(rows.every(({ state, attempts }) => state === "ok" && attempts === 1));
  const { stdout } = await gateway.command("explain", clients.heard.at(-1).headers.get("x-equipoise-id"));
  assert.match(stdout, /in one call with other requests/);
});

test("floats and base64, and dimensions, each get their own form", async () => {
  const { openai } = gateway.clients();
  await holdUntil(24);
  const ask = (more) => openai.embeddings.create({ model: "vectors", input: "the open sea", ...more });
  const answers = await Promise.all(Array.from({ length: 24 }, (_, i) =>
    ask(i % 3 === 0 ? {} : i % 3 === 1 ? { encoding_format: "float" } : { dimensions: 64 })));
  answers.forEach(({ data }, i) => {
    assert.equal(data.length, 1);
    assert.equal(data[0].embedding.length, i % 3 === 2 ? 64 : 256);
    assert.ok(near(data[0].embedding, answers[i % 3].data[0].embedding));
  });
  assert.ok(near(answers[0].data[0].embedding, answers[1].data[0].embedding));
});

test("a bad one fails alone, and is told why in words about it alone", async () => {
  asked.length = 0;
  const clients = gateway.clients();
  const inputs = Array.from({ length: 20 }, (_, i) => (i === 13 ? "some poison here" : `text ${"x".repeat(i)}`));
  await holdUntil(20);
  const answers = await Promise.allSettled(inputs.map((input) => clients.openai.embeddings.create({ model: "picky", input, encoding_format: "float" })));
  answers.forEach(({ status, value, reason }, i) => {
    if (i === 13) {
      assert.equal(reason?.status, 400);
      assert.match(reason.message, /not to be embedded: some poison here/);
    } else {
      assert.equal(status, "fulfilled", String(reason));
      assert.deepEqual(value.data, [{ object: "embedding", index: 0, embedding: [inputs[i].length, 1] }]);
      assert.ok(value.usage.prompt_tokens > 0);
    }
  });
  assert.ok(asked.some((inputs) => inputs.length === 1 && inputs[0] === "some poison here"), "it was asked alone in the end");
  assert.ok(asked.length < 20, `${asked.length} calls`);
  assert.ok(await metric("equipoise_batches_spoiled_total") >= 1);
});

test("who leaves disturbs nobody", async () => {
  const clients = gateway.clients();
  const leaving = new AbortController();
  await holdUntil(16, () => leaving.abort());
  const all = await Promise.allSettled(Array.from({ length: 16 }, (_, i) =>
    clients.openai.embeddings.create({ model: "vectors", input: `leaving ${i}` }, { signal: i % 4 === 3 ? leaving.signal : undefined })));
  all.forEach(({ status }, i) => assert.equal(status, i % 4 === 3 ? "rejected" : "fulfilled"));
  await until("nothing to be under way", async () => (await metric("equipoise_requests_in_flight")) === 0);
});

test("tenants do not go together", async () => {
  asked.length = 0;
  const both = [gateway.clients(), gateway.clients(OTHER_KEY)];
  await holdUntil(20);
  await Promise.all(Array.from({ length: 20 }, (_, i) =>
    both[i % 2].openai.embeddings.create({ model: "picky", input: `of tenant ${i % 2}`, encoding_format: "float" })));
  assert.ok(asked.length < 20 && asked.some((inputs) => inputs.length > 1));
  for (const inputs of asked) assert.equal(new Set(inputs).size, 1);
});
