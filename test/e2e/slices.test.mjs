// A floor for each tenant by itself: a model that is right for the one and wrong for the other serves the one alone, also after a restart.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./harness.mjs";
import { after, equipoise, Gateway, KEY, scratch, sha256, test } from "./stage.mjs";

const OTHER = "sk-e2e-globex-0123456789abcdefghij";

// The small model is wrong about even numbers, which nothing else in a question tells.
async function serveModel(request, response) {
  let body = "";
  for await (const piece of request) body += piece;
  if (request.method === "GET") return response.end('{"object":"list","data":[]}');
  const { model, messages } = JSON.parse(body);
  const n = Number(messages.at(-1).content.match(/\d+/)[0]);
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ id: "c", object: "chat.completion", created: 1, model, usage: { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 },
    choices: [{ index: 0, message: { role: "assistant", content: `The answer is ${model === "small" && n % 2 === 0 ? n + 1 : n}.` }, finish_reason: "stop" }] }));
}
const server = createServer((request, response) => void serveModel(request, response).catch(() => response.destroy()));
server.listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}`;

const configured = (slices) => ({
  workers: 2,
  backends: { alpha: { url, models: ["large"] }, beta: { url, models: ["small"] } },
  routes: { assistant: { reference: "alpha/large", candidates: ["beta/small"], acceptable: { quality: "80%", ...slices }, judge: { by: "exact" }, learning: "100%", levers: { router: "on" } } },
  keys: { web: { sha256: sha256(KEY), tenant: "acme" }, other: { sha256: sha256(OTHER), tenant: "globex" } },
  prices: { override: { "alpha/large": { input: "$2/M", output: "$8/M" }, "beta/small": { input: "$0.02/M", output: "$0.08/M" } } },
});
const gateway = await Gateway.start(configured({ slices: "tenant" }));
after(async () => {
  await gateway.stop();
  server.closeAllConnections();
  server.close();
});
const acme = gateway.clients().openai, globex = gateway.clients(OTHER).openai;

let number = 0;
// Acme asks about odd numbers, globex about even ones, in tens. Resolves to who answered.
async function ask(client, count) {
  const all = [];
  for (let i = 0; i < count; i += 10)
    all.push(...await Promise.all(Array.from({ length: 10 }, async () => {
      const n = 2 * ++number + (client === acme ? 1 : 0);
      const { data, response } = await client.chat.completions.create({ model: "assistant", messages: [{ role: "user", content: `What is the answer to question ${n}?` }] }).withResponse();
      const by = response.headers.get("x-equipoise-source");
      assert.equal(data.choices[0].message.content, `The answer is ${n}.`); // whoever it was, it is right
      return { by, id: response.headers.get("x-equipoise-id") };
    })));
  return all;
}
const served = (all) => all.filter(({ by }) => by === "model").length;
const metric = async (name) => {
  const page = await (await fetch(`${gateway.admin}/metrics`)).text();
  return Number(page.split("\n").find((line) => line.startsWith(`${name} `))?.split(" ").at(-1));
};

test("who is served well is served, and nobody else", async () => {
  for (let rounds = 0; served(await ask(acme, 20)) === 0; rounds++, await gateway.still()) assert.ok(rounds < 100);
  await gateway.still();
  for (let rounds = 0; rounds < 15; rounds++) assert.equal(served(await ask(globex, 20)), 0);
  await gateway.still();
  assert.ok(served(await ask(acme, 100)) > 60);
  assert.equal(await metric('equipoise_router_serves{route="assistant",model="beta/small",slice="tenant=acme"}'), 1);
  assert.equal(await metric('equipoise_router_serves{route="assistant",model="beta/small",slice="tenant=globex"}'), 0);
});

test("report and explain tell each slice", async () => {
  const choice = await until("evidence in the report", async () => (await gateway.told("report")).choices
    .find(({ served, slices }) => served > 60 && slices?.length === 2 && slices.some(({ evidence }) => evidence?.serves)));
  assert.equal(choice.model, "beta/small");
  assert.deepEqual(choice.slices.map(({ slice, evidence }) => [slice, evidence.serves]), [["tenant=acme", true], ["tenant=globex", false]]);
  assert.equal(choice.evidence, null);
  assert.ok(choice.served > 60 && choice.slices[0].evidence.lower_bound >= .8);
  const text = (await gateway.command("report")).stdout;
  assert.match(text, /tenant=acme: serves/);
  assert.match(text, /tenant=globex: /);
  assert.equal(text.match(/beta\/small: served \d+ of/g).length, 1);
  const [{ id }] = await ask(globex, 10);
  await gateway.row(id);
  assert.match((await gateway.command("explain", id)).stdout, /slice tenant=globex/);
});

test("it is known after a restart", async () => {
  await gateway.stop();
  await gateway.launch();
  assert.ok(served(await ask(acme, 40)) > 20);
  assert.equal(served(await ask(globex, 40)), 0);
});

test("a language is not told apart by itself, and check says what to do", async () => {
  const file = join(scratch(), "equipoise.yaml");
  writeFileSync(file, JSON.stringify(configured({ slices: ["tenant", "language"] })));
  const { code, stdout, stderr } = await equipoise(["check", file]);
  assert.notEqual(code, 0);
  assert.match(stdout + stderr, /no language is guessed[\s\S]*tag:language/);
});
