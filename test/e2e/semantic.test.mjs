// Answers to turns of the same meaning, live: served once audits have earned it, and never where what was asked differs
// literally, or another asked it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { until } from "./harness.mjs";
import { after, Gateway, KEY, sha256, test } from "./stage.mjs";

const RIVAL = "sk-e2e-of-another-tenant-0123456789";
const RESET = "How do I reset the password of my account?";
const FORGOT = "I forgot the password of my account, how do I reset it?";

// It answers what it was asked about; both ways to ask for the password get the same words.
let calls = 0;
async function serveModel(request, response) {
  let body = "";
  for await (const piece of request) body += piece;
  if (request.method === "GET") return response.end('{"object":"list","data":[]}');
  const content = JSON.parse(body).messages.at(-1).content;
  calls++;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({
    id: `c${calls}`, object: "chat.completion", created: 1, model: "m", usage: { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 },
    choices: [{ index: 0, message: { role: "assistant", content: content.includes("account?") || content.includes("reset it?") ? "Open the settings." : `You said: ${content}` }, finish_reason: "stop" }],
  }));
}
const server = createServer((request, response) => void serveModel(request, response).catch(() => response.destroy()));
server.listen(0, "127.0.0.1");
await once(server, "listening");

const gateway = await Gateway.start({
  workers: 1,
  backends: { alpha: { url: `http://127.0.0.1:${server.address().port}`, models: ["m"] } },
  routes: { assistant: { reference: "alpha/m", repeatable: true, acceptable: { quality: "80%" }, semantic_cache: { judge: "exact" }, levers: { semantic_cache: "on" } } },
  keys: { web: { sha256: sha256(KEY), tenant: "acme" }, rival: { sha256: sha256(RIVAL), tenant: "globex" } },
  prices: { override: { "alpha/m": { input: "$2/M", output: "$8/M" } } },
});
after(async () => {
  await gateway.stop();
  server.closeAllConnections();
  server.close();
});

// Resolves to { hit, text, id }.
async function ask(content, key = KEY) {
  const response = await fetch(`${gateway.url}/v1/chat/completions`, { method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "assistant", messages: [{ role: "user", content }] }) });
  assert.equal(response.status, 200);
  return { hit: response.headers.get("x-equipoise-source") === "cached", text: (await response.json()).choices[0].message.content,
    id: response.headers.get("x-equipoise-id") };
}

test("an answer to other words of the same meaning is served once it has been earned", async () => {
  let asked = 0;
  while (!(await ask(asked % 2 ? FORGOT : RESET)).hit) assert.ok(++asked < 2000);
  assert.ok(asked > 100, `served after ${asked} requests`);
  const before = calls;
  let hits = 0;
  for (let i = 0; i < 100; i++) hits += (await ask(i % 2 ? FORGOT : RESET)).hit;
  assert.ok(hits > 50, `${hits} hits`);
  assert.equal(calls - before, 100 - hits);
});

test("what differs literally is answered by itself, however near it is", async () => {
  for (const [known, near] of [
    ["What is 20 percent of my salary of 4000 dollars?", "What is 20 percent of my salary of 5000 dollars?"],
    ["May I take the medicine with milk?", "May I not take the medicine with milk?"],
    ["Write a letter to my friend Alice about the party.", "Write a letter to my friend Robert about the party."],
    ["My token is sk-abc123def, what may it do?", "My token is sk-xyz789uvw, what may it do?"],
  ])
    for (const words of [known, near]) {
      const { hit, text } = await ask(words);
      assert.ok(!hit);
      assert.equal(text, `You said: ${words}`);
    }
});

test("another tenant's words find nothing of it", async () => {
  const before = calls;
  assert.ok(!(await ask(FORGOT, RIVAL)).hit);
  assert.ok(!(await ask("My token is sk-abc123def, what may it do?", RIVAL)).hit);
  assert.equal(calls, before + 2);
});

// Whoever looks at the report sees what the metrics page counts.
test("the report tells hits, near misses, audits paid and how far the evidence is", async () => {
  const page = await (await fetch(`${gateway.admin}/metrics`)).text();
  const counted = (result) => Number(page.match(new RegExp(`equipoise_cache_lookups_total\\{lever="semantic_cache",result="${result}"\\} (\\d+)`))[1]);
  const line = await until("evidence and all look-ups in the report", async () => {
    const found = (await gateway.told("report")).look_ups.find(({ lever, route }) => lever === "semantic_cache" && route === "assistant");
    return found?.evidence?.serves && found.hit === counted("hit") && found.miss === counted("miss") && found;
  });
  for (const result of ["audited", "unearned", "near_miss"]) assert.equal(line[result], counted(result), result);
  assert.ok(line.hit > 50 && line.near_miss > 0);
  assert.ok(Number(line.saved_usd) > 0);
  assert.equal(Number(line.audits_paid_usd) > 0, line.audited > 0); // the coin may have drawn none
  assert.equal(line.evidence.floor, 0.8);
  assert.ok(line.evidence.lower_bound >= 0.5 && line.evidence.labels >= 14 && line.evidence.suspensions === 0);
  const { stdout } = await gateway.command("report", "--look-ups", "--csv");
  const [head, ...lines] = stdout.trim().split("\r\n").map((text) => text.split(","));
  const row = lines.find(([lever]) => lever === "semantic_cache");
  assert.equal(row.length, head.length);
  assert.equal(Number(row[head.indexOf("hit")]), line.hit);
  assert.match((await gateway.command("report")).stdout, /evidence: floor 80%, serves from similarity/);
});

// A machine so dear that keeping an answer costs more than it is worth: the exact cache stops, and everybody is told.
test("a cache that does not pay rests, and says why", async () => {
  const dear = await Gateway.start({
    workers: 1, cache: { gib_hour: "$500" },
    backends: { alpha: { url: `http://127.0.0.1:${server.address().port}`, models: ["m"] } },
    routes: { assistant: { reference: "alpha/m", repeatable: true, levers: { exact_cache: "on" } } },
    keys: { web: { sha256: sha256(KEY), tenant: "acme" } },
    prices: { override: { "alpha/m": { input: "$2/M", output: "$8/M" } } },
  });
  after(() => dear.stop());
  const say = async (content) => {
    const response = await fetch(`${dear.url}/v1/chat/completions`, { method: "POST",
      headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "assistant", messages: [{ role: "user", content }] }) });
    assert.equal(response.status, 200);
    await response.text();
    return response.headers.get("x-equipoise-id");
  };
  for (let i = 0; i < 600; i += 20) await Promise.all(Array.from({ length: 20 }, (_, k) => say(`Question ${i + k}?`)));
  assert.equal((await dear.row(await say("Question 599?"))).look_ups, "exact_cache=idle");
  const page = await (await fetch(`${dear.admin}/metrics`)).text();
  assert.match(page, /^equipoise_lever_idle\{route="assistant",lever="exact_cache"\} 1$/m);
  await dear.program.prints(/route assistant, lever exact_cache: rests, as it does not pay there: 512 look-ups found 0 answers/);
  const line = await until("all look-ups in the report", async () => {
    const found = (await dear.told("report")).look_ups[0];
    return found?.all === 601 && found;
  });
  assert.ok(line.miss >= 512 && line.miss <= 532, `${line.miss} looked`);
  assert.equal(line.miss + line.idle, 601);
});
