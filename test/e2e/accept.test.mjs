// What a cascade keeps where no validator tells: by how sure a model was of its words, by whether it says the same again; and
// several models one after another.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { until } from "./harness.mjs";
import { after, Gateway, KEY, sha256, test } from "./stage.mjs";

// Of four questions the small models know three. Of the fourth `sure` says so by its logprobs, and `same` says something else
// each time; `mute` has no logprobs, `prim` refuses to tell any. `mini` knows half of ten, `midi` nine of them, and both say so.
const asked = {}, bodies = [];
let calls = 0;
const knows = { large: () => true, mini: (n) => n % 10 < 5, midi: (n) => n % 10 < 9 };
const isSure = (model, n) => (knows[model] ?? (() => n % 4 !== 3))(n);
const textOf = (model, n) => model in knows && !isSure(model, n) ? "That is beyond me." : `The answer is ${isSure(model, n) ? n : n + 1 + (model === "same" ? calls : 0)}.`;

function tokens(model, n, text) {
  const logprob = isSure(model, n) ? -0.05 : -1.2;
  return text.split(/(?<= )/).map((token) => ({ token, logprob, bytes: [...Buffer.from(token)], top_logprobs: [] }));
}
function* chat(body, text, list) {
  const whole = { id: "c", object: body.stream ? "chat.completion.chunk" : "chat.completion", created: 1, model: body.model };
  const usage = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };
  const logprobs = list && { content: list, refusal: null };
  if (!body.stream)
    return yield { ...whole, usage, choices: [{ index: 0, message: { role: "assistant", content: text, refusal: null }, logprobs: logprobs ?? null, finish_reason: "stop" }] };
  for (const [i, content] of text.split(/(?<= )/).entries())
    yield { ...whole, choices: [{ index: 0, delta: { role: "assistant", content }, logprobs: list ? { content: [list[i]], refusal: null } : null, finish_reason: null }] };
  yield { ...whole, choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: "stop" }] };
  yield { ...whole, choices: [], usage };
}
function* response(body, text, list) {
  const part = { type: "output_text", text, annotations: [], logprobs: list ?? [] };
  const item = { id: "m", type: "message", role: "assistant", status: "completed", content: [part] };
  const whole = { id: "r", object: "response", created_at: 1, status: "completed", model: body.model, output: [item], parallel_tool_calls: true, tool_choice: "auto", tools: [],
    usage: { input_tokens: 100, input_tokens_details: { cached_tokens: 0 }, output_tokens: 20, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: 120 } };
  if (!body.stream) return yield whole;
  const at = { item_id: "m", output_index: 0, content_index: 0 };
  yield { type: "response.created", sequence_number: 0, response: { ...whole, status: "in_progress", output: [] } };
  yield { type: "response.output_item.added", sequence_number: 1, output_index: 0, item: { ...item, content: [] } };
  yield { type: "response.content_part.added", sequence_number: 2, ...at, part: { ...part, text: "", logprobs: [] } };
  for (const [i, delta] of text.split(/(?<= )/).entries())
    yield { type: "response.output_text.delta", sequence_number: 3 + i, ...at, delta, logprobs: list ? [list[i]] : [] };
  yield { type: "response.output_text.done", sequence_number: 20, ...at, text, logprobs: list ?? [] };
  yield { type: "response.content_part.done", sequence_number: 21, ...at, part };
  yield { type: "response.output_item.done", sequence_number: 22, output_index: 0, item };
  yield { type: "response.completed", sequence_number: 23, response: whole };
}
async function serveModel(request, answer) {
  let text = "";
  for await (const piece of request) text += piece;
  if (request.method === "GET") return answer.end('{"object":"list","data":[]}');
  const body = JSON.parse(text), isChat = request.url.endsWith("/chat/completions"), { model } = body;
  const n = Number(JSON.stringify(body.messages ?? body.input).match(/question (\d+)/)[1]);
  asked[model] = (asked[model] ?? 0) + 1;
  calls++;
  bodies.push(text);
  const wants = isChat ? body.logprobs === true : body.include?.includes("message.output_text.logprobs");
  if (wants && model === "prim") {
    answer.writeHead(403, { "content-type": "application/json" });
    return answer.end('{"error":{"message":"You are not allowed to request logprobs from this model","type":"invalid_request_error"}}');
  }
  const said = textOf(model, n);
  const pieces = [...(isChat ? chat : response)(body, said, wants && model !== "mute" ? tokens(model, n, said) : undefined)];
  if (!body.stream) {
    answer.setHeader("content-type", "application/json");
    return answer.end(JSON.stringify(pieces[0]));
  }
  answer.setHeader("content-type", "text/event-stream");
  for (const piece of pieces) answer.write(`${piece.type ? `event: ${piece.type}\n` : ""}data: ${JSON.stringify(piece)}\n\n`);
  answer.end(isChat ? "data: [DONE]\n\n" : "");
}
const server = createServer((request, answer) => void serveModel(request, answer).catch(() => answer.destroy()));
server.listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}`;

const small = ["sure", "same", "mute", "prim", "mini", "midi"];
const route = (candidates, cascade, more = {}) => ({ reference: "alpha/large", candidates: candidates.map((model) => `beta/${model}`), attempts: 1,
  acceptable: { quality: "80%" }, judge: { by: "exact" }, learning: "100%", cascade: { streams: "hold", ...cascade }, levers: { cascade: "on" }, ...more });
const gateway = await Gateway.start({
  workers: 2,
  backends: { alpha: { url, models: ["large"] }, beta: { url, models: small } },
  routes: { words: route(["sure"], { accept: "logprobs" }), again: route(["same"], { accept: "self_consistency", agree: "numeric", samples: 3 }),
    mute: route(["mute"], { accept: "logprobs" }), prim: route(["prim"], { accept: "logprobs" }), chain: route(["midi", "mini"], { accept: "validators" }, { validate: { regex: "answer is" }, acceptable: { quality: "60%" } }) },
  keys: { web: { sha256: sha256(KEY), tenant: "acme" } },
  prices: { override: { "alpha/large": { input: "$20/M", output: "$80/M" }, "beta/midi": { input: "$0.2/M", output: "$0.8/M" },
    ...Object.fromEntries(small.filter((model) => model !== "midi").map((model) => [`beta/${model}`, { input: "$0.02/M", output: "$0.08/M" }])) } },
});
after(async () => {
  await gateway.stop();
  server.closeAllConnections();
  server.close();
});
const { openai, anthropic } = gateway.clients(KEY, { maxRetries: 0 });

let number = 0;
const told = (response) => ({ by: response.headers.get("x-equipoise-source"), id: response.headers.get("x-equipoise-id"), model: response.headers.get("x-equipoise-model") });
async function ask(model, { stream = false, ...more } = {}) {
  const n = ++number;
  const request = openai.chat.completions.create({ model, stream, ...more, messages: [{ role: "user", content: `What is the answer to question ${n}?` }] });
  const { data, response } = await request.withResponse();
  const choices = [];
  if (stream) for await (const chunk of data) choices.push(...chunk.choices);
  else choices.push(data.choices[0]);
  const text = choices.map((choice) => (choice.delta ?? choice.message).content ?? "").join("");
  const tellsNone = choices.every(({ logprobs }) => logprobs === null);
  return { n, text, tellsNone, ...told(response) };
}
async function respond(model, stream) {
  const n = ++number;
  const { data, response } = await openai.responses.create({ model, stream, input: `What is the answer to question ${n}?` }).withResponse();
  let whole = data, tellsNone = true;
  if (stream)
    for await (const event of data) {
      tellsNone &&= (event.logprobs ?? event.part?.logprobs ?? []).length === 0;
      if (event.type === "response.completed") whole = event.response;
    }
  tellsNone &&= whole.output[0].content[0].logprobs.length === 0;
  return { n, text: whole.output[0].content[0].text, tellsNone, ...told(response) };
}
async function askMany(count, one) {
  const all = [];
  for (let i = 0; i < count; i += 10) all.push(...await Promise.all(Array.from({ length: 10 }, one)));
  return all;
}
// Asks until something is kept, however fast audits are.
async function earned(one, isEnough = ({ by }) => by === "cascade") {
  for (let rounds = 0; rounds < 200; rounds++) {
    if ((await askMany(20, one)).some(isEnough)) return gateway.still();
    await gateway.still();
  }
  return assert.fail("nothing is earned");
}

test("a small model's answer is kept by how sure it was of its words, and its client sees nothing of that", async () => {
  for (const one of [() => ask("words"), () => ask("words", { stream: true }), () => respond("words", false), () => respond("words", true)]) {
    await earned(one);
    const all = await askMany(80, one);
    assert.ok(all.filter(({ by }) => by === "cascade").length > 25);
    for (const { n, text, by, tellsNone } of all) {
      assert.equal(text, `The answer is ${n}.`);
      assert.ok(tellsNone);
      if (n % 4 === 3) assert.equal(by, "reference");
    }
  }
  assert.ok(bodies.some((body) => body.startsWith('{"logprobs":true,"model":"sure"')));
});

test("a request of another API is scored by them, too", async () => {
  const one = async () => {
    const n = ++number;
    const { data, response } = await anthropic.messages.create({ model: "words", max_tokens: 90, messages: [{ role: "user", content: `What is the answer to question ${n}?` }] }).withResponse();
    assert.equal(data.content[0].text, `The answer is ${n}.`);
    return { n, ...told(response) };
  };
  await earned(one);
  assert.ok((await askMany(40, one)).every(({ n, by }) => n % 4 !== 3 || by === "reference"));
});

test("who asks for logprobs has them", async () => {
  const all = await askMany(40, () => ask("words", { logprobs: true }));
  assert.ok(all.some(({ by }) => by === "cascade") && all.every(({ by, tellsNone }) => by !== "cascade" || !tellsNone));
});

test("a backend that has none is left alone, and explain says why", async () => {
  for (const model of ["mute", "prim"]) {
    const all = [];
    for (let i = 0; i < 6; i++, await gateway.still()) all.push(...await askMany(10, () => ask(model)));
    assert.ok(all.every(({ by, text, n }) => by === "reference" && text === `The answer is ${n}.`));
    assert.ok(asked[model] >= 1 && asked[model] < 30, `${asked[model]} asked`);
    assert.match((await gateway.command("explain", (await ask(model)).id)).stdout, /nothing would tell whether to keep its answer.*told no logprobs/);
  }
});

test("an answer is kept where it says the same again; each time it was asked is in the books", async () => {
  const one = () => ask("again", { temperature: 0.8 });
  await earned(one);
  const all = await askMany(80, one);
  const kept = all.filter(({ by }) => by === "cascade");
  assert.ok(kept.length > 25);
  for (const { n, text, by } of all) {
    assert.equal(text, `The answer is ${n}.`);
    if (n % 4 === 3) assert.equal(by, "reference");
  }
  const { n, id } = kept[0];
  const sent = bodies.filter((body) => JSON.parse(body).model === "same" && body.includes(`question ${n}?`));
  assert.equal(sent.length, 3);
  assert.ok(sent.every((body) => body === sent[0]));
  const { stdout } = await gateway.command("explain", id);
  assert.match(stdout, /acceptance score 1\.000, at least/);
  await until("all rows in the report", async () => (await gateway.told("report")).all.rows === number);
  const { look_ups } = await gateway.told("report");
  const first = look_ups.find(({ lever, route }) => lever === "cascade" && route === "again");
  assert.ok(first.kept >= kept.length && Number(first.saved_usd) > 0 && Number(first.in_vain_usd) < 0, JSON.stringify(first));
  const page = await (await fetch(`${gateway.admin}/metrics`)).text();
  assert.ok(Number(page.match(/equipoise_own_calls_total\{kind="sample"\} (\d+)/)[1]) >= 2 * kept.length);
});

test("who wants one answer is not asked to be answered thrice", async () => {
  await gateway.still();
  const before = asked.same;
  const all = await askMany(20, () => ask("again", { temperature: 0 }));
  assert.ok(all.every(({ by }) => by === "reference"));
  assert.equal(asked.same, before);
  assert.match((await gateway.command("explain", all[0].id)).stdout, /would only repeat itself/);
});

test("one model after another is asked, and each keeps what it knows", async () => {
  const one = () => ask("chain");
  await earned(one, ({ model }) => model === "beta/midi");
  await earned(one, ({ model }) => model === "beta/mini");
  let handedOn;
  await until("and the second what it hands on", async () => {
    handedOn = undefined;
    for (const answer of await askMany(50, one))
      if (answer.model === "beta/midi" && (await gateway.row(answer.id)).attempt_lines.length === 2) handedOn = answer;
    return handedOn !== undefined;
  }, 480_000);
  const all = await askMany(60, one);
  for (const { n, text, model } of all) {
    assert.equal(text, `The answer is ${n}.`);
    assert.ok(isSure(model.split("/")[1], n));
  }
  const { attempt_lines: lines } = await gateway.row(handedOn.id);
  assert.deepEqual(lines.map(({ target, state }) => [target, state]), [["beta/mini", "rejected"], ["beta/midi", "ok"]]);
  assert.match((await gateway.command("explain", handedOn.id)).stdout, /expected to go on to beta\/midi/);
});

test("several answers are the reference's, and explain says why", async () => {
  const { id, by } = await ask("words", { n: 2 }).catch(() => assert.fail("refused"));
  assert.equal(by, "reference");
  assert.match((await gateway.command("explain", id)).stdout, /it asks for several answers/);
});
