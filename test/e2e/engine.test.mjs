// The same SDKs through the gateway to a real inference engine, if there is one: $REAL_ENGINE is a command that takes a
// port and serves OpenAI's and Anthropic's APIs on it, as llama.cpp's server does. Its model may answer nonsense: what
// counts is that SDK, gateway and engine understand each other, and that what it counted is what we booked.
import assert from "node:assert/strict";
import { until } from "./harness.mjs";
import { start } from "./real_engine.mjs";
import { ask, names, speakers } from "./speak.mjs";
import { after, freePort, Gateway, routeFor, test, usualConfig } from "./stage.mjs";

const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const { program: engine, why } = await start(port);
const options = { skip: why, timeout: 300_000 };
const price = { input: "$1/M", output: "$3/M", cache_read: "$0.10/M" };
const gateway = engine && await Gateway.start({
  ...usualConfig(url),
  backends: { own: { url, engine: "llama.cpp" }, own_claude: { url, engine: "llama.cpp", dialect: "anthropic" } },
  routes: { assistant: { reference: "own/tiny" }, helper: { reference: "own_claude/tiny" } },
  prices: { override: { "own/tiny": price, "own_claude/tiny": price } },
});
after(async () => {
  await gateway?.stop();
  await engine?.stop();
});
const clients = gateway?.clients();

for (const name of names) {
  test(`${name}: buffered and streamed, with the engine's own usage in the ledger`, options, async () => {
    for (const stream of [false, true]) {
      const { id, usage } = await ask(clients, name, { model: routeFor(name), prompt: "Tell me a story.", limit: 24, stream });
      const row = await gateway.row(id);
      assert.equal(row.state, "ok");
      // llama.cpp leaves a stream's first event out, and with it the input's count, if its first token is half a letter.
      const told = usage.every(Number.isInteger);
      assert.equal(row.exactness === "exact", told, row.why ?? "");
      if (!told) continue;
      assert.equal(Number(row.output_tokens), usage[1]);
      assert.ok(Number(row.cost_usd) > 0);
    }
  });

  test(`${name}: leaving a stream stops the engine's work`, options, async () => {
    const speaker = speakers[name];
    const body = { ...speaker.body(routeFor(name), "Tell me a story.", 100_000), ...speaker.streaming };
    const { data, response } = await speaker.call(clients, body, {}).withResponse();
    for await (const event of data) if (speaker.delta(event)) break;
    const id = response.headers.get("x-equipoise-id");
    await until("the engine to be idle", async () => {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      return /^llamacpp:requests_processing 0$/m.test(metrics);
    });
    assert.ok(["client gone", "ok"].includes((await gateway.row(id)).state));
  });

  test(`${name}: the engine's own complaint reaches the SDK`, options, async () => {
    const broken = speakers[name].sdk === "anthropic" ? { max_tokens: "many" } : { temperature: "warm", messages: 7, prompt: { no: 1 }, input: 7 };
    await assert.rejects(ask(clients, name, { model: routeFor(name), prompt: "Hello", extra: broken }), (caught) => caught.status >= 400);
  });
}

test("a usage chunk comes to those who ask, and only to them", options, async () => {
  const body = { model: "assistant", max_tokens: 8, stream: true, messages: [{ role: "user", content: "Hello" }] };
  for (const [asked, extra] of [[true, { stream_options: { include_usage: true } }], [false, {}]]) {
    const chunks = [];
    for await (const chunk of await clients.openai.chat.completions.create({ ...body, ...extra })) chunks.push(chunk);
    assert.equal(chunks.some(({ usage }) => usage != null), asked);
  }
});

test("the SDK's stream helpers gather whole answers", options, async () => {
  const messages = [{ role: "user", content: "Hello" }];
  const lacksStart = (error) => assert.match(error.message, /missing role|Unexpected event order/); // as above: ask again
  const gather = (ask) => until("a stream that has its start", () => ask().catch(lacksStart));
  const chat = await gather(() =>
    clients.openai.chat.completions.stream({ model: "assistant", max_tokens: 8, messages }).finalChatCompletion());
  assert.match(chat.choices[0].finish_reason, /stop|length/);
  const message = await gather(() =>
    clients.anthropic.messages.stream({ model: "helper", max_tokens: 8, messages }).finalMessage());
  assert.match(message.stop_reason, /end_turn|max_tokens/);
});

test("an answer held to a JSON schema keeps to it", options, async () => {
  const schema = { type: "object", properties: { open: { type: "boolean" } }, required: ["open"], additionalProperties: false };
  const answer = await clients.openai.chat.completions.create({
    model: "assistant",
    messages: [{ role: "user", content: "Is it open?" }],
    response_format: { type: "json_schema", json_schema: { name: "door", schema } },
  });
  assert.equal(typeof JSON.parse(answer.choices[0].message.content).open, "boolean");
});

test("tools are accepted", options, async () => {
  const tools = [{ type: "function", function: { name: "look", parameters: { type: "object", properties: {} } } }];
  const messages = [{ role: "user", content: "Look." }];
  const { choices } = await clients.openai.chat.completions.create({ model: "assistant", max_tokens: 16, messages, tools });
  assert.equal(choices.length, 1);
});

test("the engine's models can be listed through the gateway", options, async () => {
  const response = await fetch(`${gateway.url}/backend/own/v1/models`, { headers: { authorization: `Bearer ${clients.openai.apiKey}` } });
  assert.ok((await response.json()).data.length >= 1);
});
