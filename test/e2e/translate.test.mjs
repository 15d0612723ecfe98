// Routes that cross dialects: the official SDKs ask in their own API, backends of another answer.
import assert from "node:assert/strict";
import { until } from "./harness.mjs";
import { equipoise, Gateway, KEY, openStage, sha256, Twin, test, after } from "./stage.mjs";

const price = (dollars) => ({ input: `$${dollars.toFixed(2)}/M`, output: `$${(4 * dollars).toFixed(2)}/M` });

// Most routes ask a backend of another API; `mixed` may use both, and the other one is cheaper.
const change = (config) => ({
  ...config,
  backends: {
    ...config.backends,
    plain: { ...config.backends.twin, apis: ["chat"] },
    newer: { ...config.backends.twin, apis: ["responses"] },
    cheap: { ...config.backends.claude },
  },
  routes: {
    claude: { reference: "claude/twin-medium" },
    gpt: { reference: "twin/twin-medium" },
    plain: { reference: "plain/twin-medium" },
    newer: { reference: "newer/twin-medium" },
    mixed: { reference: "twin/twin-medium", candidates: "cheap/twin-medium", levers: { alternatives: "on", exact_cache: "on" } },
  },
  prices: {
    override: {
      "twin/twin-medium": price(2), "claude/twin-medium": price(2), "plain/twin-medium": price(2),
      "newer/twin-medium": price(2), "cheap/twin-medium": price(0.1),
    },
  },
});
const stage = await openStage({ change });
after(() => stage.close());
const { openai, anthropic } = stage.clients();
const { gateway, twin } = stage;
const user = (content) => [{ role: "user", content }];
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const weather = { name: "get_weather", description: "The weather of a city" };
const clock = { name: "get_time", description: "The local time of a city" };
const story = "Tell me a story of 60 words.";

const started = async (request) => {
  const { data, response } = await request.withResponse();
  return { stream: data, id: response.headers.get("x-equipoise-id") };
};

// Every API: how it is asked, and what of its answers is the same in all.
const functions = (tools) => tools.map((tool) => ({ type: "function", function: { ...tool, parameters: schema } }));
const apis = {
  chat: {
    ask: ({ model, text, tools, most = 400 }) => ({
      model, messages: user(text), max_tokens: most, ...(tools && { tools: functions(tools) }),
    }),
    whole: (body) => openai.chat.completions.create(body).withResponse(),
    start: (body, fault) => started(openai.chat.completions.create({ ...body, stream: true }, { headers: { "x-twin-fault": fault } })),
    piece: ({ choices }) => choices[0]?.delta.content ?? "",
    streamed: (body) => openai.chat.completions.stream({ ...body, stream_options: { include_usage: true } }).finalChatCompletion(),
    told: ({ choices: [{ message, finish_reason }], usage }) => ({
      text: message.content ?? "",
      calls: (message.tool_calls ?? []).map(({ id, function: f }) => [id, f.name, JSON.parse(f.arguments)]),
      stop: { stop: "end", length: "length", tool_calls: "calls" }[finish_reason],
      usage: [usage.prompt_tokens, usage.completion_tokens],
    }),
  },
  messages: {
    ask: ({ model, text, tools, most = 400 }) => ({
      model, messages: user(text), max_tokens: most, ...(tools && { tools: tools.map((tool) => ({ ...tool, input_schema: schema })) }),
    }),
    whole: (body) => anthropic.messages.create(body).withResponse(),
    start: (body, fault) => started(anthropic.messages.create({ ...body, stream: true }, { headers: { "x-twin-fault": fault } })),
    piece: ({ delta }) => delta?.text ?? "",
    streamed: (body) => anthropic.messages.stream(body).finalMessage(),
    told: ({ content, stop_reason, usage }) => ({
      text: content.filter(({ type }) => type === "text").map(({ text }) => text).join(""),
      calls: content.filter(({ type }) => type === "tool_use").map(({ id, name, input }) => [id, name, input]),
      stop: { end_turn: "end", max_tokens: "length", tool_use: "calls" }[stop_reason],
      usage: [usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0), usage.output_tokens],
    }),
  },
  responses: {
    ask: ({ model, text, tools, most = 400 }) => ({
      model, input: text, max_output_tokens: most,
      ...(tools && { tools: tools.map((tool) => ({ type: "function", ...tool, parameters: schema, strict: false })) }),
    }),
    whole: (body) => openai.responses.create(body).withResponse(),
    start: (body, fault) => started(openai.responses.create({ ...body, stream: true }, { headers: { "x-twin-fault": fault } })),
    piece: ({ type, delta, message }) => {
      if (type === "error") throw new Error(message);
      return type === "response.output_text.delta" ? delta : "";
    },
    streamed: (body) => openai.responses.stream(body).finalResponse(),
    told: ({ output, status, incomplete_details, usage }) => {
      const calls = output.filter(({ type }) => type === "function_call").map((c) => [c.call_id, c.name, JSON.parse(c.arguments)]);
      return {
        text: output.flatMap(({ content }) => content ?? []).map(({ text }) => text).join(""),
        calls,
        stop: status === "incomplete" ? { max_output_tokens: "length" }[incomplete_details.reason] : calls.length ? "calls" : "end",
        usage: [usage.input_tokens, usage.output_tokens],
      };
    },
  },
};
const crossings = [
  ["chat", "claude", "messages"], ["chat", "newer", "responses"], ["messages", "gpt", "chat"], ["messages", "newer", "responses"],
  ["responses", "plain", "chat"], ["responses", "claude", "messages"],
];

// The row of a request, and the parts of its cost: all that was paid is in it, once.
async function settled(id) {
  const row = await gateway.row(id);
  assert.equal(row.state, "ok");
  assert.equal(row.exactness, "exact");
  return row;
}

for (const [api, model, other] of crossings) {
  const { ask, whole, streamed, told, start, piece } = apis[api];

  test(`${api} by ${other}: an answer, whole and streamed alike, billed by its backend's usage`, async () => {
    const body = ask({ model, text: story });
    const { data, response } = await whole(body);
    const buffered = told(data);
    assert.match(buffered.text, /\S/);
    assert.equal(buffered.stop, "end");
    const last = await twin.last();
    assert.equal(new URL(last.target, twin.url).pathname, { chat: "/v1/chat/completions", messages: "/v1/messages", responses: "/v1/responses" }[other]);
    assert.deepEqual(told(await streamed(body)), buffered);
    const row = await settled(response.headers.get("x-equipoise-id"));
    assert.deepEqual([row.api, row.input_tokens, row.output_tokens], [api, ...buffered.usage]);
    assert.equal(Number(row.cost_usd), (2 * buffered.usage[0] + 8 * buffered.usage[1]) / 1e6);
    assert.equal(response.headers.get("x-equipoise-cost-usd"), row.cost_usd);
  });

  test(`${api} by ${other}: an answer that reaches its limit says so`, async () => {
    const body = ask({ model, text: story, most: 16 });
    const buffered = told((await whole(body)).data);
    assert.equal(buffered.stop, "length");
    assert.equal(buffered.usage[1], 16);
    assert.deepEqual(told(await streamed(body)), buffered);
  });

  test(`${api} by ${other}: parallel calls keep their ids and names`, async () => {
    const body = ask({ model, text: "Use get_weather and get_time for Lisbon.", tools: [weather, clock] });
    const buffered = told((await whole(body)).data);
    assert.deepEqual(buffered.calls.map(([, name]) => name), ["get_weather", "get_time"]);
    assert.notEqual(buffered.calls[0][0], buffered.calls[1][0]);
    assert.equal(typeof buffered.calls[0][2].city, "string");
    assert.equal(buffered.stop, "calls");
    assert.deepEqual(told(await streamed(body)), buffered);
  });

  test(`${api} by ${other}: the first token does not wait for the end, and who leaves ends the call`, async () => {
    const before = (await twin.seen()).total.client_gone;
    const gone = await gateway.ended("client gone");
    const { stream, id } = await start(ask({ model, text: story }), "stall-after=8");
    let text = "";
    for await (const event of stream) {
      text += piece(event);
      if (text.length > 10) break; // the rest never comes
    }
    await until("the backend to see that nobody listens", async () => (await twin.seen()).total.client_gone > before);
    assert.equal((await gateway.row(id)).state, "client gone");
    assert.equal(await gateway.ended("client gone"), gone + 1);
  });

  for (const fault of ["cut-after=12", "malformed-sse"])
    test(`${api} by ${other}: a stream that breaks (${fault}) ends with an error, and has its row`, async () => {
      const { stream, id } = await start(ask({ model, text: story }), fault);
      await assert.rejects(async () => {
        for await (const event of stream) piece(event);
      });
      assert.match((await gateway.row(id)).state, /^(cut|upstream failed)$/);
    });
}

test("what has no place goes to the backend that has one, and explain says why", async () => {
  const body = { model: "mixed", messages: user(story) };
  const { response } = await openai.chat.completions.create(body).withResponse();
  assert.equal(response.headers.get("x-equipoise-model"), "cheap/twin-medium");
  const { data, response: own } = await openai.chat.completions.create({ ...body, logit_bias: { 50256: -100 } }).withResponse();
  assert.equal(own.headers.get("x-equipoise-model"), "twin/twin-medium");
  assert.match(data.choices[0].message.content, /\S/);
  await settled(own.headers.get("x-equipoise-id"));
  const { stdout } = await gateway.command("explain", own.headers.get("x-equipoise-id"));
  assert.match(stdout, /cheap\/twin-medium .*cannot be put in the API that the backend speaks.*'logit_bias' has no place in messages/);
  await settled(response.headers.get("x-equipoise-id"));
  assert.match((await gateway.command("explain", response.headers.get("x-equipoise-id"))).stdout, /cheap\/twin-medium .*chosen; in the words of messages/);
});

test("a response repeats what was asked for, whole and streamed", async () => {
  const body = { model: "claude", input: "Hi", metadata: { ticket: "7" }, temperature: 0.5, instructions: "Be brief." };
  for (const answer of [await openai.responses.create(body), await openai.responses.stream(body).finalResponse()]) {
    assert.deepEqual([answer.metadata, answer.temperature, answer.instructions], [body.metadata, 0.5, "Be brief."]);
    assert.deepEqual([answer.tools, answer.tool_choice, answer.parallel_tool_calls, answer.store], [[], "auto", true, false]);
  }
});

test("check says which candidates are asked in another API", async () => {
  const { code, stdout } = await equipoise(["check", gateway.file], { env: gateway.env });
  assert.equal(code, 0);
  assert.match(stdout, /mixed +twin\/twin-medium; or cheap\/twin-medium \(translated\)/);
  assert.match(stdout, /plain .*speaks openai \(chat\)/);
});

test("long bodies, which are read on another thread, are translated there", async () => {
  const long = "All work and no play. ".repeat(60_000);
  for (const [api, model] of [["chat", "claude"], ["messages", "gpt"], ["responses", "claude"]]) {
    const { data, response } = await apis[api].whole(apis[api].ask({ model, text: long + story }));
    assert.match(apis[api].told(data).text, /\S/);
    assert.ok((await settled(response.headers.get("x-equipoise-id"))).input_tokens > 100_000);
  }
});

test("where no backend has a place for it, the client is told what is in the way", async () => {
  await assert.rejects(openai.chat.completions.create({ model: "claude", messages: user("Hi"), seed: 1 }), (error) => {
    assert.equal(error.status, 400);
    assert.match(error.message, /another API \(messages\).*'seed' has no place in messages/);
    return true;
  });
  await assert.rejects(anthropic.messages.create({ model: "gpt", max_tokens: 9, messages: user("Hi"), top_k: 4 }), (error) => {
    assert.equal(error.status, 400);
    assert.equal(error.error.error.type, "invalid_request_error");
    assert.match(error.message, /'top_k' has no place in chat/);
    return true;
  });
});

test("an answer that was translated is kept and given again in the client's API, in either form", async () => {
  const body = { model: "mixed", messages: user("Tell me a story of 40 words."), temperature: 0 };
  const { data, response } = await openai.chat.completions.create(body).withResponse();
  assert.equal(response.headers.get("x-equipoise-model"), "cheap/twin-medium");
  await settled(response.headers.get("x-equipoise-id"));
  const again = await openai.chat.completions.create(body).withResponse();
  assert.equal(again.response.headers.get("x-equipoise-source"), "cached");
  assert.deepEqual(again.data, data);
  const streamed = await openai.chat.completions.stream(body).finalChatCompletion();
  assert.equal(streamed.choices[0].message.content, data.choices[0].message.content);
});

test("a backend's errors come in the client's words, and a backend that does not take the translation is passed over", async () => {
  const strict = await Twin.start(["--fault", "status=400"]);
  const own = await Twin.start();
  const config = {
    backends: {
      twin: { url: own.url, engine: "twin" },
      odd: { url: strict.url, engine: "twin", dialect: "anthropic" },
    },
    routes: {
      only: { reference: "odd/twin-medium" },
      mixed: { reference: "twin/twin-medium", candidates: "odd/twin-medium", levers: { alternatives: "on" } },
    },
    keys: { web: { sha256: sha256(KEY) } },
    prices: { override: { "twin/twin-medium": price(2), "odd/twin-medium": price(0.1) } },
  };
  const other = await Gateway.start(config);
  try {
    const { openai: client } = other.clients(KEY, { maxRetries: 0 });
    await assert.rejects(client.chat.completions.create({ model: "only", messages: user("Hi") }), (error) => {
      assert.equal(error.status, 400);
      assert.equal(error.type, "invalid_request_error");
      assert.ok(error.message.length > 5);
      return true;
    });
    const { response } = await client.chat.completions.create({ model: "mixed", messages: user("Hi") }).withResponse();
    assert.equal(response.headers.get("x-equipoise-model"), "twin/twin-medium");
    const row = await other.row(response.headers.get("x-equipoise-id"));
    assert.deepEqual([row.state, row.attempts], ["ok", 2]);
  } finally {
    await other.stop();
    await strict.stop();
    await own.stop();
  }
});
