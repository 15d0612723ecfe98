// Streams as backends in the wild send them: odd framing, odd ends, usage in odd places. The SDK must understand them
// through the gateway, and the gateway must have counted them.
import assert from "node:assert/strict";
import { Recorder } from "./recorder.mjs";
import { ask, costOf, pico } from "./speak.mjs";
import { KEY, openStage, test, after } from "./stage.mjs";

const upstream = await Recorder.start();
const stage = await openStage({
  change: (config) => {
    config.backends.scripted = { url: upstream.url };
    config.backends.scripted_claude = { url: upstream.url, dialect: "anthropic" };
    config.routes.scripted = { reference: "scripted/m", attempts: 1 };
    config.routes.scripted_claude = { reference: "scripted_claude/m", attempts: 1 };
    config.prices.override["scripted/m"] = { input: "$1/M", output: "$2/M" };
    config.prices.override["scripted_claude/m"] = { input: "$1/M", output: "$2/M" };
    return config;
  },
});
after(async () => {
  await stage.close();
  await upstream.stop();
});
const clients = stage.clients();

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
const chunk = (delta, more = {}) => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [{ index: 0, delta: delta === null ? {} : { content: delta }, finish_reason: delta === null ? "stop" : null }],
  ...more,
});
const usage = { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 };
const frame = (value) => `data: ${JSON.stringify(value)}\n\n`;
const DONE = "data: [DONE]\n\n";
const whole = [frame(chunk("Grüße ")), frame(chunk("an 😀")), frame(chunk(null)), frame({ ...chunk(""), choices: [], usage }), DONE].join("");

const hear = (extra) => ask(clients, "chat", { model: "scripted", prompt: "Hello", stream: true, extra });

async function isWhole({ id, text, usage: told }) {
  assert.equal(text, "Grüße an 😀");
  assert.deepEqual(told, [100, 10]);
  const row = await stage.gateway.row(id);
  assert.equal(row.state, "ok");
  assert.equal(row.exactness, "exact");
  assert.equal(pico(row.cost_usd), 120_000_000n);
}

for (const [words, frames] of [
  ["as usual", whole],
  ["with CRLF", whole.replaceAll("\n", "\r\n")],
  ["with comments between the events", whole.replaceAll("data:", ": ping\n\ndata:")],
  ["with no space behind the colon", whole.replaceAll("data: ", "data:")],
  ["with ids, retry and event names", whole.replaceAll("data:", "id: 1\nretry: 10\nevent: message\ndata:")],
  ["with data over several lines", whole.replaceAll('"object":', '\ndata: "object":')],
  ["with a byte order mark", `\ufeff${whole}`],
])
  test(`events ${words}`, async () => {
    upstream.answer = () => HEAD + frames;
    await isWhole(await hear());
  });

test("events cut at every byte", async () => {
  upstream.answer = (request, count, socket) => {
    socket.setNoDelay(true);
    const bytes = Buffer.from(HEAD + whole);
    for (const byte of bytes) socket.write(Buffer.of(byte));
    socket.end();
  };
  await isWhole(await hear());
});

test("events in chunks of their own", async () => {
  const chunks = whole.match(/[^]{1,7}/gu).map((part) => `${Buffer.byteLength(part).toString(16)}\r\n${part}\r\n`).join("");
  upstream.answer = () => `${HEAD.replace("connection: close", "transfer-encoding: chunked")}${chunks}0\r\n\r\n`;
  await isWhole(await hear());
});

// What came, byte for byte, once its usage is in the ledger.
async function raw(stream_options) {
  const response = await fetch(`${stage.gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "scripted", stream: true, stream_options, messages: [] }),
  });
  assert.equal(response.status, 200);
  const bytes = Buffer.from(await response.arrayBuffer());
  assert.equal(pico((await stage.gateway.row(response.headers.get("x-equipoise-id"))).cost_usd), 120_000_000n);
  return bytes;
}

for (const [words, odd] of [
  ["bad UTF-8 and what is no JSON", Buffer.concat([Buffer.from('data: {"choices":[{"delta":{"content":"'), Buffer.of(0xff, 0xfe, 0xc3),
    Buffer.from('"}}]}\n\ndata: {not json\n\nno colon\n\n')])],
  ["a line of ten megabytes", Buffer.from(frame(chunk("0123456789abcdef".repeat(10 * 65536))))],
])
  test(`${words}: the stream goes through byte for byte, and is metered`, async () => {
    const bytes = Buffer.concat([odd, Buffer.from(whole)]);
    upstream.answer = (request, count, socket) => void (socket.write(HEAD), socket.end(bytes));
    assert.ok((await raw({ include_usage: true })).equals(bytes));
  });

test("a stream without [DONE] that came to its end is whole, and none is made up", async () => {
  assert.ok(whole.endsWith(DONE));
  const bytes = whole.slice(0, -DONE.length);
  upstream.answer = () => HEAD + bytes;
  assert.equal(String(await raw({ include_usage: true })), bytes);
});

test("an upstream's content-length does not truncate a stream that we change", async () => {
  upstream.answer = () => HEAD.replace("connection: close", `content-length: ${Buffer.byteLength(whole)}`) + whole;
  await isWhole(await hear());
  const response = await fetch(`${stage.gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json", "x-equipoise-include": "cost" },
    body: JSON.stringify({ model: "scripted", stream: true, stream_options: { include_usage: true }, messages: [] }),
  });
  assert.equal(response.headers.get("content-length"), null);
  assert.ok((await response.text()).endsWith(DONE));
});

test("usage in the last chunk beside its choice is counted, and the choice stays", async () => {
  upstream.answer = () => HEAD + frame(chunk("yes")) + frame(chunk(null, { usage })) + DONE;
  const { events, text, id } = await hear({ stream_options: undefined });
  assert.equal(text, "yes");
  assert.equal(events.at(-1).choices[0].finish_reason, "stop");
  assert.equal(pico((await stage.gateway.row(id)).cost_usd), 120_000_000n);
});

test("a client that leaves right behind the usage is metered all the same", async () => {
  let lost;
  const gone = new Promise((done) => (lost = done));
  upstream.answer = (request, count, socket) => {
    socket.on("close", lost).write(HEAD + whole.slice(0, -DONE.length)); // and the end does not come
  };
  const response = await fetch(`${stage.gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "scripted", stream: true, stream_options: { include_usage: true }, messages: [] }),
  });
  const reader = response.body.getReader();
  let heard = "";
  while (!heard.includes('"total_tokens":110}}\n\n')) heard += Buffer.from((await reader.read()).value).toString();
  await reader.cancel();
  await gone;
  const row = await stage.gateway.row(response.headers.get("x-equipoise-id"));
  assert.equal(row.state, "client gone");
  assert.equal(row.exactness, "exact");
  assert.equal(pico(row.cost_usd), 120_000_000n);
});

test("a stream that ends without its end is an error for the client, and cut in the ledger", async () => {
  upstream.answer = () => HEAD + frame(chunk("half"));
  const from = stage.clients();
  await assert.rejects(ask(from, "chat", { model: "scripted", prompt: "Hello", stream: true }));
  const row = await stage.gateway.row(from.heard[0].headers.get("x-equipoise-id"));
  assert.equal(row.state, "cut");
  assert.equal(row.exactness, "estimated");
});

test("parallel tool calls whose deltas interleave keep id and name", async () => {
  const call = (index, more) => ({ ...chunk(""), choices: [{ index: 0, delta: { tool_calls: [{ index, ...more }] }, finish_reason: null }] });
  const frames = [
    { ...chunk(""), choices: [{ index: 0, delta: { role: "assistant", content: null }, finish_reason: null }] },
    call(0, { id: "call_a", type: "function", function: { name: "first", arguments: "" } }),
    call(1, { id: "call_b", type: "function", function: { name: "second", arguments: "" } }),
    call(1, { function: { arguments: '{"b":' } }),
    call(0, { function: { arguments: '{"a":1}' } }),
    call(1, { function: { arguments: "2}" } }),
    { ...chunk(""), choices: [{ index: 0, delta: {}, finish_reason: "tool_calls" }], usage },
  ];
  upstream.answer = () => HEAD + frames.map(frame).join("") + DONE;
  const messages = [{ role: "user", content: "Hello" }];
  const { choices } = await clients.openai.chat.completions.stream({ model: "scripted", messages }).finalChatCompletion();
  assert.deepEqual(choices[0].message.tool_calls.map(({ id, function: f }) => [id, f.name, f.arguments]),
    [["call_a", "first", '{"a":1}'], ["call_b", "second", '{"b":2}']]);
});

for (const [words, last, input] of [
  ["with the input in its end too, the end wins", { input_tokens: 50, output_tokens: 10 }, 50],
  ["without the input in its end, the start's holds", { output_tokens: 10 }, 100],
])
  test(`an Anthropic stream ${words}`, async () => {
    const message = { id: "msg_1", type: "message", role: "assistant", model: "m", content: [], stop_reason: null, stop_sequence: null };
    const events = [
      { type: "message_start", message: { ...message, usage: { input_tokens: 100, output_tokens: 1 } } },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "ping" },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "yes" } },
      { type: "content_block_stop", index: 0 },
      { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage: last },
      { type: "message_stop" },
    ];
    upstream.answer = () => HEAD + events.map((event) => `event: ${event.type}\n${frame(event)}`).join("");
    const { id, text } = await ask(clients, "messages", { model: "scripted_claude", prompt: "Hello", stream: true });
    assert.equal(text, "yes");
    const row = await stage.gateway.row(id);
    assert.equal(Number(row.input_tokens), input);
    assert.equal(pico(row.cost_usd), costOf(input + 20, 1));
  });
