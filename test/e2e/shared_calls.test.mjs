// 200 equal requests at the same time, and a backend that says nothing before the test lets it: whatever befalls the call
// that they share, and in whatever form each wants the answer. Nothing here depends on how fast anything is: the backend
// goes on when the gateway's own counters say that all have come. (Long answers that some read a byte a second:
// slow_followers.test.mjs.)
import assert from "node:assert/strict";
import { until } from "./harness.mjs";
import { Recorder } from "./recorder.mjs";
import { costOf, pico } from "./speak.mjs";
import { after, Gateway, KEY, sha256, test } from "./stage.mjs";
import { Wire } from "./wire.mjs";

const [MEMBERS, INPUT, OUTPUT] = [200, 1000, 40];
const WORDS = Array.from({ length: OUTPUT }, (_, i) => `word${i} `);
const TEXT = WORDS.join("");

// Two places, so that a call that dies at one has another to go to.
const places = await Promise.all([Recorder.start(), Recorder.start()]);
const gateway = await Gateway.start({
  workers: 4,
  backends: { alpha: { url: places.map(({ url }) => url), models: ["m", "e"] } },
  routes: {
    assistant: { reference: "alpha/m", repeatable: true, acceptable: { first_token: "10m" }, levers: { coalesce: "on" } },
    vectors: { reference: "alpha/e", levers: { coalesce: "on", exact_cache: "on" } },
  },
  keys: { web: { sha256: sha256(KEY), tenant: "acme" } },
  prices: { override: { "alpha/m": { input: "$2.00/M", output: "$8.00/M" }, "alpha/e": { input: "$0.10/M", output: "$0/M" } } },
});
after(async () => {
  await gateway.stop();
  for (const place of places) await place.stop();
});

const CALL = costOf(INPUT, 2) + costOf(OUTPUT, 8);
const usage = { prompt_tokens: INPUT, completion_tokens: OUTPUT, total_tokens: INPUT + OUTPUT };
const event = (more) => `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", ...more })}\n\n`;
const delta = (content, finish_reason = null) => event({ choices: [{ index: 0, delta: { content }, finish_reason }] });
const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

// A call as the backend sees it; it says what it is told to say.
class Call {
  constructor(socket, body) {
    this.socket = socket;
    this.body = body;
  }
  begin = () => this.socket.write(HEAD + delta(WORDS[0]));
  end() {
    for (const word of WORDS.slice(1)) this.socket.write(delta(word));
    this.socket.end(delta("", "stop") + event({ choices: [], usage }) + "data: [DONE]\n\n");
  }
  stream = () => (this.begin(), this.end());
  whole = () => this.json({ id: "c", object: "chat.completion", created: 1, model: "m", usage,
    choices: [{ index: 0, message: { role: "assistant", content: TEXT }, finish_reason: "stop" }] });
  fail = () => this.socket.end("HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}");
  // A text's tokens are its letters.
  embeds() {
    const inputs = [JSON.parse(this.body).input].flat();
    const tokens = inputs.join("").length;
    this.json({ object: "list", model: "e", usage: { prompt_tokens: tokens, total_tokens: tokens },
      data: inputs.map((text, index) => ({ object: "embedding", index, embedding: [text.length, text.charCodeAt(0)] })) });
  }
  json(answer) {
    const body = JSON.stringify(answer);
    this.socket.end(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  }
}

let calls = [];
for (const place of places) place.answer = (request, number, socket) => void calls.push(new Call(socket, request.body));
const call = (number) => until(`call ${number}`, () => calls[number]);

const counter = async (name) => {
  const text = await (await fetch(`${gateway.admin}/metrics`)).text();
  return Number(text.match(new RegExp(`^equipoise_${name}(?:\\{[^}]*\\})? (\\d+)$`, "m"))[1]);
};

let question = 0;
const post = async ({ stream = true, signal, told = false } = {}) => {
  const body = { model: "assistant", stream, messages: [{ role: "user", content: `Question ${question}` }] };
  if (told) body.stream_options = { include_usage: true };
  return fetch(`${gateway.url}/v1/chat/completions`, { method: "POST", signal, body: JSON.stringify(body),
    headers: { "content-type": "application/json", authorization: `Bearer ${KEY}` } });
};

const embed = (input) => fetch(`${gateway.url}/v1/embeddings`, { method: "POST", body: JSON.stringify({ model: "vectors", input }),
  headers: { "content-type": "application/json", authorization: `Bearer ${KEY}` } });

// What it heard, whatever the form.
async function read(response) {
  const text = await response.text();
  const streamed = response.headers.get("content-type").startsWith("text/event-stream");
  const events = streamed ? text.split("\n\n").filter((one) => one.startsWith("data: {")).map((one) => JSON.parse(one.slice(6))) : [];
  return { id: response.headers.get("x-equipoise-id"), status: response.status, streamed, text,
    whole: !streamed || text.endsWith("data: [DONE]\n\n"),
    usage: streamed ? events.find(({ usage }) => usage)?.usage : JSON.parse(text).usage,
    said: streamed ? events.map(({ choices }) => choices[0]?.delta?.content ?? "").join("") : JSON.parse(text).choices[0].message.content };
}

// So many ask, and follow; resolves when all of them are in, to their answers to come.
async function follow(count, ask = async () => read(await post())) {
  const before = await counter("coalesced_total");
  const answers = Promise.all(Array.from({ length: count }, (_, i) => ask(i)));
  answers.catch(() => {}); // whoever awaits it hears of it
  await until(`${count} to follow`, async () => (await counter("coalesced_total")) - before === count);
  return { answers };
}

// All have all of it, and together they pay what the call cost, in equal parts.
async function assertShared(answers, { total = CALL } = {}) {
  assert.ok(answers.every(({ status, whole, said }) => status === 200 && whole && said === TEXT));
  const rows = await Promise.all(answers.map(({ id }) => gateway.row(id)));
  const costs = rows.map((row) => pico(row.cost_usd));
  assert.ok(rows.every(({ state }) => state === "ok"));
  assert.equal(costs.reduce((sum, cost) => sum + cost, 0n), total);
  assert.ok(costs.every((cost) => cost === CALL / BigInt(answers.length) || cost === CALL / BigInt(answers.length) + 1n));
  return rows;
}

const begin = () => {
  question++;
  calls = [];
};

test("whole answers are shared too, and each head tells its own part", async () => {
  begin();
  const ask = async () => {
    const response = await post({ stream: false });
    return { ...(await read(response)), cost: response.headers.get("x-equipoise-cost-usd") };
  };
  const leading = ask();
  await call(0);
  const { answers } = await follow(MEMBERS - 1, ask);
  calls[0].whole();
  const all = [await leading, ...(await answers)];
  const rows = await assertShared(all);
  assert.equal(calls.length, 1);
  rows.forEach((row, i) => assert.equal(pico(all[i].cost), pico(row.cost_usd)));
});

test("streams over all workers: one call, all whole and equal, and together they cost what it cost", async () => {
  begin();
  const leading = post();
  await call(0);
  const { answers } = await follow(MEMBERS - 1);
  calls[0].stream();
  const all = [await read(await leading), ...(await answers)];
  const rows = await assertShared(all);
  assert.equal(new Set(all.map(({ text }) => text)).size, 1);
  assert.equal(calls.length, 1);
  for (const row of rows) {
    const lines = row.savings.filter(({ shadow }) => !shadow);
    assert.equal(pico(row.baseline_usd), CALL);
    assert.deepEqual(lines.map(({ lever, saved_usd }) => [lever, pico(saved_usd)]), [["coalesce", CALL - pico(row.cost_usd)]]);
  }
});

test("some read nothing: the others are not disturbed", async () => {
  begin();
  const [SLOW, port] = [20, Number(new URL(gateway.url).port)];
  const leading = post();
  await call(0);
  const { answers } = await follow(MEMBERS - 1 - SLOW);
  const text = JSON.stringify({ model: "assistant", stream: true, messages: [{ role: "user", content: `Question ${question}` }] });
  const before = await counter("coalesced_total");
  const slow = await Promise.all(Array.from({ length: SLOW }, () => Wire.open(port)));
  for (const wire of slow) {
    wire.socket.pause();
    await wire.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
  }
  await until("the slow ones to follow", async () => (await counter("coalesced_total")) - before === SLOW);
  calls[0].stream();
  const all = [await read(await leading), ...(await answers)];
  assert.ok(all.every(({ status, whole, said }) => status === 200 && whole && said === TEXT));
  assert.equal(calls.length, 1);
  slow.forEach((wire) => wire.destroy());
});

test("the first leaves in the middle: the others have all of it", async () => {
  begin();
  const leaves = new AbortController();
  const leading = post({ signal: leaves.signal });
  (await call(0)).begin();
  const leader = await leading;
  const { answers } = await follow(MEMBERS);
  const before = await counter("coalesced_led_on_total");
  leaves.abort();
  await until("the gateway to see that it left", async () => (await counter("coalesced_led_on_total")) > before);
  calls[0].end();
  await assertShared(await answers);
  assert.equal(new Set((await answers).map(({ text }) => text)).size, 1);
  assert.equal(calls.length, 1);
  const left = await gateway.row(leader.headers.get("x-equipoise-id"));
  assert.equal(left.state, "client gone");
  assert.equal(pico(left.cost_usd), 0n);
});

test("the first leaves before the first byte: the others have all of it", async () => {
  begin();
  const leaves = new AbortController();
  const leading = post({ signal: leaves.signal });
  await call(0);
  const { answers } = await follow(MEMBERS);
  const before = await counter("coalesced_led_on_total");
  leaves.abort();
  await assert.rejects(leading, { name: "AbortError" });
  await until("the gateway to see that it left", async () => (await counter("coalesced_led_on_total")) > before);
  calls[0].stream();
  await assertShared(await answers);
  assert.equal(calls.length, 1);
});

test("the backend dies before the first byte: one more call serves all", async () => {
  begin();
  const leading = post();
  await call(0);
  const { answers } = await follow(MEMBERS - 1);
  calls[0].socket.destroy();
  (await call(1)).stream();
  const all = [await read(await leading), ...(await answers)];
  assert.ok(all.every(({ status, whole, said }) => status === 200 && whole && said === TEXT));
  assert.equal(new Set(all.map(({ text }) => text)).size, 1);
  assert.equal(calls.length, 2);
  const rows = await Promise.all(all.map(({ id }) => gateway.row(id)));
  assert.deepEqual(rows.map(({ source }) => source), ["reference", ...Array(MEMBERS - 1).fill("shared")]);
  // What the call that died cost, as far as anybody knows, is the first one's alone.
  const [died, served] = rows[0].attempt_lines.map((line) => pico(line.cost_usd));
  assert.equal(served, CALL);
  rows.forEach((row, i) => assert.equal(pico(row.cost_usd), CALL / BigInt(MEMBERS) + (i === 0 ? died : 0n)));
});

for (const streams of [true, false])
  test(`${streams ? "streams" : "whole answers"} and the other form share a call, each heard as it was asked for`, async () => {
    begin();
    if (!streams) { // how long a call takes must be known, or nobody who streams waits for a whole answer
      const first = post({ stream: false });
      (await call(0)).whole();
      await read(await first);
      begin();
    }
    const leading = post({ stream: streams });
    await call(0);
    const { answers } = await follow(MEMBERS - 1, async (i) => read(await post({ stream: i % 2 === 0, told: i % 4 === 0 })));
    calls[0][streams ? "stream" : "whole"]();
    const [leader, ...others] = [await read(await leading), ...(await answers)];
    await assertShared([leader, ...others]);
    assert.equal(calls.length, 1);
    others.forEach(({ streamed, usage: told }, i) => {
      assert.equal(streamed, i % 2 === 0);
      assert.equal(told?.completion_tokens, i % 4 === 2 ? undefined : OUTPUT);
    });
  });

test("no answer at all: all are told the same, and no storm of calls follows", async () => {
  begin();
  const ask = async () => {
    const response = await post();
    return { id: response.headers.get("x-equipoise-id"), status: response.status, text: await response.text() };
  };
  const leading = ask();
  await call(0);
  const { answers } = await follow(MEMBERS - 1, ask);
  const all = Promise.all([leading, answers]).then(([one, others]) => [one, ...others]);
  let over = false;
  all.finally(() => (over = true)).catch(() => {});
  for (let i = 0; await until("a call, or the end", () => over || calls[i]) && !over; i++) calls[i].fail();
  assert.ok((await all).every(({ status }) => status === 500), JSON.stringify((await all)[0]));
  assert.ok(calls.length <= 3, `${calls.length} calls`);
  for (const { id } of await all) assert.equal(pico((await gateway.row(id)).cost_usd), 0n);
});

test("equal batches of embeddings of which a part is known: the rest is bought once", async () => {
  begin();
  const first = embed(["one", "three"]);
  (await call(0)).embeds();
  await (await first).text();
  const batch = ["five5", "one", "seven77", "three"];
  const ask = async () => {
    const response = await embed(batch);
    return { id: response.headers.get("x-equipoise-id"), answer: await response.json() };
  };
  const leading = ask();
  await call(1);
  const { answers } = await follow(MEMBERS - 1, ask);
  calls[1].embeds();
  const all = [await leading, ...(await answers)];
  assert.equal(calls.length, 2);
  assert.deepEqual(JSON.parse(calls[1].body).input, ["five5", "seven77"]);
  for (const { answer } of all) {
    assert.deepEqual(answer.data.map(({ embedding }) => embedding[0]), batch.map((text) => text.length));
    assert.equal(answer.usage.prompt_tokens, batch.join("").length);
  }
  const [bought, asked] = [12n * 100_000n, BigInt(batch.join("").length) * 100_000n];
  const rows = await Promise.all(all.map(({ id }) => gateway.row(id)));
  assert.deepEqual(rows.map(({ source }) => source), ["partly-cached", ...Array(MEMBERS - 1).fill("shared")]);
  assert.equal(rows.reduce((sum, row) => sum + pico(row.cost_usd), 0n), bought);
  for (const row of rows) {
    assert.equal(pico(row.baseline_usd), asked);
    const saved = Object.fromEntries(row.savings.filter(({ shadow }) => !shadow).map((line) => [line.lever, pico(line.saved_usd)]));
    assert.deepEqual(saved, { exact_cache: asked - bought, coalesce: bought - pico(row.cost_usd) });
  }
});
