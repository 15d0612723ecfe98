// What every answer costs: streamed as buffered, one row for every identified request, tags and outcomes in the report.
import assert from "node:assert/strict";
import { ask, clientsOf, costOf, names, pico } from "./speak.mjs";
import { until } from "./harness.mjs";
import { after, Gateway, KEY, openStage, routeFor, test, usualConfig } from "./stage.mjs";

const stage = await openStage();
after(() => stage.close());
const clients = stage.clients();

for (const name of names) {
  for (const [words, extra] of [
    ["plain text", {}],
    ["a prefix that the provider has cached", { long: true }],
  ])
    test(`${name}: a streamed answer costs the same as a buffered one (${words})`, async () => {
      const prompt = extra.long ? `${"The law of the sea is long. ".repeat(500)} What is 3 + 4?` : "Tell me a story of 70 words.";
      const request = { model: routeFor(name), prompt };
      if (extra.long) await ask(clients, name, request); // fills the cache
      const buffered = await ask(clients, name, request);
      const streamed = await ask(clients, name, { ...request, stream: true });
      assert.equal(streamed.text, buffered.text);
      assert.deepEqual(streamed.usage, buffered.usage);
      const [a, b] = [await stage.gateway.row(buffered.id), await stage.gateway.row(streamed.id)];
      assert.equal(b.cost_usd, a.cost_usd);
      assert.equal(a.cost_usd, buffered.headers.get("x-equipoise-cost-usd"));
      assert.ok(pico(a.cost_usd) > 0n);
      for (const kind of ["input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "exactness"])
        assert.equal(String(b[kind]), String(a[kind]), kind);
      assert.equal(a.exactness, "exact");
    });

  test(`${name}: a stream without usage is estimated, never free`, async () => {
    const headers = { "x-twin-fault": "no-usage" };
    const { id } = await ask(clients, name, { model: routeFor(name), prompt: "Tell me a story.", stream: true, headers });
    const row = await stage.gateway.row(id);
    assert.equal(row.exactness, "estimated");
    assert.ok(pico(row.cost_usd) > 0n);
  });
}

test("the client's wish for usage does not change the cost", async () => {
  const request = { model: "assistant", prompt: "Tell me a story of 70 words.", stream: true };
  const asked = await ask(clients, "chat", request);
  const notAsked = await ask(clients, "chat", { ...request, extra: { stream_options: undefined } });
  assert.equal(notAsked.usage, undefined);
  assert.equal((await stage.gateway.row(notAsked.id)).cost_usd, (await stage.gateway.row(asked.id)).cost_usd);
});

test("a model without a price is booked as unknown, not as free", async () => {
  const { headers, id } = await ask(clients, "chat", { model: "twin/twin-small", prompt: "Hello" });
  assert.equal(headers.get("x-equipoise-cost-usd"), null);
  const row = await stage.gateway.row(id);
  assert.equal(row.cost_usd, null);
  assert.equal(row.exactness, "unpriced");
});

test("embeddings are priced by their input", async () => {
  const { data, response } = await clients.openai.embeddings.create({ model: "vectors", input: "the open sea" }).withResponse();
  assert.equal(pico(response.headers.get("x-equipoise-cost-usd")), costOf(data.usage.prompt_tokens, 0.1));
});

test("every identified request has exactly one row, whatever its ending; tags and outcomes are in the report", async () => {
  const gateway = await Gateway.start(usualConfig(stage.twin.url));
  try {
    const mine = clientsOf(gateway.url, KEY, { headers: { "x-equipoise-tags": "customer=42" } });
    const send = (name, options) => ask(mine, name, { model: routeFor(name), prompt: "What is 17 + 25?", ...options }).catch((e) => e);
    let sent = 0;
    const ids = [];
    for (const name of names)
      for (const options of [
        {},
        { stream: true },
        { headers: { "x-twin-fault": "status=500" } },
        { headers: { "x-twin-fault": "cut-after=3" }, stream: true },
        { headers: { "x-twin-fault": "drop-before-first-byte" } },
        { headers: { "x-twin-fault": "malformed-sse" }, stream: true },
        { model: "no-such-model" },
        { extra: { model: 17 } },
      ]) {
        await send(name, options);
        sent++;
        ids.push(mine.heard.at(-1).headers.get("x-equipoise-id"));
      }
    await ask(clientsOf(gateway.url, "sk-stranger"), "chat", { model: "assistant", prompt: "Hello" }).catch(() => {}); // no row

    assert.equal(new Set(ids).size, sent);
    const rows = await Promise.all(ids.map(gateway.row));
    assert.ok(rows.every(({ state }) => state));
    const total = rows.reduce((sum, { cost_usd }) => sum + pico(cost_usd ?? "0"), 0n);

    const useful = rows.filter(({ state }) => state === "ok");
    for (const [i, { id }] of useful.entries()) {
      const response = await fetch(`${gateway.url}/v1/feedback`, {
        method: "POST",
        headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
        body: JSON.stringify({ id, useful: i % 2 === 0 }),
      });
      assert.equal(response.status, 202, await response.text());
    }

    const { all, lines } = await until("all rows in the report", async () => {
      const told = await gateway.told("report", "--by", "tag");
      return told.all.rows === sent && told.all.judged === useful.length ? told : null;
    });
    assert.equal(pico(all.cost_usd), total);
    assert.ok(all.cost_per_useful_usd.estimate > 0);
    const customer = lines.find(({ tag }) => tag === "customer=42");
    assert.equal(customer.rows, sent);
    assert.equal(pico(customer.cost_usd), total);
  } finally {
    await gateway.stop();
  }
});
