// Replicas that come and go while the gateway serves: in a watched file.
import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./harness.mjs";
import { after, Gateway, KEY, scratch, test, Twin, usualConfig } from "./stage.mjs";

const folder = scratch();
const list = join(folder, "replicas.json");
const [one, two] = [await Twin.start(), await Twin.start()];

// As whoever writes such files does it: whole, under another name, and then in place.
const write = (text) => (writeFileSync(`${list}.new`, text), renameSync(`${list}.new`, list));
const writeUrls = (...urls) => write(JSON.stringify({ replicas: urls.map((url) => ({ url })) }));

writeUrls(one.url);
const gateway = await Gateway.start({
  ...usualConfig(one.url),
  backends: { gpus: { discover: { file: "replicas.json", every: "100ms" }, engine: "twin", models: ["twin-medium"] } },
  routes: { assistant: { reference: "gpus/twin-medium" } },
  prices: { override: { "gpus/twin-medium": { input: "$1/M", output: "$3/M" } } },
}, { folder });
after(async () => {
  await gateway.stop();
  await one.stop();
  await two.stop();
});

const ask = (extra = {}, options = {}) => gateway.clients().openai.chat.completions.create({
  model: "assistant", messages: [{ role: "user", content: `Hello ${Math.random()}` }], ...extra }, options);
const served = async (twin) => (await twin.seen()).total.requests;
// What is done, and then the log's word of it.
async function logs(pattern, act) {
  const from = gateway.program.output.length;
  act();
  await until(`the log to say ${pattern}`, () => pattern.test(gateway.program.output.slice(from)));
}

async function askUntil(what, done) {
  await until(what, async () => (await ask(), done()));
}

test("a replica that joins gets requests, and one that leaves gets none any more", async () => {
  await ask();
  assert.equal(await served(two), 0);
  await logs(/replicas of gpus: 2, before 1/, () => writeUrls(one.url, two.url));
  await askUntil("the new one to be asked", async () => (await served(two)) > 0);
  await logs(/replicas of gpus: 1, before 2/, () => writeUrls(two.url));
  const before = await served(one);
  for (let i = 0; i < 20; i++) await ask();
  assert.equal(await served(one), before);
});

test("a stream at a replica that leaves lives on to its end", async () => {
  await logs(/replicas of gpus: 1, before 1/, () => writeUrls(one.url));
  const stream = await ask({ stream: true }, { headers: { "x-twin-fault": "slow=50ms" } });
  const before = await served(two);
  writeUrls(two.url);
  let text = "", finish;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    finish ??= chunk.choices[0]?.finish_reason;
    if (text.length > 0 && !finish) await askUntil("the other one to be asked", async () => (await served(two)) > before);
  }
  assert.ok(text.length > 0);
  assert.equal(finish, "stop");
});

test("a bad file changes nothing, and the log says why", async () => {
  await logs(/replicas of gpus: 2, before 1/, () => writeUrls(one.url, two.url));
  await logs(/backend gpus: its replicas stay as they are: .*not JSON/, () => write('{"replicas": ['));
  await ask();
  write("[]");
  for (let i = 0; i < 10; i++) await ask();
  await logs(/replicas of gpus: 1, before 2/, () => writeUrls(one.url));
  await ask();
});

test("a replica is paid for from when it is found until it is gone", async () => {
  const own = scratch();
  const place = join(own, "replicas.json");
  const lists = (...urls) => (writeFileSync(`${place}.new`, JSON.stringify(urls)), renameSync(`${place}.new`, place));
  lists(one.url);
  const begins = Date.now();
  const paying = await Gateway.start({
    ...usualConfig(one.url),
    backends: { gpus: { discover: { file: "replicas.json", every: "100ms" }, engine: "twin", models: ["twin-medium"], usd_per_hour: "$3.60" } },
    routes: { assistant: { reference: "gpus/twin-medium" } },
    prices: {},
  }, { folder: own });
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  // When the log says so, at the latest; and when it was written, at the earliest.
  const changes = async (pattern, ...urls) => {
    const [from, earliest] = [paying.program.output.length, Date.now()];
    lists(...urls);
    await until(`the log to say ${pattern}`, () => pattern.test(paying.program.output.slice(from)));
    return [earliest, Date.now()];
  };
  const began = Date.now();
  const joined = await changes(/replicas of gpus: 2, before 1/, one.url, two.url);
  await pause(1500);
  const left = await changes(/replicas of gpus: 1, before 2/, one.url);
  await pause(200);
  const ends = Date.now();
  await paying.stop();
  const ended = Date.now();
  const [pool] = (await paying.told("report")).pools;
  const paid_ms = pool.replica_hours * 3_600_000;
  assert.ok(paid_ms >= ends - began + (left[0] - joined[1]) - 5, `${paid_ms} ms`);
  assert.ok(paid_ms <= ended - begins + (left[1] - joined[0]) + 5, `${paid_ms} ms`);
  assert.equal(Number(pool.paid_usd).toFixed(6), ((paid_ms / 3_600_000) * 3.6).toFixed(6));
});
