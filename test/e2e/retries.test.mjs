// What fails once and then works: retried by the SDK through the gateway, or by the gateway itself on another backend.
import assert from "node:assert/strict";
import { completion, error, Recorder } from "./recorder.mjs";
import { ask, names } from "./speak.mjs";
import { after, openStage, routeFor, test } from "./stage.mjs";

const upstream = await Recorder.start();
const spare = await Recorder.start();
spare.answer = () => completion("from the spare");
const stage = await openStage({
  change: (config) => {
    config.backends.scripted = { url: upstream.url };
    config.backends.spare = { url: spare.url };
    const both = { reference: "scripted/m", candidates: ["spare/m"], levers: { alternatives: "on" } };
    config.routes.with_spare = { ...both, attempts: 3 };
    config.routes.once_with_spare = { ...both, attempts: 1 };
    config.routes.once = { reference: "scripted/m", attempts: 1 };
    config.routes.thrice = { reference: "scripted/m", attempts: 3 };
    config.prices.override["scripted/m"] = { input: "$1/M", output: "$2/M" };
    config.prices.override["spare/m"] = { input: "$3/M", output: "$5/M" };
    return config;
  },
});
after(async () => {
  await stage.close();
  await upstream.stop();
  await spare.stop();
});

const failing = (status, times) => (request, count) =>
  count <= times ? error(`${status}\r\nretry-after-ms: 1`, { error: { message: "Not now", type: "server_error" } }) : completion("at last");

async function hear(model, maxRetries, answer) {
  upstream.requests.length = 0;
  upstream.answer = answer;
  const clients = stage.clients(undefined, { maxRetries });
  const made = await clients.openai.chat.completions.create({ model, messages: [{ role: "user", content: "Hello" }] });
  return { made, heard: clients.heard };
}

for (const status of ["429 Too Many Requests", "500 Internal Server Error", "503 Service Unavailable"])
  test(`the SDK's own retry gets through after ${status}; each try has its row`, async () => {
    const { made, heard } = await hear("once", 2, failing(status, 1));
    assert.equal(made.choices[0].message.content, "at last");
    assert.deepEqual(heard.map((answer) => answer.status), [parseInt(status), 200]);
    assert.equal(upstream.requests.length, 2);
    const ids = heard.map(({ headers }) => headers.get("x-equipoise-id"));
    assert.notEqual(ids[0], ids[1]);
    const rows = await Promise.all(ids.map(stage.gateway.row));
    assert.deepEqual(rows.map(({ state }) => state), ["upstream failed", "ok"]);
  });

for (const name of names)
  for (const stream of [false, true])
    test(`${name}: the SDK's retry gets through, ${stream ? "streamed" : "buffered"}`, async () => {
      const clients = stage.clients(undefined, { maxRetries: 2 });
      const request = { model: routeFor(name), prompt: "What is 1 + 2?", stream };
      await stage.twin.commit(["status=500*1"]);
      const { text } = await ask(clients, name, request);
      assert.match(text, /\S/);
      assert.deepEqual(clients.heard.map(({ status }) => status), [500, 200]);
    });

test("the gateway turns to another backend within the route's attempts, and the client sees one answer", async () => {
  spare.requests.length = 0;
  const { made, heard } = await hear("with_spare", 0, failing("500 Internal Server Error", 9));
  assert.equal(made.choices[0].message.content, "from the spare");
  assert.deepEqual([heard.length, upstream.requests.length, spare.requests.length], [1, 1, 1]);
  assert.equal(heard[0].headers.get("x-equipoise-model"), "spare/m");
  const row = await stage.gateway.row(heard[0].headers.get("x-equipoise-id"));
  assert.equal(Number(row.attempts), 2);
  assert.equal(row.state, "ok");
});

test("attempts are a budget: with one, nobody else is asked", async () => {
  spare.requests.length = 0;
  await assert.rejects(hear("once_with_spare", 0, failing("500 Internal Server Error", 9)), { status: 500 });
  assert.deepEqual([upstream.requests.length, spare.requests.length], [1, 0]);
});

test("a connection that the backend closed while it was idle costs nobody an error", async () => {
  for (let i = 0; i < 5; i++) {
    const { made } = await hear("thrice", 0, () => completion("still here"));
    assert.equal(made.choices[0].message.content, "still here");
    upstream.hangUp();
  }
});

test("what the client did wrong is not tried again", async () => {
  await assert.rejects(hear("with_spare", 0, failing("400 Bad Request", 9)), { status: 400 });
  assert.equal(upstream.requests.length, 1);
});
