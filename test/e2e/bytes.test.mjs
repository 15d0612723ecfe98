// A request's body arrives upstream with every unchanged span byte for byte: provider prompt caches depend on it.
import assert from "node:assert/strict";
import { completion, json, Recorder } from "./recorder.mjs";
import { KEY, openStage, test, after } from "./stage.mjs";

const upstream = await Recorder.start();
const stage = await openStage({
  change: (config) => {
    config.backends.scripted = { url: upstream.url, models: { "a-model": "the-upstream-name" } };
    config.backends.scripted_claude = { url: upstream.url, dialect: "anthropic" };
    config.routes.renamed = { reference: "scripted/a-model" };
    config.routes.same = { reference: "scripted/same" };
    config.routes.same_claude = { reference: "scripted_claude/same_claude" };
    config.routes.marked = { reference: "scripted_claude/marked", levers: { prompt_cache: "on" } };
    config.prices.override["scripted_claude/marked"] = { input: "$4/M", output: "$20/M", cache_read: "$0.40/M", cache_write: "$5/M" };
    return config;
  },
});
after(async () => {
  await stage.close();
  await upstream.stop();
});

async function sent(path, body, headers = {}) {
  upstream.answer = () => completion();
  const response = await fetch(stage.gateway.url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json", ...headers },
    body,
  });
  assert.equal(response.status, 200, await response.text());
  await response.text().catch(() => {});
  return upstream.last.body.toString("utf8");
}

const oddities = [
  ["white space everywhere", `\n{ "messages" :[\t{"content":"hi",  "role":"user"}\r\n] ,"model"\n:"MODEL" , "n":1 }\n`],
  ["escapes of every kind", `{"model":"MODEL","messages":[{"role":"user","content":"\\u00e9 \\ud83d\\ude00 é 😀 \\/ \\b \\u0000"}]}`],
  ["numbers as they were written", `{"temperature":1.0e0,"top_p":0.10,"seed":12345678901234567890,"model":"MODEL","messages":[{"role":"user","content":"hi"}]}`],
  ["the order of keys, unknown keys, empty things", `{"zeta":null,"alpha":{"b":[],"a":{}},"model":"MODEL","messages":[{"role":"user","content":""}],"":0}`],
  ["a model that looks like another member", `{"user":"\\"model\\":\\"MODEL\\"","model":"MODEL","messages":[{"role":"user","content":"\\"model\\":\\"x\\""}]}`],
  ["an escaped name of the model's member", `{"mod\\u0065l":"MODEL","messages":[{"role":"user","content":"hi"}]}`],
];

for (const [words, text] of oddities) {
  test(`unchanged: ${words}`, async () => {
    const body = text.replaceAll("MODEL", "same");
    assert.equal(await sent("/v1/chat/completions", body), body);
  });

  test(`only the model's name changes: ${words}`, async () => {
    const body = text.replaceAll("MODEL", "renamed");
    const arrived = await sent("/v1/chat/completions", body);
    const at = body.search(/(?<!\\)"mod(?:e|\\u0065)l(?<!\\)"\s*:\s*"renamed"/);
    const value = body.indexOf('"renamed"', at);
    const expected = `${body.slice(0, value)}"the-upstream-name"${body.slice(value + '"renamed"'.length)}`;
    assert.equal(arrived, expected);
  });
}

test("a stream's body gets the wish for usage, and nothing else", async () => {
  const rest = `"messages" : [ {"role":"user","content":"h\\u0069"} ],"model":"same"}`;
  const arrived = await sent("/v1/chat/completions", `{ "stream":true, ${rest}`);
  assert.deepEqual(JSON.parse(arrived).stream_options, { include_usage: true });
  assert.ok(arrived.includes(rest.slice(0, -1)), arrived);
  assert.equal(arrived.replace(/,?\s*"stream_options"\s*:\s*\{\s*"include_usage"\s*:\s*true\s*\}\s*,?/, "").replaceAll(/\s/g, ""),
    `{"stream":true,${rest}`.replaceAll(/\s/g, ""));
});

test("a stream's own options keep their other members", async () => {
  const body = `{"model":"same","stream":true,"stream_options":{ "other" : 1.50 , "include_usage":false },"messages":[]}`;
  const arrived = await sent("/v1/chat/completions", body);
  assert.equal(JSON.parse(arrived).stream_options.include_usage, true);
  assert.ok(arrived.includes(`"other" : 1.50`), arrived);
});

test("a long history with tools, images and thinking passes byte for byte to an Anthropic backend", async () => {
  const turns = Array.from({ length: 300 }, (_, i) => [
    { role: "user", content: [{ type: "text", text: `turn ${i} é\u2028` }, { type: "image", source: { type: "base64", media_type: "image/png", data: "QUJD".repeat(500) } }] },
    { role: "assistant", content: [{ type: "thinking", thinking: "hm", signature: "c2ln" }, { type: "tool_use", id: `toolu_${i}`, name: "look", input: { b: 1, a: [1.5] } }] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: `toolu_${i}`, content: "done", cache_control: { type: "ephemeral" } }] },
  ]).flat();
  const tools = [{ name: "look", input_schema: { type: "object", properties: { b: {}, a: {} } } }];
  const body = JSON.stringify({ tools, max_tokens: 100, system: "s", messages: turns, model: "same_claude" }, null, 1);
  assert.ok(body.length > 600_000);
  assert.equal(await sent("/v1/messages", body, { "anthropic-version": "2023-06-01" }), body);
  assert.match(upstream.last.head, /^anthropic-version: 2023-06-01$/im);
});

// As a provider that keeps what is marked would answer.
const kept = (read, written) => json(JSON.stringify({
  id: "msg_1", type: "message", role: "assistant", model: "m", stop_reason: "end_turn", stop_sequence: null, content: [{ type: "text", text: "yes" }],
  usage: { input_tokens: 100, cache_read_input_tokens: read, cache_creation_input_tokens: written, output_tokens: 1 },
}));

test("where a provider is asked to keep a prompt, marks are put in and every other byte is as it came", async () => {
  const mark = /,?"cache_control":\{"type":"ephemeral"\},?/g;
  const tools = `[ {"name":"zeta","input_schema":{"type":"object","properties":{"b":{},"a":{}}}} , {"input_schema":{"type":"object"},"name":"alpha"} ]`;
  const system = `[{"text":"${"Be exact \\u00e9 \\/ . ".repeat(1500)}","type":"text"}]`;
  const turns = [];
  let marked = 0;
  for (let turn = 0; turn < 6; turn++) {
    turns.push(`{"role":"user","content":[ {"type":"text","text":"Question ${turn}, é 😀 \\ud83d\\ude00 ${"and more ".repeat(50)}"} ]}`);
    const body = `{ "tools":${tools},"max_tokens" : 1e2,"system":${system},"messages":[${turns.join(" ,\n")}],"model":"marked","top_k":1.0 }`;
    upstream.answer = () => kept(turn > 2 ? 9000 : 0, turn === 2 ? 9000 : 0);
    const response = await fetch(`${stage.gateway.url}/v1/messages`, { method: "POST", body,
      headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json", "anthropic-version": "2023-06-01" } });
    assert.equal(response.status, 200, await response.text());
    const arrived = upstream.last.body.toString("utf8");
    const marks = arrived.match(mark)?.length ?? 0;
    assert.ok(marks <= 4);
    assert.equal(arrived.replace(mark, ""), body);
    marked += marks > 0;
    turns.push(`{"content":[{"type":"text","text":"Answer ${turn} ${"yes ".repeat(50)}"}],"role":"assistant"}`);
  }
  assert.ok(marked >= 3, `${marked} of 6 turns were marked`);
});

test("a body of several megabytes passes byte for byte", async () => {
  const body = JSON.stringify({ model: "same", messages: [{ role: "user", content: "0123456789abcdef é".repeat(200_000) }] });
  assert.equal(await sent("/v1/chat/completions", body), body);
});

test("a body with the same member twice is refused: parser and backend would take different ones", async () => {
  const response = await fetch(`${stage.gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    body: `{"model":"same","messages":[{"role":"user","content":"hi"}],"model":"renamed"}`,
  });
  assert.equal(response.status, 400);
  assert.match((await response.json()).error.message, /model/);
});
