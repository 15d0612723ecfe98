// A cheaper model is asked first, and its answer kept once evidence stands for what passes; else the reference is asked.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { until } from "./harness.mjs";
import { after, equipoise, Gateway, KEY, sha256, test, Twin } from "./stage.mjs";

// What small models say passes, does not, or passes and is wrong. What they were asked is counted.
const asked = {};
const answers = {
  large: (n) => `The answer is ${n}.`,
  small: (n) => (n % 4 === 3 ? "That is beyond me." : `the answer is ${n}`),
  sure: (n) => `The answer is ${Number(n) + 1}.`,
};
let fault; // of the small model: a status, "cut", "gone"
async function serveModel(request, response) {
  let body = "";
  for await (const piece of request) body += piece;
  if (request.method === "GET") return response.end('{"object":"list","data":[]}');
  const { model, messages, stream } = JSON.parse(body);
  const n = messages.at(-1).content.match(/\d+/)[0];
  asked[model] = (asked[model] ?? 0) + 1;
  if (model === "small" && fault === "gone") return request.socket.destroy();
  if (model === "small" && typeof fault === "number") {
    response.writeHead(fault, { "content-type": "application/json" });
    return response.end('{"error":{"message":"not today","type":"server_error"}}');
  }
  const message = { role: "assistant", content: answers[model](n) };
  const usage = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };
  const whole = { id: "c", object: stream ? "chat.completion.chunk" : "chat.completion", created: 1, model };
  if (!stream) {
    const text = JSON.stringify({ ...whole, usage, choices: [{ index: 0, message, finish_reason: "stop" }] });
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
    if (model !== "small" || fault !== "cut") return response.end(text);
    response.write(text.slice(0, text.length / 2));
    return setTimeout(() => request.socket.destroy(), 20);
  }
  response.setHeader("content-type", "text/event-stream");
  for (const choice of [{ delta: message, finish_reason: null }, { delta: {}, finish_reason: "stop" }]) {
    response.write(`data: ${JSON.stringify({ ...whole, choices: [{ index: 0, ...choice }] })}\n\n`);
    if (model === "small" && fault === "cut") return setTimeout(() => request.socket.destroy(), 20);
  }
  response.end(`data: ${JSON.stringify({ ...whole, choices: [], usage })}\n\ndata: [DONE]\n\n`);
}
const server = createServer((request, response) => void serveModel(request, response).catch(() => response.destroy()));
server.listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}`;

// Modelled models that are right about sums: always, mostly, about as often as not. Their answers all pass.
const twin = await Twin.start(["--model", "strong:12,able:5,weak:0"]);
const sums = (candidate) => ({ reference: "twin/strong", candidates: [`twin/${candidate}`], acceptable: { quality: "80%" },
  validate: { regex: "[0-9]" }, judge: { by: "numeric" }, learning: "100%", cascade: { accept: "validators" }, levers: { cascade: "on" } });

const route = (candidate, more = {}) => ({ reference: "alpha/large", candidates: [`beta/${candidate}`], acceptable: { quality: "80%" },
  validate: { regex: "[Tt]he answer is [0-9]+" }, judge: { by: "exact" }, learning: "100%", attempts: 1,
  cascade: { accept: "validators" }, levers: { cascade: "on" }, ...more });
const gateway = await Gateway.start({
  workers: 2,
  backends: { twin: { url: twin.url, models: ["strong", "able", "weak"] }, alpha: { url, models: ["large"] }, beta: { url, models: ["small", "sure"] } },
  routes: { assistant: route("small"), held: route("small", { cascade: { accept: "validators", streams: "hold" } }), sure: route("sure"),
    sums: sums("able"), guesses: sums("weak"),
    shadow: route("small", { levers: { cascade: "shadow" } }) },
  keys: { web: { sha256: sha256(KEY), tenant: "acme" } },
  prices: { override: { "alpha/large": { input: "$2/M", output: "$8/M" }, "twin/strong": { input: "$2/M", output: "$8/M" },
    "twin/able": { input: "$0.1/M", output: "$0.4/M" }, "twin/weak": { input: "$0.1/M", output: "$0.4/M" }, ...Object.fromEntries(["small", "sure"].map((model) => [`beta/${model}`, { input: "$0.02/M", output: "$0.08/M" }])) } },
});
after(async () => {
  await gateway.stop();
  await twin.stop();
  server.closeAllConnections();
  server.close();
});
const { openai } = gateway.clients(KEY, { maxRetries: 0 });

let number = 0;
async function ask(model, { stream = false } = {}) {
  const n = ++number;
  const request = openai.chat.completions.create({ model, stream, messages: [{ role: "user", content: `What is the answer to question ${n}?` }] });
  const { data, response } = await request.withResponse();
  let text = "";
  if (stream) for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? "";
  else text = data.choices[0].message.content;
  return { n, text, by: response.headers.get("x-equipoise-source"), id: response.headers.get("x-equipoise-id"), cost: Number(response.headers.get("x-equipoise-cost-usd")) };
}
async function askMany(model, count, options) {
  const all = [];
  for (let i = 0; i < count; i += 10) all.push(...await Promise.all(Array.from({ length: 10 }, () => ask(model, options))));
  return all;
}
// Asks until something is kept, however fast audits are.
async function earned(model, options) {
  for (let rounds = 0; rounds < 200; rounds++) {
    if ((await askMany(model, 10, options)).some(({ by }) => by === "cascade")) return;
    await gateway.still();
  }
  assert.fail(`${model} earns nothing`);
}
// Drawn by the coin for an audit, so that the reference answers.
const isAudited = async ({ id }) => /asked too, and judged by this answer/.test(JSON.stringify((await gateway.row(id)).plans));
const metric = async (name) => {
  const page = await (await fetch(`${gateway.admin}/metrics`)).text();
  return Number(page.split("\n").find((line) => line.startsWith(`${name} `))?.split(" ").at(-1));
};

test("a smaller model's answer serves once what passes has earned it; what does not pass is the reference's", async () => {
  await earned("assistant");
  const all = await askMany("assistant", 120);
  const isKept = ({ by }) => by === "cascade";
  // The coin takes three of a hundred for audits; it may take its time.
  while (all.every((one) => isKept(one) || one.n % 4 === 3)) {
    all.push(...await askMany("assistant", 20));
    assert.ok(all.length < 2000);
  }
  for (const one of all) {
    assert.match(one.text, new RegExp(`^the answer is ${one.n}\\.?$`, "i"));
    if (isKept(one)) assert.notEqual(one.n % 4, 3);
    else assert.equal(one.by, "reference");
    if (!isKept(one) && one.n % 4 !== 3) assert.ok(await isAudited(one), `question ${one.n} was neither kept nor audited`);
  }
  assert.ok(all.filter(isKept).length > all.length / 2);
  const streamed = await askMany("assistant", 20, { stream: true });
  assert.ok(streamed.every(({ by }) => by === "reference"));
});

test("streams are held where the route says so, and come as streams", async () => {
  await earned("held");
  await gateway.still();
  const all = await askMany("held", 40, { stream: true });
  assert.ok(all.some(({ by }) => by === "cascade") && all.some(({ by, n }) => by === "reference" && n % 4 === 3));
  for (const { n, text } of all) assert.match(text, new RegExp(`^the answer is ${n}\\.?$`, "i"));
});

test("whatever becomes of the first call, the client has the reference's answer", async () => {
  for (fault of [500, 429, 400, "gone", "cut"])
    for (const stream of [false, true]) {
      const all = await askMany("held", 10, { stream });
      assert.ok(all.every(({ by, n, text }) => by === "reference" && text === `The answer is ${n}.`), `fault ${fault}`);
    }
  fault = undefined;
  assert.ok(await metric('equipoise_cascade_answers_total{result="failed"}') > 10);
});

test("what passes and is wrong never serves a single answer", async () => {
  const all = await askMany("sure", 100);
  assert.ok(all.every(({ by }) => by === "reference"));
  await gateway.still();
  assert.ok(asked.sure > 5);
});

async function sum(model) {
  const [a, b] = [1000 + ++number * 7, 100 + number * 3];
  const { data, response } = await openai.chat.completions.create({ model, messages: [{ role: "user", content: `What is ${a} + ${b}? Reply with the number only.` }] }).withResponse();
  return { right: Number(data.choices[0].message.content.match(/-?[0-9]+/g).at(-1)) === a + b, by: response.headers.get("x-equipoise-source") };
}

test("what is kept of modelled models is right as often as the route says; a guesser serves nothing", async () => {
  const of = { sums: [], guesses: [] };
  for (const model of Object.keys(of))
    for (let i = 0; i < 30; i++) of[model].push(...await Promise.all(Array.from({ length: 10 }, () => sum(model))));
  const kept = of.sums.filter(({ by }) => by === "cascade"), right = kept.filter((one) => one.right).length;
  assert.ok(kept.length > 100 && right >= 0.8 * kept.length, `${right} right of ${kept.length} kept`);
  assert.ok(of.guesses.every(({ by }) => by === "reference"));
});

test("metrics tell what has earned its place", async () => {
  await gateway.still();
  assert.equal(await metric('equipoise_cascade_serves{route="assistant",model="beta/small"}'), 1);
  assert.equal(await metric('equipoise_cascade_serves{route="sure",model="beta/sure"}'), 0);
  assert.ok(await metric('equipoise_cascade_labels{route="sure",model="beta/sure"}') >= 5);
  assert.ok(await metric('equipoise_cascade_answers_total{result="rejected"}') > 10);
});

test("in the shadow it learns, and nobody is served by it", async () => {
  const all = await askMany("shadow", 60);
  assert.ok(all.every(({ by }) => by === "reference"));
});

test("the books tell both calls, and come out even", async () => {
  await earned("assistant");
  let found;
  for (let i = 0; found === undefined && i < 200; i++) {
    const answer = await ask("assistant");
    const row = await gateway.row(answer.id);
    if (row.attempt_lines.length === 2) found = { ...answer, row };
  }
  const [one, two] = found.row.attempt_lines;
  assert.deepEqual([one.target, one.state, two.target, two.state], ["beta/small", "rejected", "alpha/large", "ok"]);
  assert.match(one.why, /not accepted/);
  assert.ok(Math.abs(found.cost - Number(one.cost_usd) - Number(two.cost_usd)) < 1e-12 && Number(one.cost_usd) > 0);
  const line = found.row.savings.find(({ lever }) => lever === "cascade");
  assert.equal(Number(line.saved_usd), -Number(one.cost_usd));
  const { stdout } = await gateway.command("explain", found.id);
  assert.match(stdout, /beta\/small +rejected, status 200, .*not accepted: regex/);
  assert.match(stdout, /its answer was not kept/);
  await until("all rows in the report", async () => (await gateway.told("report")).all.rows === number);
  const { look_ups } = await gateway.told("report");
  const first = look_ups.find(({ lever, route }) => lever === "cascade" && route === "assistant");
  assert.ok(first.kept > 60 && first.in_vain > 15 && first.all === first.kept + first.in_vain, JSON.stringify(first));
  assert.ok(Number(first.saved_usd) > 0 && Number(first.in_vain_usd) < 0);
  const report = await gateway.command("report");
  assert.match(report.stdout, /= baseline - cost/);
  assert.match(report.stdout, /Cheaper models asked first: what became of it[^]*kept: \$[^]*in vain: -\$/);
});

test("the switch takes it out at once", async () => {
  assert.equal((await equipoise(["lever", "assistant", "cascade", "off", "--admin", gateway.admin])).code, 0);
  await gateway.still();
  const before = asked.small;
  assert.ok((await askMany("assistant", 20)).every(({ by }) => by === "reference"));
  await gateway.still();
  assert.equal(asked.small, before);
});
