// A client that leaves: the backend stops working at once, and one row says what happened.
import assert from "node:assert/strict";
import { until } from "./harness.mjs";
import { names, speakers } from "./speak.mjs";
import { after, openStage, routeFor, test } from "./stage.mjs";

const stage = await openStage();
after(() => stage.close());
const bodyOf = (name, prompt) => ({ ...speakers[name].body(routeFor(name), prompt, 4000), ...speakers[name].streaming });

// How many clients the backend has lost, once it does nothing any more.
const gone = async () => (await stage.twin.seen()).total.client_gone;
const losesOneClient = async (leave) => {
  const before = await gone();
  await leave();
  await until("the backend to notice", async () => (await gone()) === before + 1);
  const { running, waiting } = (await stage.twin.seen()).total;
  assert.deepEqual([running, waiting], [0, 0]);
};

for (const name of names) {
  const speaker = speakers[name];

  test(`${name}: a stream aborted half-way stops the backend, and what was generated is booked`, async () => {
    const clients = stage.clients(undefined, { headers: { "x-twin-fault": "stall-after=20" } });
    await losesOneClient(async () => {
      const stream = await speaker.call(clients, bodyOf(name, "Tell me a story of 2000 words."), {});
      let text = "";
      for await (const event of stream) {
        text += speaker.delta(event);
        if (text.length > 20) break; // the SDK aborts its connection
      }
    });
    const row = await stage.gateway.row(clients.heard[0].headers.get("x-equipoise-id"));
    assert.equal(row.state, "client gone");
    assert.equal(row.exactness, "estimated");
    assert.ok(Number(row.output_tokens) > 0);
    assert.ok(Number(row.cost_usd) > 0);
  });

  test(`${name}: a request aborted before the first byte stops the backend, and has its row`, async () => {
    const clients = stage.clients(undefined, { headers: { "x-twin-fault": "delay=600s" } });
    const prompt = `Nobody waits for this one (${name}).`;
    const before = await stage.gateway.ended("client gone");
    await losesOneClient(async () => {
      const controller = new AbortController();
      const failed = assert.rejects(Promise.resolve(speaker.call(clients, bodyOf(name, prompt), { signal: controller.signal })));
      await until("the backend to have it", async () => (await stage.twin.last())?.body.includes(prompt));
      controller.abort();
      await failed;
    });
    await until("its row", async () => (await stage.gateway.ended("client gone")) === before + 1);
  });
}
