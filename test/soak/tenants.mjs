// Does one tenant's latency tell what another has asked? An equivalence test, live.
//
//   EQUIPOISE=build/release/equipoise node test/soak/tenants.mjs [--pairs 5000]
//
// The gateway stands before the modelled backend, which answers at once; stored answers and shared calls are on. A pair is
// two measurements in random order, each of a question that the second tenant has never asked before:
//
//   warm: just before, the first tenant asked the very same (and got it stored)
//   cold: just before, the first tenant asked something else, as long
//
// What is judged is the difference of the medians, warm - cold, by its 95 % bootstrap interval (blocks of neighbouring
// pairs are drawn, as a busy machine is slow for a while): it must lie within BOUND_MS on both sides. That this test finds
// what it is for is shown by a leak planted on purpose: everything the same, but the second key is of the first one's
// tenant, so that what is warm for one is warm for the other. There the whole interval must lie outside. Before a backend
// that answers at once such a leak is at its smallest, below 0.1 ms: therefore the bound is narrower than that.
import net from "node:net";
import { Gateway, KEY, sha256, Twin, usualConfig } from "../e2e/stage.mjs";

const BOUND_MS = 0.025;
const DRAWS = 2000;
const BLOCK = 25;      // pairs that are drawn together
const WARM_UP = 200;   // pairs that are not counted
const ASK_AGAIN = 20;  // of so many pairs, one is looked at: what should be stored is
const KEYS = { first: KEY, other: "sk-of-another-tenant-0123456789", same: "sk-of-the-same-tenant-0123456789" };

// One connection, one request after the other: each resolves to { ms, source }.
class Asker {
  static async open(port, key) {
    const asker = new Asker();
    asker.key = key;
    asker.socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    await new Promise((done, fail) => asker.socket.once("connect", done).once("error", fail));
    asker.socket.on("data", (data) => asker.hear(data)).on("close", () => asker.fail?.(new Error("closed")));
    return asker;
  }

  ask(question, stream) {
    const body = JSON.stringify({ model: "assistant", temperature: 0, stream, messages: [{ role: "user", content: question }] });
    const bytes = `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${this.key}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    return new Promise((done, fail) => {
      Object.assign(this, { done, fail, got: "", begun: performance.now() });
      this.socket.write(bytes, "latin1");
    });
  }

  hear(data) {
    const now = performance.now();
    this.got += data.toString("latin1");
    const head = this.got.indexOf("\r\n\r\n");
    if (head < 0) return;
    const length = this.got.slice(0, head).match(/^content-length: (\d+)/im)?.[1];
    if (length ? this.got.length < head + 4 + Number(length) : !this.got.endsWith("\r\n0\r\n\r\n")) return;
    if (!this.got.startsWith("HTTP/1.1 200")) return this.fail(new Error(this.got.slice(0, 500)));
    this.done({ ms: now - this.begun, source: this.got.slice(0, head).match(/^x-equipoise-source: (\S+)/im)?.[1] });
  }
}

// Always as long, never the same again, and nothing in it tells which arm it is for.
let questions = 0;
const question = () => `Tell me a secret of 20 words, that of number ${String(questions++).padStart(7, "0")}.`;

async function measurePair(askers, number, stream) {
  const times = {};
  for (const arm of Math.random() < 0.5 ? ["warm", "cold"] : ["cold", "warm"]) {
    const [asked, another] = [question(), question()];
    await askers.first.ask(arm === "warm" ? asked : another, stream);
    const { ms, source } = await askers.second.ask(asked, stream);
    const expected = arm === "warm" && askers.leaks ? "cached" : undefined;
    if ((source === "cached" ? source : undefined) !== expected) throw new Error(`${arm}: source ${source}`);
    times[arm] = ms;
    if (arm === "warm" && number % ASK_AGAIN === 0 && (await askers.first.ask(asked, stream)).source !== "cached")
      throw new Error("the first tenant's own answer was not stored: nothing is warm");
  }
  return times;
}

const median = (sorted) => (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
const round = (ms) => Number(ms.toFixed(4));

// The difference of the medians and its 95 % interval.
function judge(pairs) {
  const draw = (pick) => {
    const [warm, cold] = [new Float64Array(pairs.length), new Float64Array(pairs.length)];
    for (let i = 0, at = 0; i < pairs.length; i++, at++) {
      if (i % BLOCK === 0) at = pick(i);
      const pair = pairs[at % pairs.length];
      [warm[i], cold[i]] = [pair.warm, pair.cold];
    }
    return [median(warm.sort()), median(cold.sort())];
  };
  const [warm, cold] = draw((i) => i);
  const drawn = Float64Array.from({ length: DRAWS }, () => {
    const [a, b] = draw(() => Math.floor(Math.random() * pairs.length));
    return a - b;
  }).sort();
  const [low, high] = [drawn[Math.floor(DRAWS * 0.025)], drawn[Math.ceil(DRAWS * 0.975) - 1]];
  return { pairs: pairs.length, warm_ms: round(warm), cold_ms: round(cold), delta_ms: round(warm - cold), low_ms: round(low), high_ms: round(high),
    same: low > -BOUND_MS && high < BOUND_MS, differs: low > BOUND_MS || high < -BOUND_MS };
}

async function measure(port, { leaks, stream, count }) {
  const askers = { leaks, first: await Asker.open(port, KEYS.first), second: await Asker.open(port, leaks ? KEYS.same : KEYS.other) };
  const pairs = [];
  for (let i = 0; i < WARM_UP + count; i++) pairs.push(await measurePair(askers, i, stream));
  for (const asker of [askers.first, askers.second]) Object.assign(asker, { fail: null }).socket.destroy();
  return { stream, ...judge(pairs.slice(WARM_UP)) };
}

async function main() {
  const given = process.argv.indexOf("--pairs");
  const count = given < 0 ? 5000 : Number(process.argv[given + 1]);
  // A backend's own cache of prompts would tell what the gateway does not.
  const twin = await Twin.start(["--key", "sk-upstream-only-the-gateway-knows", "--no-prefix-cache"]);
  const config = usualConfig(twin.url);
  config.workers = 1;
  config.routes.assistant.levers = { exact_cache: "on", semantic_cache: "on", coalesce: "on" };
  config.keys.other = { sha256: sha256(KEYS.other), tenant: "globex" };
  config.keys.same = { sha256: sha256(KEYS.same), tenant: config.keys.web.tenant };
  const gateway = await Gateway.start(config);
  const all = [];
  for (const stream of [false, true])
    for (const leaks of [false, true]) {
      all.push({ leaks, ...(await measure(Number(new URL(gateway.url).port), { leaks, stream, count })) });
      console.log(JSON.stringify(all.at(-1)));
    }
  // Two tenants, two calls: nothing but the planted leak's warm answers came for nothing.
  const expected = (WARM_UP + count) * 2 * (4 + 3);
  const { requests } = (await twin.seen()).total;
  await gateway.stop();
  await twin.stop();
  if (requests !== expected) console.log(`${requests} upstream calls instead of ${expected}`);
  const fine = requests === expected && all.every(({ leaks, same, differs }) => (leaks ? differs : same));
  const say = ({ delta_ms, low_ms, high_ms }) => `${delta_ms} ms [${low_ms}, ${high_ms}]`;
  const [gates, leaks] = [false, true].map((which) => all.filter((one) => one.leaks === which).map(say).join(" and "));
  console.log(`result: ${count} pairs, whole and streamed: another tenant's warm answer changes the median by ${gates}; ` +
    `a leak planted on purpose by ${leaks}${fine ? "" : ": NOT as it must be"}`);
  process.exit(fine ? 0 : 1);
}

await main();
