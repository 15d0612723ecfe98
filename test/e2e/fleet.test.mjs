// A fleet of two: what its engines tell of themselves, and what becomes of requests when one of them is killed. With two
// modelled engines always, and with two real ones if there are any ($REAL_ENGINE, see engine.test.mjs).
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Program, until } from "./harness.mjs";
import * as realEngine from "./real_engine.mjs";
import { after, equipoise, freePort, Gateway, KEY, scratch, test, Twin, usualConfig } from "./stage.mjs";

// Whether a real one can be started is seen once.
const { program: tried, why } = await realEngine.start(await freePort());
await tried?.stop();

// One engine that can be killed and come back at its place.
class Engine {
  constructor(start) {
    this.start = start;
  }

  async launch() {
    this.port ??= await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    this.program = this.start(this.port);
    await realEngine.isReady(this.program, this.url);
    return this;
  }

  kill = () => this.program.stop("SIGKILL");
  stop = () => this.program.stop();
}

const kinds = [
  {
    name: "modelled", engine: "twin", model: "twin-medium",
    start: (port) => new Program("engine", process.env.EQUIPOISE,
      ["twin", "--port", String(port), "--first-token", "60ms", "--per-token", "4ms", "--concurrency", "64"]),
  },
  {
    name: "real", engine: "llama.cpp", model: "tiny", skip: why ?? false, start: realEngine.programAt,
  },
];

const price = { input: "$1/M", output: "$3/M", cache_read: "$0.10/M" };

async function openFleet(kind) {
  const engines = [];
  for (let i = 0; i < 2; i++) engines.push(await new Engine(kind.start).launch());
  const gateway = await Gateway.start({
    ...usualConfig(engines[0].url),
    backends: { gpus: { url: engines.map(({ url }) => url), engine: kind.engine, models: [kind.model], scrape: "100ms", probe: "200ms" } },
    routes: { assistant: { reference: `gpus/${kind.model}`, attempts: 3 } },
    prices: { override: { [`gpus/${kind.model}`]: price } },
  });
  const close = async () => {
    await gateway.stop();
    for (const engine of engines) await engine.stop();
  };
  return { engines, gateway, close };
}

// The gateway's metrics as a map from "name{labels}" to number.
async function metrics(gateway) {
  const text = await (await fetch(`${gateway.admin}/metrics`)).text();
  return new Map(text.split("\n").filter((line) => line && !line.startsWith("#")).map((line) => {
    const at = line.lastIndexOf(" ");
    return [line.slice(0, at), Number(line.slice(at + 1))];
  }));
}

const told = (engine, name, labels = "") => `equipoise_replica_told_${name}{endpoint="127.0.0.1:${engine.port}"${labels}}`;
const up = (engine, state) => `equipoise_endpoint_up{endpoint="127.0.0.1:${engine.port}",state="${state}"}`;

// One request to its end: { status, id, began, whole, ms }. `began`: some of the answer's text has come.
async function ask(gateway, { stream, tokens, signal, headers }) {
  const started = performance.now();
  const body = { model: "assistant", max_tokens: tokens, stream, messages: [{ role: "user", content: `Tell me story ${Math.random()}.` }] };
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST", signal, body: JSON.stringify(body),
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json", ...headers },
  });
  const result = { stream, status: response.status, id: response.headers.get("x-equipoise-id"), began: false, text: "" };
  try {
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      result.text += piece;
      result.began = true;
    }
  } catch (error) {
    result.broke = String(error);
  }
  result.whole = result.status === 200 && !result.broke && (stream ? /data: \[DONE\]/.test(result.text) && !/"error":/.test(result.text)
    : "choices" in JSON.parse(result.text));
  result.ms = performance.now() - started;
  return result;
}

// A request to the engine itself, to its end.
async function tellStory(engine, kind, signal) {
  const response = await fetch(`${engine.url}/v1/chat/completions`, {
    method: "POST", signal, headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: kind.model, max_tokens: 1500, stream: true, messages: [{ role: "user", content: "Tell me a story." }] }),
  });
  return response.text();
}

// What `check --probe` says of one engine, in words and as JSON.
const probed = join(scratch(), "probe.yaml");
async function probe(backend) {
  writeFileSync(probed, JSON.stringify({ backends: { gpus: backend } }));
  const [text, json] = [await equipoise(["check", probed, "--probe"]), await equipoise(["check", probed, "--probe", "--json"])];
  assert.deepEqual([text.code, json.code], [0, 0], text.stdout + text.stderr);
  return { text: text.stdout, ...JSON.parse(json.stdout).probes[0] };
}

test("what another gateway has at an engine is seen, and its own requests go elsewhere", async () => {
  const engines = [];
  for (let i = 0; i < 2; i++) engines.push(await new Engine(kinds[0].start).launch());
  const gatewayOver = (urls, more) => Gateway.start({
    ...usualConfig(urls[0]),
    backends: { gpus: { url: urls, engine: "twin", models: ["twin-medium"], scrape: "100ms", ...more } },
    routes: { assistant: { reference: "gpus/twin-medium" } },
    prices: { override: { "gpus/twin-medium": price } },
  });
  const first = await gatewayOver(engines.map(({ url }) => url), { policy: "least_in_flight" });
  const second = await gatewayOver([engines[0].url]);
  const sent = async (engine) => (await metrics(first)).get(`equipoise_replica_dispatched_total{endpoint="127.0.0.1:${engine.port}"}`) ?? 0;
  const leaving = new AbortController();
  const headers = { "x-twin-fault": "stall-after=3" }; // they stay
  try {
    for (let i = 0; i < 8; i++) ask(second, { stream: true, tokens: 100, signal: leaving.signal, headers }).catch(() => {});
    await until("the load to be told", async () => (await metrics(first)).get(told(engines[0], "requests", ',state="others"')) === 8);
    for (let i = 0; i < 12; i++) assert.ok((await ask(first, { stream: false, tokens: 5 })).whole);
    assert.deepEqual([await sent(engines[0]), await sent(engines[1])], [0, 12]);
    // A page that was read while our own was there tells one more, and one that is old is believed less: the next is right.
    await until("the page to tell others from our own", async () => {
      const { pools } = await (await fetch(`${first.admin}/fleet`)).json();
      return pools[0].replicas.map(({ others }) => others).join() === "8,0";
    });
  } finally {
    leaving.abort();
    await first.stop();
    await second.stop();
    for (const engine of engines) await engine.stop();
  }
});

for (const kind of kinds) {
  const options = { skip: kind.skip, timeout: 400_000 };

  test(`a probe of a ${kind.name} engine shows what it tells of itself`, options, async () => {
    const engine = await new Engine(kind.start).launch();
    try {
      const idle = await probe({ url: engine.url, engine: kind.engine });
      assert.match(idle.text, new RegExp(`fine, \\d+ models? \\(.*${kind.model}.*\\), \\d+ ms`));
      assert.match(idle.text, /metrics as [\w.]+'s: 0 running, 0 waiting, \d+ % of its cache of keys and values in use/);
      assert.deepEqual([idle.metrics.read, idle.metrics.running, idle.metrics.queued, idle.metrics.why], [true, 0, 0, null]);
      assert.equal(idle.metrics.looks_like, kind.engine === "twin" ? "vllm" : kind.engine);
      assert.ok(idle.metrics.kv_share >= 0);
      // One that works says so.
      const leaving = new AbortController();
      const busy = [1, 2].map(async () => {
        while (!leaving.signal.aborted) await tellStory(engine, kind, leaving.signal).catch(() => {});
      });
      await until("a running request to be told", async () => (await probe({ url: engine.url, engine: kind.engine })).metrics.running > 0);
      leaving.abort();
      await Promise.all(busy);
      // Taken for another engine, its page tells nothing, and it is said whose it looks like; without a page likewise why.
      const other = await probe({ url: engine.url, engine: "sglang" });
      assert.match(other.text, /no metrics: \/metrics is as (vllm|llama\.cpp) shows it, and is not read as sglang's; say engine: \1/);
      assert.equal(other.metrics.read, false);
      const nowhere = await probe({ url: engine.url, engine: kind.engine, metrics: "/nowhere" });
      assert.match(nowhere.text, /no metrics: \/nowhere says HTTP 404/);
      assert.equal((await probe({ url: engine.url, engine: kind.engine, metrics: "off" })).metrics, null);
    } finally {
      await engine.stop();
    }
  });

  test(`${kind.name} engines tell what they do, and all of it shows`, options, async () => {
    const { engines, gateway, close } = await openFleet(kind);
    after(close);
    await until("both to be up", async () => {
      const now = await metrics(gateway);
      return engines.every((engine) => now.get(up(engine, "up")) === 1 && now.get(told(engine, "requests", ',state="running"')) === 0);
    });
    const done = Promise.all([1, 2, 3, 4].map(() => ask(gateway, { stream: true, tokens: 1500 })));
    await until("a running request to be told", async () => {
      const now = await metrics(gateway);
      return engines.some((engine) => now.get(told(engine, "requests", ',state="running"')) > 0 && now.get(told(engine, "kv_share")) >= 0);
    });
    assert.ok((await done).every(({ whole }) => whole));
    await until("their tokens to be told", async () => {
      const now = await metrics(gateway);
      return engines.some((engine) => now.get(told(engine, "tokens_per_second", ',kind="generated"')) > 0);
    });
    const now = await metrics(gateway);
    for (const engine of engines) assert.ok(now.get(told(engine, "age_seconds")) < 30);
    assert.ok(now.get('equipoise_scrapes_total{result="told"}') > 0);
    await close();
  });

  // The gate: kill -9 of one engine under load. A request of whose answer nothing had come has another engine to go to, so
  // it must not fail; each has exactly one row.
  test(`kill -9 of one of two ${kind.name} engines fails no request that had not begun to stream`, options, async (t) => {
    const { engines, gateway, close } = await openFleet(kind);
    after(close);
    await until("both to be up", async () => {
      const now = await metrics(gateway);
      return engines.every((engine) => now.get(up(engine, "up")) === 1);
    });
    const results = [];
    let over = false;
    const client = async (number) => {
      while (!over) results.push(await ask(gateway, { stream: number % 2 === 0, tokens: 100 + 20 * (number % 5) }));
    };
    const clients = Array.from({ length: 16 }, (_, number) => client(number));
    const enough = (count) => until(`${count} answers`, () => results.length >= count);
    await enough(60);
    await engines[0].kill();
    const killed = results.length;
    await enough(killed + 100);
    await engines[0].launch();
    const back = results.length;
    await until("the killed one to be up again", async () => (await metrics(gateway)).get(up(engines[0], "up")) === 1);
    await enough(back + 100);
    over = true;
    await Promise.all(clients);

    const broken = results.filter(({ whole }) => !whole);
    const early = broken.filter(({ stream, began, status }) => status !== 200 || !stream || !began);
    assert.deepEqual(early.map(({ status, text, broke }) => ({ status, text, broke })), []);
    assert.ok(broken.length < 16, `${broken.length} streams were cut`);
    assert.equal(new Set(results.map(({ id }) => id)).size, results.length);
    const rows = await Promise.all(results.map(({ id }) => gateway.row(id)));
    assert.ok(rows.every(({ state }, i) => (state === "ok") === results[i].whole));
    const now = await metrics(gateway);
    const ended = [...now].filter(([name]) => name.startsWith("equipoise_requests_ended_total")).reduce((sum, [, value]) => sum + value, 0);
    assert.equal(ended, results.length);
    const retried = rows.filter(({ attempts }) => attempts > 1).length;
    assert.ok(retried > 0, "the kill met no request at all");
    const slowest = Math.max(...results.slice(killed, killed + 100).map(({ ms }) => ms));
    t.diagnostic(`${results.length} requests, ${broken.length} streams cut by the kill, ${retried} went on elsewhere; the slowest of the 100 after it took ${Math.round(slowest)} ms`);
    await close();
  });
}
