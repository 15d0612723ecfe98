// Engines that are paid by the hour, over real sockets: requests are charged their share of the busy time, the rest is idle,
// busy and idle are what was paid, also after kill -9; and `equipoise fleet` shows what was learned of the engine.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { until } from "./harness.mjs";
import { after, equipoise, Gateway, sha256, KEY, test, Twin } from "./stage.mjs";

const PRICE = 3_600n * 10n ** 12n; // pico-dollars an hour
const twin = await Twin.start(["--engine", "h100-llama-3.1-8b"]);
const launched = Date.now();
const gateway = await Gateway.start({
  workers: 2,
  backends: { gpus: { url: twin.url, engine: "twin", usd_per_hour: "$3600" } },
  routes: { assistant: { reference: "gpus/twin-medium", acceptable: { total: "5s" } } },
  keys: { web: { sha256: sha256(KEY), tenant: "acme" } },
});
after(async () => {
  await gateway.stop();
  await twin.stop();
});

const pico = (text) => {
  const [whole, part = ""] = text.replace("-", "").split(".");
  const amount = BigInt(whole) * 10n ** 12n + BigInt(part.padEnd(12, "0"));
  return text.startsWith("-") ? -amount : amount;
};

async function ask(count) {
  const { openai } = gateway.clients();
  const one = async (i) => {
    const stream = i % 4 !== 3;
    const answer = await openai.chat.completions.create(
      { model: "assistant", stream, messages: [{ role: "user", content: `Tell me about number ${i}, ${"in detail, ".repeat(i)}please.` }] },
      { headers: { "x-twin-output-tokens": String(40 + 5 * i) } });
    if (stream) for await (const _ of answer);
  };
  await Promise.all(Array.from({ length: count }, (_, i) => one(i)));
}

const pool = async () => (await gateway.told("report")).pools[0];
const sqlite = (query) => execFileSync("sqlite3", ["-readonly", join(gateway.folder, "data/ledger.db"), query]).toString().trim();

test("requests are charged their share of the time, and busy and idle are what was paid", async () => {
  await ask(40);
  const { paid_usd, busy_usd, idle_usd, used } = await until("rent and all rows to be written down", async () => {
    const found = await pool();
    return found?.replica_hours > 0 && found.requests === 40 && found;
  });
  assert.ok(pico(busy_usd) > 0n);
  assert.ok(pico(idle_usd) >= 0n);
  assert.equal(pico(busy_usd) + pico(idle_usd), pico(paid_usd));
  assert.ok(used > 0);
  const text = (await gateway.command("report")).stdout;
  assert.match(text, /Engines paid by the hour/);
  assert.match(text, /gpus +\d+\.\d{3} +\$/);
});

test("kill -9 loses at most seconds of rent and counts none twice", async () => {
  const before = await pool();
  await gateway.stop("SIGKILL");
  await gateway.launch();
  const afterwards = await pool();
  assert.ok(afterwards.replica_hours >= before.replica_hours);
  await until("more rent", async () => (await pool()).replica_hours > afterwards.replica_hours + 1e-9);
  const { replica_hours, replica_us, paid_usd, busy_usd, idle_usd } = await pool();
  assert.ok(replica_hours <= (Date.now() - launched) / 3_600_000, "there is one replica: no more time than went by");
  assert.equal(pico(busy_usd) + pico(idle_usd), pico(paid_usd));
  const rowsUsd = sqlite("SELECT sum(cost) FROM requests WHERE backend = 'gpus'");
  assert.ok(BigInt(rowsUsd) <= pico(busy_usd));
  assert.equal(pico(paid_usd), BigInt(replica_us) * PRICE / 3_600_000_000n); // to the pico-dollar
});

test("equipoise fleet shows the engine that was learned, how busy it was and the batch that limits want", async () => {
  for (let i = 0; i < 3; i++) await ask(30);
  const { stdout } = await equipoise(["fleet", "--admin", gateway.admin.replace("http://", ""), "--json"]);
  const [own] = JSON.parse(stdout).pools;
  assert.equal(own.model, "twin-medium");
  assert.equal(own.engine.from, "fitted");
  assert.ok(own.engine.samples > 50, `${own.engine.samples} samples`);
  assert.ok(own.engine.gap_error >= 0 && own.engine.gap_error < 1);
  assert.ok(own.curve.length > 0 && own.curve.every(({ gap_ms, batch }) => gap_ms > 0 && batch >= 1));
  assert.ok(own.batch.most >= 1);
  assert.equal(own.replicas.length, 1);
  assert.ok(own.replicas[0].minute.busy > 0);
  const text = (await equipoise(["fleet", "--admin", gateway.admin.replace("http://", "")])).stdout;
  assert.match(text, /gpus\/twin-medium \(modelled\), 1 replicas, \$3600 an hour each/);
  assert.match(text, /recommended: max_num_seqs \d+/);
  assert.match(text, /replicas: 1 there, 1 wanted \(.+\); another takes \d+ s to start/);
  assert.match(text, /a million tokens came to \$[\d.e+]+ in the last minute/);
  const metrics = await (await fetch(`${gateway.admin}/metrics`)).text();
  assert.match(metrics, /^equipoise_replica_busy\{target="gpus\/twin-medium",replica="127\.0\.0\.1:\d+"\} 0\.\d+/m);
  assert.match(metrics, /^equipoise_engine_batch_wanted\{/m);
  assert.match(metrics, /^equipoise_engine_usd_per_million_tokens\{/m);
});
