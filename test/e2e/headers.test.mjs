// What the gateway says about an answer in its head, and at the end of a stream to those who ask.
import assert from "node:assert/strict";
import { ask, costOf, names, pico, speakers } from "./speak.mjs";
import { after, KEY, openStage, routeFor, test } from "./stage.mjs";

const stage = await openStage();
after(() => stage.close());
const clients = stage.clients();
const backend = (name) => (speakers[name].sdk === "anthropic" ? "claude" : "twin");

for (const name of names) {
  test(`${name}: a buffered answer tells its id, source, model, cost and saving`, async () => {
    const { headers, usage } = await ask(clients, name, { model: routeFor(name), prompt: "What is 17 + 25?" });
    assert.match(headers.get("x-equipoise-id"), /^[0-9a-z]+$/i);
    assert.equal(headers.get("x-equipoise-source"), "reference");
    assert.equal(headers.get("x-equipoise-model"), `${backend(name)}/twin-medium`);
    assert.equal(pico(headers.get("x-equipoise-cost-usd")), costOf(usage[0], 2) + costOf(usage[1], 8));
    assert.equal(pico(headers.get("x-equipoise-saved-usd")), 0n);
    assert.match(headers.get("x-request-id"), /\S/);
  });

  test(`${name}: a stream tells its id at once, and its cost when asked afterwards`, async () => {
    const { headers, id, usage } = await ask(clients, name, { model: routeFor(name), prompt: "What is 17 + 25?", stream: true });
    assert.equal(headers.get("x-equipoise-cost-usd"), null);
    assert.equal(headers.get("x-equipoise-saved-usd"), null);
    assert.equal(headers.get("x-equipoise-source"), "reference");
    const row = await stage.gateway.row(id);
    assert.equal(pico(row.cost_usd), costOf(usage[0], 2) + costOf(usage[1], 8));
  });

  test(`${name}: a stream with x-equipoise-include: cost ends with a comment that the SDK passes over`, async () => {
    const headers = { "x-equipoise-include": "cost" };
    const request = { model: routeFor(name), prompt: "What is 17 + 25?", stream: true };
    const told = await ask(clients, name, { ...request, headers });
    const plain = await ask(clients, name, request);
    assert.equal(told.text, plain.text);

    const { path, body, streaming } = speakers[name];
    const response = await fetch(stage.gateway.url + path, {
      method: "POST",
      headers: { ...headers, authorization: `Bearer ${KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ ...body(routeFor(name), request.prompt, 400), ...streaming }),
    });
    const frames = await response.text();
    const comment = frames.match(/^: .*?(\d+\.\d+)/m);
    assert.ok(comment, frames);
    const row = await stage.gateway.row(response.headers.get("x-equipoise-id"));
    assert.equal(pico(comment[1]), pico(row.cost_usd));
    assert.ok(comment.index < frames.lastIndexOf("data:"), "it stands before the end of the stream");
  });
}

test("the gateway's own headers, cookies and hop-by-hop headers stop at the gateway; the client's others pass", async () => {
  const headers = {
    "x-equipoise-tags": "customer=42",
    cookie: "session=secret",
    te: "trailers",
    "accept-encoding": "gzip, br",
    "openai-organization": "org-7",
  };
  await ask(clients, "chat", { model: "assistant", prompt: "Hello", headers });
  const arrived = Object.fromEntries((await stage.twin.last()).headers.map(([name, value]) => [name.toLowerCase(), value]));
  for (const name of ["x-equipoise-tags", "cookie", "te"]) assert.equal(arrived[name], undefined, name);
  assert.equal(arrived["accept-encoding"], "identity");
  assert.equal(arrived["openai-organization"], "org-7");
  assert.equal(arrived.host, `127.0.0.1:${stage.twin.port}`);
});
