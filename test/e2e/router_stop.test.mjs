// A gateway that is stopped while a candidate is being asked ends at once, and what was asked is booked.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { until } from "./harness.mjs";
import { after, Gateway, KEY, sha256, test } from "./stage.mjs";

let slow = false;
let working = 0;
const server = createServer(async (request, response) => {
  let body = "";
  for await (const piece of request) body += piece;
  if (request.method === "GET") return response.end('{"object":"list","data":[]}');
  if (slow && JSON.parse(body).model === "small") return void working++; // it never answers
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ id: "c", object: "chat.completion", created: 1, model: "m", usage: { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 },
    choices: [{ index: 0, message: { role: "assistant", content: "Yes." }, finish_reason: "stop" }] }));
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}`;
const gateway = await Gateway.start({
  workers: 2,
  backends: { alpha: { url, models: ["large"] }, beta: { url, models: ["small"] } },
  routes: { assistant: { reference: "alpha/large", candidates: ["beta/small"], acceptable: { quality: "95%" }, judge: { by: "exact" }, learning: "100%", levers: { router: "on" } } },
  keys: { web: { sha256: sha256(KEY), tenant: "acme" } },
  prices: { override: { "alpha/large": { input: "$2/M", output: "$8/M" }, "beta/small": { input: "$0.02/M", output: "$0.08/M" } } },
});
after(() => {
  server.closeAllConnections();
  server.close();
});

test("an audit under way does not keep a gateway from stopping, and has its row", async () => {
  const ask = async (n) => {
    const response = await fetch(`${gateway.url}/v1/chat/completions`, { method: "POST", headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "assistant", messages: [{ role: "user", content: `Question ${n}?` }] }) });
    assert.equal(response.status, 200);
    await response.text();
  };
  for (let i = 0; i < 210; i += 10) await Promise.all(Array.from({ length: 10 }, (_, k) => ask(i + k)));
  slow = true;
  await Promise.all(Array.from({ length: 10 }, (_, k) => ask(1000 + k)));
  await until("candidates to be asked", async () => working >= 5);
  const started = Date.now();
  await gateway.stop();
  assert.ok(Date.now() - started < 15000, `${Date.now() - started} ms`);
  const { all } = await gateway.told("report");
  assert.equal(all.rows, 220);
  assert.ok(all.own_calls >= working, `${all.own_calls} audits booked`);
});
