// Many read one call's stream over real sockets, some of them a byte a second: those may be cut past the stall limit, told
// so in their rows and paying nothing; the others have every byte, in time, and together pay what the one call cost.
import assert from "node:assert/strict";
import { costOf, pico } from "./speak.mjs";
import { after, Gateway, KEY, test, Twin, usualConfig } from "./stage.mjs";
import { Wire } from "./wire.mjs";

// Some four megabytes in twenty seconds: far more than the kernel holds for who does not read, and no faster than who does.
const [FAST, SLOW, WORDS] = [10, 5, 20000];
const twin = await Twin.start(["--key", "sk-upstream-only-the-gateway-knows", "--concurrency", "0"]);
const config = usualConfig(twin.url);
config.workers = 4;
for (const route of Object.values(config.routes)) route.levers = { coalesce: "on" };
config.limits = { stall: "2s", answer: "64KiB" };
const gateway = await Gateway.start(config);
after(async () => {
  await gateway.stop();
  await twin.stop();
});

const body = (question) => JSON.stringify({ model: "assistant", stream: true, temperature: 0, max_tokens: WORDS + 100,
  messages: [{ role: "user", content: `Tell me story ${question} of ${WORDS} words.` }] });

async function reads(question) {
  const started = performance.now();
  const response = await fetch(`${gateway.url}/v1/chat/completions`, { method: "POST", body: body(question),
    headers: { "content-type": "application/json", authorization: `Bearer ${KEY}`, "x-twin-fault": "slow=1ms" } });
  const id = response.headers.get("x-equipoise-id");
  return { id, status: response.status, text: await response.text(), took: performance.now() - started };
}

// A client that takes its head, and then a byte a second.
async function crawls(question) {
  const wire = await Wire.open(Number(new URL(gateway.url).port));
  const text = body(question);
  await wire.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nX-Twin-Fault: slow=1ms\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
  const { headers } = await wire.until("a head", () => wire.messages.head());
  wire.socket.pause();
  const timer = setInterval(() => wire.socket.read(1), 1000);
  return { id: headers.get("x-equipoise-id")[0], leave: () => { clearInterval(timer); wire.destroy(); } };
}

async function crowd(slowLeads) {
  const question = slowLeads ? 2 : 1;
  const first = slowLeads ? [await crawls(question)] : [];
  const slow = Promise.all(Array.from({ length: SLOW }, () => crawls(question)));
  return { fast: await Promise.all(Array.from({ length: FAST }, () => reads(question))), slow: [...first, ...await slow] };
}

// Both at the same time, as they take theirs.
const crowds = new Map([false, true].map((slowLeads) => [slowLeads, crowd(slowLeads)]));
crowds.forEach((one) => one.catch(() => {})); // whoever awaits it hears of it

for (const slowLeads of [false, true]) {
  test(`${SLOW} of ${FAST + SLOW} read a byte a second${slowLeads ? ", the first among them" : ""}: they are cut, the others undisturbed`, async () => {
    const { fast, slow } = await crowds.get(slowLeads);
    assert.ok(fast.every(({ status, text }) => status === 200 && text.endsWith("data: [DONE]\n\n")));
    assert.equal(new Set(fast.map(({ text }) => text)).size, 1);
    assert.ok(fast[0].text.length > 2_000_000, `an answer of ${fast[0].text.length} bytes`);
    const [ended, cut] = await Promise.all([fast, slow].map((some) => Promise.all(some.map(({ id }) => gateway.row(id)))));
    assert.ok(ended.every(({ state }) => state === "ok"));
    for (const row of cut) {
      assert.equal(row.state, "cut");
      assert.match(row.why, /limits: stall/);
      assert.equal(pico(row.cost_usd), 0n);
    }
    const sum = (name) => [...ended, ...cut].reduce((total, row) => total + row[name], 0);
    assert.equal([...ended, ...cut].reduce((total, row) => total + pico(row.cost_usd), 0n),
      costOf(sum("input_tokens"), 2) + costOf(sum("output_tokens"), 8));
    slow.forEach(({ leave }) => leave());
    if (slowLeads) assert.equal((await twin.seen()).total.requests, 2, "one call of each crowd");
    console.log(`    the slowest of the fast took ${Math.max(...fast.map(({ took }) => took)).toFixed(0)} ms for ${fast[0].text.length} bytes`);
  });
}
