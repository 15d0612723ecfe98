// Stored answers that outlive the gateway: over a stop, over kill -9 while their file is written, and what was purged
// stays gone. The backend here numbers its answers and says in each what it was asked, so that a wrong or a purged one
// cannot pass for a right one.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { until } from "./harness.mjs";
import { pico } from "./speak.mjs";
import { after, equipoise, Gateway, KEY, sha256, test } from "./stage.mjs";

const KILLS = Number(process.env.CACHE_KILLS ?? 10);
const QUESTIONS = 80; // of clients under load
const BATCH = "sk-e2e-of-the-batch-jobs-0123456789";
const RIVAL = "sk-e2e-of-another-tenant-0123456789";
const USAGE = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const below = (n) => Math.floor(Math.random() * n);

// The backend. A question's number decides how long its answer is, from a line to some KiB.
let serial = 0;
const answerTo = (question, number) => `${number}: ${question} ${"so it is. ".repeat((Number(question.match(/\d+/)) * 37) % 600)}`;

async function serveModel(request, response) {
  let body = "";
  for await (const piece of request) body += piece;
  if (request.method === "GET") return response.end('{"object":"list","data":[]}');
  const asked = JSON.parse(body);
  const text = answerTo(asked.messages[0].content, ++serial);
  const common = { id: `c${serial}`, created: 1, model: asked.model };
  if (!asked.stream) {
    response.setHeader("content-type", "application/json");
    return response.end(JSON.stringify({ ...common, object: "chat.completion", usage: USAGE,
      choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }] }));
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (fields) => response.write(`data: ${JSON.stringify({ ...common, object: "chat.completion.chunk", ...fields })}\n\n`);
  for (let at = 0; at < text.length; at += 500) send({ choices: [{ index: 0, delta: { content: text.slice(at, at + 500) } }] });
  send({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
  send({ choices: [], usage: USAGE });
  response.end("data: [DONE]\n\n");
}

const server = createServer((request, response) => void serveModel(request, response).catch(() => response.destroy()));
server.listen(0, "127.0.0.1");
await once(server, "listening");
after(() => (server.closeAllConnections(), server.close()));

const price = { input: "$2/M", output: "$8/M" };
const route = (reference) => ({ reference, repeatable: true, levers: { exact_cache: "on" } });

function configured(cache) {
  const url = `http://127.0.0.1:${server.address().port}`;
  return {
    workers: 2, cache,
    backends: { alpha: { url, models: ["m"] }, beta: { url, models: ["m"] } },
    routes: { assistant: route("alpha/m"), helper: route("beta/m") },
    keys: { web: { sha256: sha256(KEY), tenant: "acme" }, batch: { sha256: sha256(BATCH), tenant: "acme" },
      rival: { sha256: sha256(RIVAL), tenant: "globex" } },
    prices: { override: { "alpha/m": price, "beta/m": price } },
  };
}

const opened = [];
after(() => Promise.all(opened.map((gateway) => gateway.program.over || gateway.stop())));
async function open(cache = { path: "answers.cache" }) {
  const gateway = await Gateway.start(configured(cache));
  opened.push(gateway);
  return gateway;
}

async function restart(gateway) {
  await gateway.stop();
  await gateway.launch();
}

// Resolves to { hit, number, id } of an answer that is right, whole and to this question.
async function ask(gateway, question, { key = KEY, model = "assistant", stream = false } = {}) {
  const response = await fetch(`${gateway.url}/v1/chat/completions`, { method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model, stream, messages: [{ role: "user", content: question }] }) });
  const body = await response.text();
  assert.equal(response.status, 200, body);
  const events = stream && body.split("\n").filter((line) => line.startsWith("data: {")).map((line) => JSON.parse(line.slice(6)));
  if (stream) assert.ok(body.endsWith("data: [DONE]\n\n"));
  const text = stream ? events.map((event) => event.choices[0]?.delta.content ?? "").join("") : JSON.parse(body).choices[0].message.content;
  const number = Number(text.match(/^\d+/)?.[0]);
  assert.equal(text, answerTo(question, number));
  return { hit: response.headers.get("x-equipoise-source") === "cached", number, id: response.headers.get("x-equipoise-id") };
}

async function told(gateway, ...args) {
  const { code, stdout, stderr } = await equipoise(["cache", ...args, "--json", "--admin", gateway.admin]);
  assert.equal(code, 0, stderr);
  return { ...JSON.parse(stdout), saved_usd: stdout.match(/"saved_usd":"?([0-9.]+)/)[1] };
}

test("what was stored is there again after a stop and a start", async () => {
  const gateway = await open();
  const bought = [];
  for (let i = 0; i < 20; i++) bought.push((await ask(gateway, `Question ${i}?`, { stream: i % 2 === 0 })).number);
  await restart(gateway);
  const calls = serial;
  for (let i = 0; i < 20; i++) {
    const { hit, number } = await ask(gateway, `Question ${i}?`, { stream: i % 3 === 0 });
    assert.ok(hit, `question ${i}`);
    assert.equal(number, bought[i]);
  }
  assert.ok(!(await ask(gateway, "Question 0?", { key: RIVAL })).hit);
  assert.equal(serial, calls + 1);
  const { entries, file } = await told(gateway, "stats");
  assert.equal(entries, 21);
  assert.deepEqual([file.loaded, file.damaged, file.failed], [20, 0, 0]);
});

test("cache stats counts look-ups, entries and the money saved", async () => {
  const gateway = await open({});
  const bought = await ask(gateway, "Question 1?");
  const hits = [await ask(gateway, "Question 1?"), await ask(gateway, "Question 1?", { stream: true })];
  await ask(gateway, "Question 2?", { stream: true });
  await ask(gateway, "Question 1?", { key: RIVAL });
  assert.ok(hits.every(({ hit }) => hit));
  const paid = pico((await gateway.row(bought.id)).cost_usd);
  for (const { id } of hits) assert.equal(pico((await gateway.row(id)).baseline_usd), paid);
  const stats = await told(gateway, "stats");
  assert.deepEqual([stats.hits, stats.misses, stats.stored, stats.entries], [2, 3, 3, 3]);
  assert.deepEqual([stats.refused, stats.evicted, stats.expired, stats.purged], [0, 0, 0, 0]);
  assert.equal(pico(stats.saved_usd), 2n * paid);
  assert.ok(stats.bytes > 0 && stats.bytes < stats.bytes_most);
  assert.equal(stats.file, null);
  const plain = await equipoise(["cache", "stats", "--admin", gateway.admin]);
  assert.match(plain.stdout, /entries   3 in \d+ of \d+ bytes\nlook-ups  5, of which 2 found an answer/);
});

test("a purge drops what it names and nothing else, in memory and for good", async () => {
  const gateway = await open();
  const asks = [["web", KEY], ["batch", BATCH], ["rival", RIVAL]].flatMap(([name, key]) =>
    ["assistant", "helper"].map((model) => [`Question 3 of ${name}?`, { key, model }]));
  for (const [question, how] of asks) assert.ok(!(await ask(gateway, question, how)).hit);
  const purge = async (dropped, entries, ...what) => {
    const stats = await told(gateway, "purge", ...what);
    assert.deepEqual([stats.dropped, stats.entries, stats.on_disk, stats.recorded], [dropped, entries, true, true], what.join(" "));
  };
  await purge(0, 6, "--tenant", "nobody");
  await purge(2, 4, "--key", "batch");
  await purge(2, 2, "--model", "beta/m");
  await purge(1, 1, "--tenant", "globex");
  await restart(gateway);
  assert.equal((await told(gateway, "stats")).entries, 1);
  assert.ok((await ask(gateway, ...asks[0])).hit);
  for (const [question, how] of asks.slice(1)) assert.ok(!(await ask(gateway, question, how)).hit, JSON.stringify([question, how.model]));
  await purge(3, 3, "--route", "helper");
  await purge(3, 0, "--all");
  await restart(gateway);
  assert.equal((await told(gateway, "stats")).entries, 0);
  for (const [question, how] of asks) assert.ok(!(await ask(gateway, question, how)).hit);
});

test("a file that was damaged is read as far as it is whole", async () => {
  const gateway = await open();
  const path = join(gateway.folder, "answers.cache");
  for (let i = 0; i < 30; i++) await ask(gateway, `Question ${i}?`);
  await gateway.stop();
  const bytes = readFileSync(path);
  for (let i = 0; i < 5; i++) bytes[64 + below(bytes.length - 64)] ^= 1 + below(255);
  writeFileSync(path, bytes.subarray(0, bytes.length - 10));
  await gateway.launch();
  const { entries, file } = await told(gateway, "stats");
  assert.ok(file.damaged > 0);
  assert.ok(entries >= 24 && entries < 30, `${entries} entries`);
  let hits = 0;
  for (let i = 0; i < 30; i++) hits += (await ask(gateway, `Question ${i}?`)).hit;
  assert.equal(hits, entries);
});

// Clients ask few questions again and again, in two tenants; all that one of them stored is purged every now and then.
class Load {
  over = false;
  hits = 0;
  asked = 0;
  wrong = [];

  constructor(gateway, state) {
    Object.assign(this, { gateway, state });
    this.all = [...Array.from({ length: 6 }, () => this.#client()), this.#purger()];
  }

  // What fails while the gateway is killed says nothing; an answer that is wrong always does.
  async #client() {
    while (!this.over) {
      const key = [KEY, RIVAL][below(2)];
      const least = key === RIVAL ? this.state.purged : 0;
      const answer = await ask(this.gateway, `Question ${below(QUESTIONS)}?`, { key, stream: below(2) === 0 }).catch((error) => this.#failed(error));
      if (!answer) continue;
      this.asked++;
      this.hits += answer.hit;
      if (answer.hit && answer.number <= least) this.wrong.push(`answer ${answer.number} of ${least} that were purged`);
    }
  }

  #failed(error) {
    if (!this.over && error.code === "ERR_ASSERTION") this.wrong.push(error.message);
    return null;
  }

  async #purger() {
    while (!this.over) {
      await sleep(below(600));
      const before = serial;
      const response = await fetch(`${this.gateway.admin}/cache`, { method: "POST", headers: { "content-type": "application/json" },
        body: JSON.stringify({ purge: "tenant", name: "globex" }) }).catch(() => null);
      const answer = await response?.json().catch(() => null);
      if (answer?.on_disk) this.state.purged = before;
    }
  }

  async stop() {
    this.over = true;
    await Promise.all(this.all);
    assert.deepEqual(this.wrong, []);
  }
}

test(`${KILLS} times kill -9 while the file is written: it starts, serves, and never gives a wrong or purged answer`, { timeout: 600_000 }, async (context) => {
  const gateway = await open();
  const state = { purged: 0 };
  const sums = { asked: 0, hits: 0, loaded: 0, damaged: 0 };
  for (let round = 0; round < KILLS; round++) {
    const load = new Load(gateway, state);
    await sleep(200 + below(1000));
    gateway.program.child.kill("SIGKILL");
    load.over = true;
    await load.stop();
    await gateway.program.end();
    await gateway.launch();
    const { file } = await told(gateway, "stats");
    for (let i = 0; i < QUESTIONS; i++) {
      const { hit, number } = await ask(gateway, `Question ${i}?`, { key: RIVAL });
      assert.ok(!hit || number > state.purged, `answer ${number} is back, and those up to ${state.purged} were purged`);
    }
    for (const name of ["loaded", "damaged"]) sums[name] += file[name];
    for (const name of ["asked", "hits"]) sums[name] += load[name];
  }
  assert.ok(state.purged > 0 && sums.hits > 0);
  assert.ok(sums.loaded > KILLS, "what was written is there again");
  context.diagnostic(`${KILLS} kills, ${sums.asked} right answers, ${sums.hits} of them stored ones; ` +
    `${sums.loaded} entries found again, ${sums.damaged} damaged places left out`);
});

// Two ways to ask the same; what the turn means is kept with the answer, its words are not.
test("an answer is found by its turn again after a stop, and after kill -9; what was purged is not", async () => {
  const [reset, forgot, lost] = ["How do I reset the password of my account?", "I forgot the password of my account, how do I reset it?",
    "The password of my account is lost, how can I reset it?"];
  const config = configured({ path: "answers.cache" });
  Object.assign(config.routes.assistant, { acceptable: { quality: "80%" }, semantic_cache: { judge: "exact" }, levers: { semantic_cache: "on" } });
  const gateway = await Gateway.start(config);
  opened.push(gateway);
  const became = async (question) => (await gateway.row((await ask(gateway, question)).id)).look_ups;
  const metric = async (name) => Number((await (await fetch(`${gateway.admin}/metrics`)).text()).match(new RegExp(`^${name} (\\d+)$`, "m"))[1]);
  assert.equal(await became(reset), "semantic_cache=miss");
  await restart(gateway);
  assert.equal(await metric("equipoise_semantic_turns"), 1);
  assert.equal(await became(forgot), "semantic_cache=unearned", "found, and nothing is earned yet");
  await ask(gateway, "Question 1?", { key: RIVAL, model: "helper" }); // is written behind it, answer and turn
  await until("both to be written since this start", async () => (await told(gateway, "stats")).file.written === 2);
  gateway.program.child.kill("SIGKILL");
  await gateway.program.end();
  await gateway.launch();
  const { file } = await told(gateway, "stats");
  assert.deepEqual([file.loaded, file.damaged], [3, 0]);
  assert.equal(await metric("equipoise_semantic_turns"), 2);
  assert.equal(await became(lost), "semantic_cache=unearned");
  assert.equal((await told(gateway, "purge", "--tenant", "acme")).dropped, 3);
  assert.equal(await metric("equipoise_semantic_turns"), 0);
  await restart(gateway);
  assert.equal(await metric("equipoise_semantic_turns"), 0);
  assert.equal(await became(forgot), "semantic_cache=miss");
});
