// Does the gateway's memory grow while it serves? A mixed load for SOAK_S seconds (1800): streams, whole answers, clients
// that leave in the middle, repeated requests, wrong keys, bodies that are nonsense, feedback, metrics, reloads.
//
//   EQUIPOISE=build/release/equipoise SOAK_S=1800 node test/soak/memory.mjs
//
// The first third is warm-up: what is bounded has filled by then, the ledger's page cache (16 MiB, four minutes at this load)
// and the answers kept for repetitions. Those are kept for a minute here instead of ten: ten minutes of them are 50 MiB that
// swing with the load, and of one minute 30 generations come and go. After it a line is laid through the samples (least
// squares): it may rise by less than 1 MiB to the end. Counted is memory of the process's own (RssAnon and RssShmem); pages of
// mapped files, the journal's, are told apart: they come and go with its segments, and the kernel may take them back at any time.
import { readFileSync } from "node:fs";
import http from "node:http";
import { Program } from "../e2e/harness.mjs";
import { Gateway, KEY, usualConfig } from "../e2e/stage.mjs";

const SECONDS = Number(process.env.SOAK_S ?? 1800);
const CLIENTS = 24;
const PAUSE_MS = 30; // of each client between two requests: a load that leaves the machine idle most of the time
const RISE_MOST_KIB = 1024;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const below = (n) => Math.floor(Math.random() * n);
const tally = {};

function send(agent, port, { path = "/v1/chat/completions", method = "POST", body, headers = {}, leaves }) {
  return new Promise((done) => {
    const request = http.request({
      agent, port, path, method, host: "127.0.0.1",
      headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json", ...headers },
    }, (response) => {
      response.on("data", () => leaves && request.destroy()).on("error", () => done("left"));
      response.on("end", () => done(response.statusCode)).on("aborted", () => done("left"));
    });
    request.on("error", () => done("left")).end(body);
  });
}

const chat = (stream, tokens) => JSON.stringify({
  model: "assistant", stream, max_completion_tokens: tokens,
  messages: [{ role: "user", content: `Write ${tokens} words. ${"x".repeat(below(2000))}` }],
});

const errands = [
  () => ({ body: chat(false, 20) }),
  () => ({ body: chat(true, 40) }),
  () => ({ body: chat(true, 200), leaves: true }),
  () => ({ body: chat(false, 10), headers: { "idempotency-key": `k${below(1e9)}` } }),
  () => ({ body: chat(true, 10), headers: { "x-equipoise-include": "cost", "x-equipoise-conversation": `c${below(1000)}` } }),
  () => ({ body: chat(false, 5), headers: { authorization: "Bearer wrong" } }),
  () => ({ body: '{"model": ' }),
  () => ({ path: "/v1/models", method: "GET" }),
  () => ({ path: "/v1/feedback", body: JSON.stringify({ id: "1kjme0gre0000", useful: true }) }),
];

async function beClient(port, state) {
  let agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  while (!state.over) {
    const outcome = await send(agent, port, errands[below(errands.length)]());
    tally[outcome] = (tally[outcome] ?? 0) + 1;
    if (below(100) === 0) { // a connection does not last for ever
      agent.destroy();
      agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    }
    await sleep(below(2 * PAUSE_MS));
  }
  agent.destroy();
}

function memoryOf(pid) {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  const kib = (name) => Number(text.match(new RegExp(`^${name}:\\s+(\\d+)`, "m"))[1]);
  return { own: kib("RssAnon") + kib("RssShmem"), mapped: kib("RssFile") };
}

// By how much the line through the points rises from the first to the last.
function rise(points) {
  const mean = (of) => points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const at = mean((p) => p.at), own = mean((p) => p.own);
  const slope = points.reduce((sum, p) => sum + (p.at - at) * (p.own - own), 0) /
    points.reduce((sum, p) => sum + (p.at - at) ** 2, 0);
  return slope * (points.at(-1).at - points[0].at);
}

const twin = new Program("twin", process.env.EQUIPOISE, ["twin", "--port", "0", "--first-token", "20ms", "--per-token", "2ms",
  "--concurrency", "0", "--fault", "status=500:1%,cut-mid-stream:2%"]);
const [twinUrl] = await twin.prints(/http:\/\/127\.0\.0\.1:\d+/);
const gateway = await Gateway.start({ ...usualConfig(twinUrl), idempotency: { keep: "1m" } });
const pid = gateway.program.child.pid;
const port = Number(new URL(gateway.url).port);
const state = { over: false };
const clients = Array.from({ length: CLIENTS }, () => beClient(port, state));
const points = [];
const started = Date.now();

for (let i = 0; Date.now() - started < SECONDS * 1000; i++) {
  await sleep(Math.min(5000, SECONDS * 10));
  const point = { at: (Date.now() - started) / 1000, ...memoryOf(pid) };
  points.push(point);
  if (i % 12 === 11) gateway.program.child.kill("SIGHUP");
  if (i % 6 === 0) await fetch(`${gateway.admin}/metrics`).then((page) => page.text());
  if (process.stderr.isTTY) process.stderr.write(`\r${point.at.toFixed(0)} s: ${(point.own / 1024).toFixed(1)} MiB `);
}
state.over = true;
await Promise.all(clients);

const counted = points.filter((point) => point.at >= SECONDS / 3);
const risen = rise(counted);
const last = counted.at(-1);
await gateway.stop();
await twin.stop();
console.log(`outcomes: ${JSON.stringify(tally)}`);
console.log(`result: memory rose by ${risen.toFixed(0)} KiB in the last ${(last.at - counted[0].at).toFixed(0)} s ` +
  `(at the end ${(last.own / 1024).toFixed(1)} MiB, and ${(last.mapped / 1024).toFixed(1)} MiB of mapped files)`);
process.exit(risen < RISE_MOST_KIB ? 0 : 1);
