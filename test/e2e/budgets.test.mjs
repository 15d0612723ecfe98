// Budgets over real sockets: a ceiling that holds, streams that end at it as the SDKs expect, and nothing reserved after.
import assert from "node:assert/strict";
import { Recorder, completion } from "./recorder.mjs";
import { ask, clientsOf, names } from "./speak.mjs";
import { openStage, sha256, spendsInOneMonth, test, after } from "./stage.mjs";

await spendsInOneMonth();
const upstream = await Recorder.start();
const keyOf = (name) => `sk-budget-${name}`;
const BODY = JSON.stringify({ model: "held", max_tokens: 10, messages: [{ role: "user", content: "Hello" }] });
// Strict reserves a token for each byte of the request and all of its cap, at $1 and $2 per million.
const WORST_TOKENS = BODY.length + 10;
const WORST_USD = (BODY.length + 2 * 10) / 1e6;

const budgets = {
  requests: { budget: "10 requests/month" },
  money: { budget: `$${(10 * WORST_USD).toFixed(6)}/month`, exposure: "strict" },
  tokens: { budget: `${10 * WORST_TOKENS} tokens/month`, exposure: "strict" },
  minute: { budget: "100 tokens/minute", exposure: "strict" },
  cached: { budget: "1000 tokens/month" },
  ...Object.fromEntries(names.map((name) => [`stream-${name}`, { budget: "3000 tokens/month" }])),
};

const stage = await openStage({
  change: (config) => {
    config.workers = 4;
    config.limits = { ...config.limits, cached_token_weight: "10%" };
    config.backends.scripted = { url: upstream.url };
    config.backends.scripted_claude = { url: upstream.url, dialect: "anthropic" };
    config.routes.held = { reference: "scripted/m", attempts: 1 };
    config.routes.held_claude = { reference: "scripted_claude/m", attempts: 1 };
    config.prices.override["scripted/m"] = { input: "$1/M", output: "$2/M" };
    config.prices.override["scripted_claude/m"] = { input: "$1/M", output: "$2/M" };
    for (const [name, more] of Object.entries(budgets)) config.keys[name] = { sha256: sha256(keyOf(name)), ...more };
    return config;
  },
});
after(async () => {
  await stage.close();
  await upstream.stop();
});

const post = (key, body = BODY) =>
  fetch(`${stage.gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${keyOf(key)}` },
    body,
  });

async function gauges(name) {
  const page = await (await fetch(`${stage.gateway.admin}/metrics`)).text();
  return [...page.matchAll(new RegExp(`^equipoise_budget_${name}\\{scope="key",name="([^"]*)".*\\} (\\d+)$`, "gm"))]
    .map(([, key, value]) => [key, Number(value)]);
}

const gauge = async (name, key) => (await gauges(name)).find(([of]) => of === key)[1];

async function nothingIsReserved() {
  const reserved = await gauges("reserved");
  assert.equal(reserved.length, Object.keys(budgets).length);
  assert.deepEqual(reserved.filter(([, value]) => value !== 0), []);
}

for (const [key, status] of [["requests", 429], ["money", 402], ["tokens", 429]])
  test(`a budget for ten lets ten of a thousand pass: ${key}`, async () => {
    const waiting = [];
    const before = upstream.requests.length;
    // Nobody gets an answer before all that are refused have been.
    let allAsked = false;
    upstream.answer = (request, count, socket) => (allAsked ? completion() : void waiting.push(socket));
    const statuses = {};
    const all = Promise.all(Array.from({ length: 1000 }, async () => {
      const response = await post(key);
      const text = await response.text();
      statuses[response.status] = (statuses[response.status] ?? 0) + 1;
      if (response.status === status) {
        assert.equal(response.headers.get("x-should-retry"), "false");
        assert.ok(Number(response.headers.get("retry-after")) > 0);
        assert.match(JSON.parse(text).error.message, new RegExp(`the budget of key ${key} \\(.*starts anew at`));
      }
      if (statuses[status] !== 990) return;
      allAsked = true;
      waiting.forEach((socket) => socket.write(completion()));
    }));
    await all;
    assert.deepEqual(statuses, { 200: 10, [status]: 990 });
    assert.equal(upstream.requests.length - before, 10);
    await nothingIsReserved();
  });

test("the SDK hears of a refusal once, as its own error", async () => {
  const clients = clientsOf(stage.gateway.url, keyOf("requests"), { maxRetries: 2 });
  await assert.rejects(ask(clients, "chat", { model: "held", prompt: "Hello" }), (error) => {
    assert.equal(error.status, 429);
    assert.equal(error.code, "rate_limit_exceeded");
    assert.equal(error.headers.get("x-ratelimit-limit-requests"), "10");
    assert.equal(error.headers.get("x-ratelimit-remaining-requests"), "0");
    return true;
  });
  assert.equal(clients.heard.length, 1);
});

test("100 tokens a minute are 100", async () => {
  upstream.answer = () => completion(); // 11 tokens
  const body = JSON.stringify({ model: "held", max_tokens: 1, messages: [] });
  assert.ok(body.length + 1 <= 100);
  const ids = [];
  let refused = 0;
  for (let wave = 0; wave < 20; wave++)
    await Promise.all(Array.from({ length: 5 }, async () => {
      const response = await post("minute", body);
      await response.text();
      if (response.status === 200) ids.push(response.headers.get("x-equipoise-id"));
      else refused++;
    }));
  const minutes = new Map();
  for (const id of ids) {
    const row = await stage.gateway.row(id);
    const minute = Math.floor(Number(row.arrived_wall_us) / 60e6);
    assert.ok(minute > 0);
    minutes.set(minute, (minutes.get(minute) ?? 0) + Number(row.input_tokens) + Number(row.output_tokens));
  }
  assert.ok(ids.length > 0 && refused > 0);
  for (const [minute, tokens] of minutes) assert.ok(tokens <= 100, `${tokens} in ${minute}`);
  await nothingIsReserved();
});

test("what the provider had in its cache does not use a limit up", async () => {
  const usage = { prompt_tokens: 410, completion_tokens: 10, total_tokens: 420, prompt_tokens_details: { cached_tokens: 400 } };
  upstream.answer = () => completion("yes", usage);
  for (let i = 1; i <= 8; i++) {
    assert.equal((await post("cached")).status, 200, `the ${i}th`);
    assert.equal(await gauge("spent", "cached"), i * (10 + 40 + 10)); // and not 420 each
  }
  await nothingIsReserved();
});

// Streams without an end, in each dialect.
const WORD = "never-ending ";
const frame = (value, name = null) => `${name === null ? "" : `event: ${name}\n`}data: ${JSON.stringify(value)}\n\n`;
const typed = (value) => frame(value, value.type);
const streams = {
  chat: {
    begin: [],
    word: () => frame({ id: "c1", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta: { content: WORD }, finish_reason: null }] }),
    reason: (events) => events.map((event) => event.choices[0]?.finish_reason).filter(Boolean),
    ended: ["length"],
  },
  completions: {
    begin: [],
    word: () => frame({ id: "c1", object: "text_completion", created: 1, model: "m", choices: [{ index: 0, text: WORD, finish_reason: null }] }),
    reason: (events) => events.map((event) => event.choices[0]?.finish_reason).filter(Boolean),
    ended: ["length"],
  },
  messages: {
    begin: [
      typed({ type: "message_start", message: { id: "m1", type: "message", role: "assistant", model: "m", content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 10, output_tokens: 1 } } }),
      typed({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
    ],
    word: () => typed({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: WORD } }),
    reason: (events) => events.map((event) => event.delta?.stop_reason).filter(Boolean),
    ended: ["max_tokens"],
  },
  responses: {
    begin: [
      typed({ type: "response.created", sequence_number: 0, response: { id: "r1", object: "response", created_at: 1, status: "in_progress", model: "m", output: [], error: null, incomplete_details: null } }),
      typed({ type: "response.output_item.added", sequence_number: 1, output_index: 0, item: { id: "i1", type: "message", role: "assistant", status: "in_progress", content: [] } }),
      typed({ type: "response.content_part.added", sequence_number: 2, item_id: "i1", output_index: 0, content_index: 0, part: { type: "output_text", text: "", annotations: [] } }),
    ],
    word: (count) => typed({ type: "response.output_text.delta", sequence_number: 3 + count, item_id: "i1", output_index: 0, content_index: 0, delta: WORD }),
    reason: (events) => events.map((event) => event.response?.incomplete_details?.reason).filter(Boolean),
    ended: ["max_output_tokens"],
  },
};

for (const [name, { begin, word, reason, ended }] of Object.entries(streams))
  test(`a stream that outruns its budget ends cleanly: ${name}`, async () => {
    let closed;
    const gone = new Promise((done) => (closed = done));
    upstream.answer = (request, count, socket) => {
      let words = 0;
      socket.write(`HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n${begin.join("")}`);
      const timer = setInterval(() => {
        for (let i = 0; i < 5; i++) socket.write(word(words++));
      }, 5);
      socket.on("close", () => closed(clearInterval(timer)));
    };
    const key = `stream-${name}`;
    const clients = clientsOf(stage.gateway.url, keyOf(key));
    const { id, text, events } = await ask(clients, name, {
      model: name === "messages" ? "held_claude" : "held", prompt: "Hello", limit: 100_000, stream: true,
    });
    await gone; // the backend does not go on
    assert.deepEqual(reason(events), ended);
    assert.ok(text.startsWith(WORD) && text.length > 6000);
    if (name === "responses") assert.equal(events.at(-1).response.output[0].content[0].text, text);
    const row = await stage.gateway.row(id);
    assert.equal(row.state, "ok");
    assert.match(row.why, /the budget of key stream-\w+ \(3000 tokens\/month\) has no more for it/);
    const spent = await gauge("spent", key);
    assert.ok(spent <= 3000 && spent > 2500, `${spent} spent`);
    await nothingIsReserved();
  });
