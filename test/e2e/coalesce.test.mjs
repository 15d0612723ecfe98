// Equal requests that are under way at the same time share one call: each gets the whole answer from its first byte, and
// all together pay what the call cost.
import assert from "node:assert/strict";
import { until } from "./harness.mjs";
import { costOf, pico } from "./speak.mjs";
import { after, Gateway, KEY, sha256, test, Twin, usualConfig } from "./stage.mjs";
import { Wire } from "./wire.mjs";

// The backend has two places, so that a call that fails at one has another to go to.
const twins = await Promise.all([1, 2].map(() => Twin.start(["--key", "sk-upstream-only-the-gateway-knows", "--concurrency", "0"])));
const [twin] = twins;
const config = usualConfig(twin.url);
for (const backend of Object.values(config.backends)) backend.url = twins.map(({ url }) => url);
config.workers = 4;
for (const route of Object.values(config.routes)) route.levers = { coalesce: "on" };
config.keys.other = { sha256: sha256("sk-of-another-tenant-0123456789"), tenant: "globex" };
config.limits = { stall: "2s" };
const gateway = await Gateway.start(config);
after(async () => {
  await gateway.stop();
  for (const one of twins) await one.stop();
});

const WORDS = 60;
let question = 0;
const body = (more = {}) => ({ model: "assistant", stream: true, temperature: 0,
  messages: [{ role: "user", content: `Tell me story ${question} of ${WORDS} words.` }], ...more });

const post = (asked, { key = KEY, fault = "slow=20ms", signal, headers = {} } = {}) => fetch(`${gateway.url}/v1/chat/completions`, {
  method: "POST", signal, body: JSON.stringify(asked),
  headers: { "content-type": "application/json", authorization: `Bearer ${key}`, "x-twin-fault": fault, ...headers },
});
const read = async (response) => ({ id: response.headers.get("x-equipoise-id"), source: response.headers.get("x-equipoise-source"),
  status: response.status, text: await response.text() });
const count = async (what) => (await Promise.all(twins.map((one) => one.seen()))).reduce((sum, { total }) => sum + total[what], 0);
const calls = () => count("requests");
const whole = ({ text }) => text.endsWith("data: [DONE]\n\n");
const rows = (answers) => Promise.all(answers.map(({ id }) => gateway.row(id)));
const sum = (values) => values.reduce((a, b) => a + b, 0n);

// What all rows of one call come to is what the call cost, to the last pico-dollar and token.
function assertOneBill(all, paying = all) {
  const [input, output] = ["input_tokens", "output_tokens"].map((name) => all.reduce((total, row) => total + row[name], 0));
  assert.ok(output > 0);
  assert.equal(sum(all.map((row) => pico(row.cost_usd))), costOf(input, 2) + costOf(output, 8));
  const costs = paying.map((row) => Number(pico(row.cost_usd)));
  assert.ok(Math.max(...costs) - Math.min(...costs) <= 1, "an even split");
  return { input, output };
}

test("200 equal streams over all workers: one call, all whole and equal, and together they cost what it cost", async () => {
  question++;
  const before = await calls();
  const answers = await Promise.all(Array.from({ length: 200 }, async () => read(await post(body()))));
  assert.equal((await calls()) - before, 1);
  assert.ok(answers.every(({ status }) => status === 200));
  assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
  assert.ok(whole(answers[0]));
  const all = await rows(answers);
  assert.equal(all.filter(({ source }) => source === "shared").length, 199);
  assert.ok(all.every(({ state }) => state === "ok"));
  const { input, output } = assertOneBill(all);
  const alone = costOf(input, 2) + costOf(output, 8);
  for (const row of all) {
    assert.equal(pico(row.baseline_usd), alone);
    const lines = row.savings.filter(({ shadow }) => !shadow);
    assert.equal(sum(lines.map((line) => pico(line.saved_usd))), pico(row.baseline_usd) - pico(row.cost_usd));
    assert.deepEqual(lines.map(({ lever }) => lever), ["coalesce"]);
  }
});

test("whole answers are shared too, and each head tells its own part", async () => {
  question++;
  const before = await calls();
  const answers = await Promise.all(Array.from({ length: 20 }, async () => {
    const response = await post(body({ stream: false }), { fault: "slow=5ms" });
    return { ...(await read(response)), cost: response.headers.get("x-equipoise-cost-usd") };
  }));
  assert.equal((await calls()) - before, 1);
  assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
  const all = await rows(answers);
  assertOneBill(all);
  all.forEach((row, i) => assert.equal(pico(answers[i].cost), pico(row.cost_usd)));
});

test("the leader leaves, the others get the whole answer and pay for it", async () => {
  question++;
  const before = await calls();
  const leaves = new AbortController();
  const leader = await post(body(), { signal: leaves.signal });
  const others = Array.from({ length: 30 }, () => post(body()));
  const reading = (await Promise.all(others)).map(read);
  leaves.abort();
  const answers = await Promise.all(reading);
  assert.equal((await calls()) - before, 1);
  assert.ok(answers.every(whole));
  assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
  const all = await rows(answers);
  const left = await gateway.row(leader.headers.get("x-equipoise-id"));
  assert.equal(left.state, "client gone");
  assert.equal(pico(left.cost_usd), 0n);
  assertOneBill([left, ...all], all);
});

test("all leave: the call is closed at once, and the last who left pays", async () => {
  question++;
  const [before, gone] = [await calls(), await count("client_gone")];
  const leaves = Array.from({ length: 5 }, () => new AbortController());
  const responses = await Promise.all(leaves.map(({ signal }) => post(body(), { signal, fault: "slow=200ms" })));
  for (const controller of leaves) controller.abort();
  await until("the call to be closed", async () => await count("client_gone") > gone || null);
  assert.equal((await calls()) - before, 1);
  const all = await Promise.all(responses.map((response) => gateway.row(response.headers.get("x-equipoise-id"))));
  assert.ok(all.every(({ state }) => state === "client gone"));
  assert.equal(all.filter((row) => pico(row.cost_usd) > 0n).length, 1);
});

test("the backend dies before the first byte: one more call serves all", async () => {
  // Which of the two places is asked first is drawn by lot: until it is the one that dies.
  await twin.commit(["drop-before-first-byte*1"]);
  for (let called = 1; called === 1;) {
    question++;
    const before = await calls();
    const answers = await Promise.all(Array.from({ length: 50 }, async () => read(await post(body(), { fault: "slow=5ms" }))));
    assert.ok(answers.every(whole), answers.find((answer) => !whole(answer))?.text);
    assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
    called = (await calls()) - before;
    assert.ok(called <= 2);
  }
});

test("no answer at all: all are told the same, and no storm of calls follows", async () => {
  question++;
  const before = await calls();
  const answers = await Promise.all(Array.from({ length: 50 }, async () => read(await post(body(), { fault: "delay=500ms,status=500" }))));
  assert.ok(answers.every(({ status }) => status === 500), JSON.stringify(answers[0]));
  assert.ok((await calls()) - before <= 3);
  for (const row of await rows(answers)) assert.equal(pico(row.cost_usd), 0n);
});

test("some read a byte a second: the others are not disturbed", async () => {
  question++;
  const before = await calls();
  const port = Number(new URL(gateway.url).port);
  const text = JSON.stringify(body());
  const slow = await Promise.all(Array.from({ length: 5 }, () => Wire.open(port)));
  for (const wire of slow) {
    wire.socket?.pause?.();
    await wire.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nX-Twin-Fault: slow=20ms\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
  }
  const answers = await Promise.all(Array.from({ length: 40 }, async () => read(await post(body()))));
  assert.ok(answers.every(whole));
  assert.equal((await calls()) - before, 1);
  slow.forEach((wire) => wire.destroy());
});

test("tenants share nothing, nor do requests that want an answer of their own", async () => {
  question++;
  let before = await calls();
  await Promise.all([KEY, "sk-of-another-tenant-0123456789"].map(async (key) => read(await post(body(), { key }))));
  assert.equal((await calls()) - before, 2);
  before = await calls();
  const free = body();
  delete free.temperature;
  await Promise.all([1, 2, 3].map(async () => read(await post(free))));
  assert.equal((await calls()) - before, 3);
});
