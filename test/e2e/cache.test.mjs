// Stored answers through the official SDKs: a hit, streamed or not, is the answer that was bought, however it was bought.
import assert from "node:assert/strict";
import { ask, names, pico } from "./speak.mjs";
import { KEY, openStage, sha256, test, after } from "./stage.mjs";

const RIVAL = "sk-e2e-of-another-tenant-0123456789";

const stage = await openStage({
  change: (config) => {
    for (const route of Object.values(config.routes)) Object.assign(route, { repeatable: true, levers: { exact_cache: "on" } });
    config.keys.rival = { sha256: sha256(RIVAL), tenant: "rival" };
    return config;
  },
});
after(() => stage.close());
const clients = stage.clients();
const modelOf = (name) => (name === "messages" ? stage.messagesModel : stage.chatModel);
const calls = async () => (await stage.twin.seen()).total.requests;
const isHit = ({ headers }) => headers.get("x-equipoise-source") === "cached";

for (const name of names)
  for (const firstStreams of [false, true])
    test(`${name}: ${firstStreams ? "streamed" : "buffered"} answers serve both ways`, async () => {
      const question = { model: modelOf(name), prompt: `Tell me a story of 40 words about ${name}, ${firstStreams}.` };
      const before = await calls();
      const bought = await ask(clients, name, { ...question, stream: firstStreams });
      assert.ok(!isHit(bought));
      assert.match(bought.text, /\S+ \S+/);
      for (const stream of [false, true, true, false]) {
        const hit = await ask(clients, name, { ...question, stream });
        assert.ok(isHit(hit));
        assert.match(hit.headers.get("age"), /^\d+$/);
        assert.equal(hit.headers.get("x-equipoise-model"), bought.headers.get("x-equipoise-model"));
        assert.equal(hit.text, bought.text);
        assert.deepEqual(hit.usage, bought.usage);
        if (!stream && !firstStreams) assert.deepEqual(hit.answer, bought.answer);
        if (stream) assert.ok(hit.events.length > 3, "a stream comes as events, not as one blob");
        const [row, paid] = [await stage.gateway.row(hit.id), await stage.gateway.row(bought.id)];
        assert.equal(row.source, "cached");
        assert.equal(pico(row.cost_usd), 0n);
        assert.equal(row.baseline_usd, paid.cost_usd);
        assert.deepEqual(row.savings.map(({ lever, saved_usd }) => [lever, saved_usd]), [["exact_cache", paid.cost_usd]]);
      }
      assert.equal(await calls(), before + 1);
    });

test("the SDK's own stream helpers take a hit for an answer", async () => {
  const body = { model: stage.chatModel, messages: [{ role: "user", content: "Tell me a story of 50 words." }], seed: 11 };
  const bought = await clients.openai.chat.completions.create(body);
  const again = await clients.openai.chat.completions.stream(body).finalChatCompletion();
  assert.equal(again.choices[0].message.content, bought.choices[0].message.content);
  assert.equal(again.choices[0].finish_reason, bought.choices[0].finish_reason);
  const ask = { model: stage.messagesModel, max_tokens: 300, messages: [{ role: "user", content: "Tell me a story of 50 words." }] };
  const message = await clients.anthropic.messages.create(ask);
  const streamed = await clients.anthropic.messages.stream(ask).finalMessage();
  assert.deepEqual(streamed.content, message.content);
  assert.equal(streamed.stop_reason, message.stop_reason);
  assert.deepEqual(streamed.usage.output_tokens, message.usage.output_tokens);
});

test("parallel tool calls keep ids and names, whichever way they were bought", async () => {
  const tool = (name) => ({
    type: "function",
    function: { name, parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] } },
  });
  for (const stream of [false, true]) {
    const body = {
      model: stage.chatModel,
      messages: [{ role: "user", content: `Weather and time in Bern, please (${stream})?` }],
      tools: [tool("get_weather"), tool("get_time")],
      tool_choice: "required",
    };
    const whole = () => clients.openai.chat.completions.create(body);
    const gathered = () => clients.openai.chat.completions.stream(body).finalChatCompletion();
    const callsOf = (answer) => answer.choices[0].message.tool_calls.map(({ id, function: f }) => [id, f.name, f.arguments]);
    const before = await calls();
    const bought = callsOf(await (stream ? gathered() : whole()));
    assert.ok(bought.length > 0 && bought.every(([id, called]) => id && called));
    assert.deepEqual(callsOf(await gathered()), bought);
    assert.deepEqual(callsOf(await whole()), bought);
    assert.equal(await calls(), before + 1);
  }
});

test("embeddings are deterministic of themselves", async () => {
  const body = { model: stage.embeddingModel, input: "one and the same text" };
  const before = await calls();
  const bought = await clients.openai.embeddings.create(body);
  assert.deepEqual(await clients.openai.embeddings.create(body), bought);
  assert.equal(await calls(), before + 1);
});

test("what one tenant bought is bought again for another", async () => {
  const question = { model: stage.chatModel, prompt: "Tell me a secret of 20 words." };
  const before = await calls();
  await ask(clients, "chat", question);
  assert.ok(!isHit(await ask(stage.clients(RIVAL), "chat", question)));
  assert.ok(isHit(await ask(stage.clients(KEY), "chat", question)));
  assert.equal(await calls(), before + 2);
});

test("how a request is written does not matter, what it asks does", async () => {
  const send = async (body) => {
    const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };
    const response = await fetch(`${stage.gateway.url}/v1/chat/completions`, { method: "POST", headers, body });
    assert.equal(response.status, 200, await response.clone().text());
    await response.text();
    return isHit(response);
  };
  const before = await calls();
  assert.ok(!(await send('{"model":"assistant","temperature":0.5,"messages":[{"role":"user","content":"Say aye in 5 words"}]}')));
  assert.ok(await send('{"messages":[{"content":"Say aye in 5 words","role":"user"}],"temperature":0.5,"model":"assistant"}'));
  assert.ok(await send('{ "temperature": 5e-1, "messages": [ {"role": "user", "content": "Say \\u0061ye in 5 words"} ],\n "model": "assistant" }'));
  assert.ok(await send('{"model":"assistant","user":"u","temperature":0.5,"messages":[{"role":"user","content":"Say aye in 5 words"}],"stream":true}'));
  assert.ok(!(await send('{"model":"assistant","temperature":0.5,"messages":[{"role":"user","content":"Say AYE in 5 words"}]}')));
  assert.equal(await calls(), before + 2);
});

test("an error is never stored: who asks after a 429 or a 500 gets an answer", async () => {
  for (const status of [429, 500])
    for (const stream of [false, true]) {
      const question = { model: stage.chatModel, prompt: `What is wrong with ${status} (${stream})?`, stream };
      const failing = { ...question, headers: { "x-twin-fault": `status=${status}` } }; // all attempts
      await assert.rejects(ask(clients, "chat", failing), (error) => error.status === status);
      assert.ok(!isHit(await ask(clients, "chat", question)));
      assert.ok(isHit(await ask(clients, "chat", question)));
    }
});

test("a stream that was cut is never stored", async () => {
  const question = { model: stage.chatModel, prompt: "Tell me a story of 60 words that is cut.", stream: true };
  await stage.twin.commit(["cut-after=20*1"]);
  await assert.rejects(ask(clients, "chat", question));
  const whole = await ask(clients, "chat", question);
  assert.ok(!isHit(whole));
  const hit = await ask(clients, "chat", question);
  assert.ok(isHit(hit));
  assert.equal(hit.text, whole.text);
});

test("cache-control is the client's word", async () => {
  const question = { model: stage.chatModel, prompt: "What time is it, about?" };
  const saying = (words) => ask(clients, "chat", { ...question, headers: { "cache-control": words } });
  assert.ok(!isHit(await saying("no-store")));
  assert.ok(!isHit(await saying("no-cache")));
  assert.ok(isHit(await saying("max-age=60")));
  assert.ok(!isHit(await saying("no-store")));
  assert.ok(!isHit(await saying("max-age=0")));
});

test("the metrics tell hits, tokens and dollars", async () => {
  const page = await (await fetch(`${stage.gateway.admin}/metrics`)).text();
  const value = (name) => Number(page.match(new RegExp(`^equipoise_cache_${name} ([0-9.]+)$`, "m"))[1]);
  assert.ok(value('lookups_total\\{lever="exact_cache",result="hit"\\}') >= 4);
  assert.ok(value('hit_ratio\\{lever="exact_cache",of="usd"\\}') > 0 && value('hit_ratio\\{lever="exact_cache",of="usd"\\}') < 1);
  assert.ok(value("entries") > 0 && value("bytes") > 0 && value("bytes") <= value("bytes_limit"));
});
