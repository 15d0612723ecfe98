// What fails once and then works: retried by the SDK through the gateway, or by the gateway itself on another backend.
import assert from "node:assert/strict";
import { until } from "./harness.mjs";
import { completion, error, Recorder } from "./recorder.mjs";
import { ask, names } from "./speak.mjs";
import { after, openStage, routeFor, test } from "./stage.mjs";

const upstream = await Recorder.start();
const spare = await Recorder.start();
spare.answer = () => completion("from the spare");
const stage = await openStage({
  change: (config) => {
    config.backends.scripted = { url: upstream.url };
    config.backends.spare = { url: spare.url };
    const both = { reference: "scripted/m", candidates: ["spare/m"], levers: { alternatives: "on" } };
    config.routes.with_spare = { ...both, attempts: 3 };
    config.routes.once_with_spare = { ...both, attempts: 1 };
    config.routes.once = { reference: "scripted/m", attempts: 1 };
    config.routes.thrice = { reference: "scripted/m", attempts: 3 };
    config.backends.pool = { url: [upstream.url, spare.url] };
    config.routes.pool = { reference: "pool/p", attempts: 2 };
    config.backends.claude_pool = { url: [upstream.url, spare.url], dialect: "anthropic" };
    config.routes.claude_pool = { reference: "claude_pool/p", attempts: 2 };
    config.prices.override["pool/p"] = { input: "$1/M", output: "$2/M" };
    config.prices.override["scripted/m"] = { input: "$1/M", output: "$2/M" };
    config.prices.override["spare/m"] = { input: "$3/M", output: "$5/M" };
    return config;
  },
});
after(async () => {
  await stage.close();
  await upstream.stop();
  await spare.stop();
});

const failing = (status, times) => (request, count) =>
  count <= times ? error(`${status}\r\nretry-after-ms: 1`, { error: { message: "Not now", type: "server_error" } }) : completion("at last");

async function hear(model, maxRetries, answer) {
  upstream.requests.length = 0;
  upstream.answer = answer;
  const clients = stage.clients(undefined, { maxRetries });
  const made = await clients.openai.chat.completions.create({ model, messages: [{ role: "user", content: "Hello" }] });
  return { made, heard: clients.heard };
}

for (const status of ["429 Too Many Requests", "500 Internal Server Error", "503 Service Unavailable"])
  test(`the SDK's own retry gets through after ${status}; each try has its row`, async () => {
    const { made, heard } = await hear("once", 2, failing(status, 1));
    assert.equal(made.choices[0].message.content, "at last");
    assert.deepEqual(heard.map((answer) => answer.status), [parseInt(status), 200]);
    assert.equal(upstream.requests.length, 2);
    const ids = heard.map(({ headers }) => headers.get("x-equipoise-id"));
    assert.notEqual(ids[0], ids[1]);
    const rows = await Promise.all(ids.map(stage.gateway.row));
    assert.deepEqual(rows.map(({ state }) => state), ["upstream failed", "ok"]);
  });

for (const name of names)
  for (const stream of [false, true])
    test(`${name}: the SDK's retry gets through, ${stream ? "streamed" : "buffered"}`, async () => {
      const clients = stage.clients(undefined, { maxRetries: 2 });
      const request = { model: routeFor(name), prompt: "What is 1 + 2?", stream };
      await stage.twin.commit(["status=500*1"]);
      const { text } = await ask(clients, name, request);
      assert.match(text, /\S/);
      assert.deepEqual(clients.heard.map(({ status }) => status), [500, 200]);
    });

test("the gateway turns to another backend within the route's attempts, and the client sees one answer", async () => {
  spare.requests.length = 0;
  const { made, heard } = await hear("with_spare", 0, failing("500 Internal Server Error", 9));
  assert.equal(made.choices[0].message.content, "from the spare");
  assert.deepEqual([heard.length, upstream.requests.length, spare.requests.length], [1, 1, 1]);
  assert.equal(heard[0].headers.get("x-equipoise-model"), "spare/m");
  const row = await stage.gateway.row(heard[0].headers.get("x-equipoise-id"));
  assert.equal(Number(row.attempts), 2);
  assert.equal(row.state, "ok");
});

test("attempts are a budget: with one, nobody else is asked", async () => {
  spare.requests.length = 0;
  await assert.rejects(hear("once_with_spare", 0, failing("500 Internal Server Error", 9)), { status: 500 });
  assert.deepEqual([upstream.requests.length, spare.requests.length], [1, 0]);
});

test("a connection that the backend closed while it was idle costs nobody an error", async () => {
  for (let i = 0; i < 5; i++) {
    const { made } = await hear("thrice", 0, () => completion("still here"));
    assert.equal(made.choices[0].message.content, "still here");
    upstream.hangUp();
  }
});

// Scenario 36: what the gateway has tried again in the client's name, the SDK does not multiply.
for (const [sdk, model] of [["openai", "pool"], ["anthropic", "claude_pool"]])
  test(`${sdk}: one click is at most so many calls as the route allows`, async () => {
    const clients = stage.clients(undefined, { maxRetries: 2 });
    const messages = [{ role: "user", content: "Hello" }];
    upstream.requests.length = spare.requests.length = 0;
    upstream.answer = spare.answer = () => error("500 Internal Server Error", { type: "error", error: { message: "No", type: "api_error" } });
    const made = sdk === "openai" ? clients.openai.chat.completions.create({ model, messages })
      : clients.anthropic.messages.create({ model, messages, max_tokens: 10 });
    await assert.rejects(made, { status: 500 });
    spare.answer = () => completion("from the spare");
    assert.equal(clients.heard.length, 1);
    assert.equal(clients.heard[0].headers.get("x-should-retry"), "false");
    assert.deepEqual([upstream.requests.length, spare.requests.length], [1, 1]);
  });

// Scenario 37.
test("a spend limit is neither retried by the gateway nor by the SDK", async () => {
  const clients = stage.clients(undefined, { maxRetries: 2 });
  upstream.requests.length = 0;
  upstream.answer = () => error("429 Too Many Requests\r\nretry-after-ms: 1",
    { error: { message: "You exceeded your quota", type: "insufficient_quota", code: "insufficient_quota" } });
  const ask = { model: "scripted/broke", messages: [{ role: "user", content: "Hello" }] };
  await assert.rejects(clients.openai.chat.completions.create(ask), { status: 429, code: "insufficient_quota" });
  assert.equal(upstream.requests.length, 1);
  assert.equal(clients.heard[0].headers.get("x-should-retry"), "false");
});

test("a moment's rest is waited for; the SDK hears one answer", async () => {
  const started = Date.now();
  const { made, heard } = await hear("scripted/resting", 0, (request, count) =>
    count === 1 ? error("429 Too Many Requests\r\nretry-after: 1", { error: { message: "Slow down" } }) : completion("rested"));
  assert.equal(made.choices[0].message.content, "rested");
  assert.deepEqual([heard.length, upstream.requests.length], [1, 2]);
  assert.ok(Date.now() - started >= 990);
});

test("a backend that asked for a longer rest has it", async () => {
  const busy = () => error("503 Service Unavailable\r\nretry-after: 30", { error: { message: "Loading" } });
  await assert.rejects(hear("scripted/loading", 0, busy), { status: 503 });
  await assert.rejects(hear("scripted/loading", 0, busy), (caught) => {
    assert.equal(caught.status, 429);
    assert.ok(Number(caught.headers.get("retry-after")) <= 30);
    return true;
  });
  assert.equal(upstream.requests.length, 0);
});

const keyed = (key) => ({ headers: { "idempotency-key": key } });

for (const stream of [false, true])
  test(`a repetition with its idempotency key is not made twice, ${stream ? "streamed" : "buffered"}`, async () => {
    const clients = stage.clients();
    const ask = { model: "assistant", messages: [{ role: "user", content: "What is 4 + 5?" }], stream };
    const read = async () => {
      const made = await clients.openai.chat.completions.create(ask, keyed(`k-${stream}`));
      if (!stream) return made.choices[0].message.content;
      let text = "";
      for await (const event of made) text += event.choices[0]?.delta.content ?? "";
      return text;
    };
    const before = (await stage.twin.seen()).total.requests;
    const [first, second] = [await read(), await read()];
    assert.match(first, /\S/);
    assert.equal(second, first);
    assert.equal((await stage.twin.seen()).total.requests, before + 1);
    assert.deepEqual(clients.heard.map(({ headers }) => headers.get("idempotent-replayed")), [null, "true"]);
    const rows = await Promise.all(clients.heard.map(({ headers }) => stage.gateway.row(headers.get("x-equipoise-id"))));
    assert.ok(Number(rows[0].cost_usd ?? rows[0].cost) > 0);
    assert.equal(Number(rows[1].cost_usd ?? rows[1].cost), 0);
    assert.equal(rows[1].source, "replayed");
    await assert.rejects(clients.openai.chat.completions.create({ ...ask, temperature: 0 }, keyed(`k-${stream}`)), { status: 422 });
  });

test("two clicks at a time with one key: the SDK of the second waits and gets the first one's answer", async () => {
  const clients = stage.clients(undefined, { maxRetries: 3 });
  const ask = { model: "once", messages: [{ role: "user", content: "Twice" }] };
  upstream.requests.length = 0;
  // It answers once the other one was told to come again.
  upstream.answer = (request, count, socket) => void until("a 409", () => clients.heard.some(({ status }) => status === 409))
    .then(() => socket.write(completion("the one")));
  const both = await Promise.all([0, 1].map(() => clients.openai.chat.completions.create(ask, keyed("double-click"))));
  assert.deepEqual(both.map(({ choices }) => choices[0].message.content), ["the one", "the one"]);
  assert.equal(upstream.requests.length, 1);
  const statuses = clients.heard.map(({ status }) => status).sort();
  assert.deepEqual(statuses.slice(0, 2), [200, 200]);
  assert.deepEqual([...new Set(statuses.slice(2))], [409]); // once, or again if the answer took long
});

test("what the client did wrong is not tried again", async () => {
  await assert.rejects(hear("with_spare", 0, failing("400 Bad Request", 9)), { status: 400 });
  assert.equal(upstream.requests.length, 1);
});
