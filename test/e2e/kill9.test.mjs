// kill -9 of the real server under load, over and over: afterwards the ledger must say what the backends saw.
//
//   KILLS=200 EQUIPOISE=build/release/equipoise test/e2e/run.sh kill9.test.mjs
//
// Each round: start the gateway, let clients ask (the official SDK and plain HTTP, streams and whole answers), kill it at
// a random moment, start the next on what it left. Two recording backends, of which the first often fails, so that
// requests have several attempts. Every request carries a mark, in its body and as a tag. Then:
//
//   - a request that a backend saw has exactly one row
//   - a client that had its whole answer has a settled row, at the price of the backend's usage
//   - what was under way is in state "unknown", charged at its estimate and what its failed attempts cost
//   - the sums that reports read are those of the rows
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import http, { createServer } from "node:http";
import { join } from "node:path";
import OpenAI from "openai";
import { Program, until } from "./harness.mjs";
import { KEY, freePort, scratch, sha256, test } from "./stage.mjs";

const ROUNDS = Number(process.env.KILLS ?? 5);
const ROUNDS_PER_LEDGER = 10; // then a new one: every request is a tag of its own, which a ledger is not made for
const CLIENTS = 16;
const USAGE = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };
const PICO = { alpha: { input: 2_000_000, output: 8_000_000 }, beta: { input: 3_000_000, output: 12_000_000 } };
const costAt = (backend) => USAGE.prompt_tokens * PICO[backend].input + USAGE.completion_tokens * PICO[backend].output;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const below = (n) => Math.floor(Math.random() * n);

// What the backends saw: mark -> [{ backend, failed }].
const seen = new Map();

const chunk = (fields) => `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", ...fields })}\n\n`;

async function stream(response) {
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (let i = 0; i < 10; i++) {
    response.write(chunk({ choices: [{ index: 0, delta: { content: `w${i} ` } }] }));
    await sleep(below(15));
  }
  response.write(chunk({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }));
  response.write(chunk({ choices: [], usage: USAGE }));
  response.end("data: [DONE]\n\n");
}

async function answer(backend, request, response) {
  let body = "";
  for await (const piece of request) body += piece;
  if (request.method === "GET") return response.end('{"object":"list","data":[]}'); // the gateway looks for models
  const asked = JSON.parse(body);
  const failed = backend === "alpha" && below(4) === 0;
  if (!seen.has(asked.user)) seen.set(asked.user, []);
  seen.get(asked.user).push({ backend, failed });
  await sleep(below(60));
  if (failed) return response.writeHead(503).end('{"error":{"message":"overloaded"}}');
  if (asked.stream) return stream(response);
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({
    id: "c", object: "chat.completion", created: 1, model: "m", usage: USAGE,
    choices: [{ index: 0, message: { role: "assistant", content: "yes" }, finish_reason: "stop" }],
  }));
}

async function startBackend(name) {
  const server = createServer((request, response) => void answer(name, request, response).catch(() => response.destroy()));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.unref();
  return `http://127.0.0.1:${server.address().port}`;
}

function writeConfig(file, ports, urls) {
  writeFileSync(file, JSON.stringify({
    listen: `127.0.0.1:${ports[0]}`, admin: `127.0.0.1:${ports[1]}`, data: "data", workers: 3,
    backends: { alpha: { url: urls[0], models: ["m"] }, beta: { url: urls[1], models: ["m"] } },
    routes: { assistant: { reference: "alpha/m", candidates: ["beta/m"], levers: { alternatives: "on" } } },
    keys: { web: { sha256: sha256(KEY), tenant: "acme" } },
    prices: { override: { "alpha/m": { input: "$2/M", output: "$8/M" }, "beta/m": { input: "$3/M", output: "$12/M" } } },
  }));
}

// Clients. Each says whether it had its whole answer.

async function askBySdk(sdk, mark, streamed) {
  const headers = { "x-equipoise-tags": `mark=${mark}` };
  const body = { model: "assistant", user: mark, stream: streamed, messages: [{ role: "user", content: "go on" }] };
  const given = await sdk.chat.completions.create(body, { headers });
  if (!streamed) return given.usage.total_tokens === USAGE.total_tokens;
  let finished = false;
  for await (const event of given) finished ||= event.choices[0]?.finish_reason === "stop";
  return finished;
}

function askPlainly(agent, port, mark, streamed) {
  return new Promise((done) => {
    const body = JSON.stringify({ model: "assistant", user: mark, stream: streamed, messages: [{ role: "user", content: "go on" }] });
    const request = http.request({
      agent, host: "127.0.0.1", port, path: "/v1/chat/completions", method: "POST",
      headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json", "x-equipoise-tags": `mark=${mark}` },
    }, (response) => {
      let text = "";
      response.on("data", (piece) => (text += piece)).on("error", () => done(false)).on("aborted", () => done(false));
      response.on("end", () => done(response.statusCode === 200 && (!streamed || text.endsWith("data: [DONE]\n\n"))));
    });
    request.on("error", () => done(false)).end(body);
  });
}

async function beClient(number, round, port, state) {
  const sdk = new OpenAI({ apiKey: KEY, baseURL: `http://127.0.0.1:${port}/v1`, maxRetries: 0 });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (let i = 0; !state.over; i++) {
    const mark = `r${round}-c${number}-n${i}`;
    const streamed = below(2) === 0;
    const ask = number % 2 === 0 ? askBySdk(sdk, mark, streamed) : askPlainly(agent, port, mark, streamed);
    if (await ask.catch(() => false)) state.answered.add(mark);
  }
  agent.destroy();
}

// The ledger

const READ = `
import json, sqlite3, sys
db = sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True)
rows = db.execute("SELECT tags, state, cost, reserved_estimate, attempts, backend FROM requests")
print(json.dumps([dict(zip(["tags", "state", "cost", "estimate", "attempts", "backend"], row)) for row in rows]))
`;

function readRows(folder) {
  const rows = JSON.parse(execFileSync("python3", ["-c", READ, join(folder, "data", "ledger.db")], { maxBuffer: 1 << 28 }));
  const byMark = new Map();
  for (const row of rows) {
    const mark = row.tags?.match(/mark=(\S+)/)?.[1];
    assert.ok(mark, `a row without a mark: ${JSON.stringify(row)}`);
    assert.ok(!byMark.has(mark), `two rows of ${mark}`);
    byMark.set(mark, row);
  }
  return byMark;
}

const tally = { requests: 0, answered: 0, unknown: 0, retried: 0 };

function check(rows, answered) {
  let sum = 0;
  for (const [mark, calls] of seen) {
    const row = rows.get(mark);
    assert.ok(row, `a backend saw ${mark}, and there is no row`);
    tally.requests++;
    tally.retried += calls.length > 1;
    if (answered.has(mark)) {
      tally.answered++;
      assert.equal(row.state, "ok", mark);
      assert.equal(row.attempts, calls.length, mark);
      assert.equal(row.cost, costAt(calls.at(-1).backend), mark);
    } else if (row.state === "unknown") {
      tally.unknown++;
      assert.equal(row.cost, row.estimate, mark); // the failed attempts cost nothing
    }
    assert.ok(row.attempts >= calls.length, `${mark}: ${row.attempts} attempts, ${calls.length} seen`);
  }
  for (const mark of answered) assert.ok(seen.has(mark), mark);
  for (const row of rows.values()) sum += row.cost;
  return sum;
}

function checkReport(folder, rows, sum) {
  const report = JSON.parse(execFileSync(process.env.EQUIPOISE,
    ["report", "--config", join(folder, "equipoise.yaml"), "--since", "1d", "--json"], { maxBuffer: 1 << 28 }));
  assert.equal(report.all.rows, rows.size);
  assert.equal(Math.round(Number(report.all.cost_usd) * 1e12), sum);
}

// Rounds

async function serve(folder) {
  const program = new Program("gateway", process.env.EQUIPOISE, ["serve", "--config", join(folder, "equipoise.yaml")], { cwd: folder });
  await program.prints(/serves on/);
  return program;
}

async function killRound(folder, round, port, answered) {
  const program = await serve(folder);
  const state = { over: false, answered };
  const before = seen.size;
  const clients = Array.from({ length: CLIENTS }, (_, number) => beClient(number, round, port, state));
  await until("requests to be under way", () => seen.size > before + CLIENTS / 2);
  await sleep(below(700));
  program.child.kill("SIGKILL");
  state.over = true;
  await Promise.all(clients);
  await program.end();
}

async function oneLedger(first, count, urls) {
  const folder = scratch();
  const ports = [await freePort(), await freePort()];
  const answered = new Set();
  seen.clear();
  writeConfig(join(folder, "equipoise.yaml"), ports, urls);
  for (let i = 0; i < count; i++) {
    await killRound(folder, first + i, ports[0], answered);
    if (process.stderr.isTTY) process.stderr.write(`\r${first + i + 1} of ${ROUNDS} kills `);
  }
  const last = await serve(folder); // takes over what the last kill left
  await last.stop();
  const rows = readRows(folder);
  checkReport(folder, rows, check(rows, answered));
  rmSync(folder, { recursive: true, force: true });
}

test(`${ROUNDS} times kill -9 under load: the ledger is what the backends saw`, { timeout: 890_000 }, async (context) => {
  const urls = [await startBackend("alpha"), await startBackend("beta")];
  for (let round = 0; round < ROUNDS; round += ROUNDS_PER_LEDGER)
    await oneLedger(round, Math.min(ROUNDS_PER_LEDGER, ROUNDS - round), urls);
  assert.ok(tally.unknown > 0, "no kill struck a request under way");
  context.diagnostic(`${ROUNDS} kills, ${tally.requests} requests seen by backends: ${tally.answered} answered, ` +
    `${tally.unknown} unknown, ${tally.retried} retried; each has one row`);
});
