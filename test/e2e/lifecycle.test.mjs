// Bypass at run time, a graceful stop, a crash.
import assert from "node:assert/strict";
import { until } from "./harness.mjs";
import { ask, names, speakers } from "./speak.mjs";
import { after, equipoise, Gateway, routeFor, test, Twin, usualConfig } from "./stage.mjs";

const twin = await Twin.start();
after(() => twin.stop());

const keyless = (config) => ({ ...config, backends: { twin: { url: twin.url, engine: "twin" }, claude: { url: twin.url, engine: "twin", dialect: "anthropic" } } });
const start = (change = (config) => config) => Gateway.start(change(keyless(usualConfig(twin.url))));

test("bypass sends everything to the reference, and off again, while it runs", async () => {
  const gateway = await start((config) => {
    const price = (usd) => ({ input: `$${usd}/M`, output: `$${usd}/M` });
    config.backends.cheap = { url: twin.url, engine: "twin" };
    config.routes.assistant = { reference: "twin/twin-medium", candidates: ["cheap/twin-medium"], levers: { alternatives: "on" } };
    config.prices.override = { "twin/twin-medium": price(8), "cheap/twin-medium": price(1) };
    return config;
  });
  try {
    const clients = gateway.clients();
    const served = async () => {
      const { headers } = await ask(clients, "chat", { model: "assistant", prompt: "Hello" });
      return { model: headers.get("x-equipoise-model"), saved: Number(headers.get("x-equipoise-saved-usd")) };
    };
    const cheap = await served();
    assert.equal(cheap.model, "cheap/twin-medium");
    assert.ok(cheap.saved > 0);

    const bypass = (state) => equipoise(["bypass", state, "--admin", gateway.admin.replace("http://", "")]);
    const on = await bypass("on");
    assert.equal(on.code, 0, on.stderr);
    assert.deepEqual(await served(), { model: "twin/twin-medium", saved: 0 });

    assert.equal((await bypass("off")).code, 0);
    assert.equal((await served()).model, "cheap/twin-medium");
  } finally {
    await gateway.stop();
  }
});

// A stream of that many tokens at a pace that leaves time to do something while it is under way.
async function underWay(gateway, name, fault) {
  const speaker = speakers[name];
  const clients = gateway.clients(undefined, { headers: { "x-twin-fault": fault } });
  const body = { ...speaker.body(routeFor(name), "Tell me a story of 60 words.", 400), ...speaker.streaming };
  const { data, response } = await speaker.call(clients, body, {}).withResponse();
  const events = data[Symbol.asyncIterator]();
  await events.next();
  return { id: response.headers.get("x-equipoise-id"), speaker, events };
}

for (const name of names)
  test(`${name}: SIGTERM lets a stream under way come to its end, and takes no new requests`, async () => {
    const gateway = await start();
    const { events, speaker } = await underWay(gateway, name, "slow=5ms");
    gateway.program.child.kill("SIGTERM");
    await until("the listener to close", () => fetch(`${gateway.url}/v1/models`).then((r) => r.status === 503, () => true));
    let text = "";
    let last;
    for (let next = await events.next(); !next.done; next = await events.next()) {
      text += speaker.delta(next.value);
      last = next.value;
    }
    assert.ok(text.split(" ").length > 30, text);
    assert.ok(last);
    assert.deepEqual(await gateway.program.end(), { code: 0, signal: null });
    gateway.program.check();
  });

test("after kill -9 and a restart no request is lost: what was settled is there, what was open is unknown", async () => {
  const gateway = await start();
  const clients = gateway.clients();
  const settled = [];
  for (const name of names) settled.push((await ask(clients, name, { model: routeFor(name), prompt: "What is 17 + 25?" })).id);
  const { id: open } = await underWay(gateway, "chat", "stall-after=5");
  gateway.program.child.kill("SIGKILL");
  await gateway.program.end();

  await gateway.launch();
  try {
    for (const id of settled) assert.equal((await gateway.row(id)).state, "ok");
    const row = await gateway.row(open);
    assert.equal(row.state, "unknown");
    assert.ok(Number(row.cost_usd) > 0, "charged at its estimate");
    const { all } = await gateway.told("report");
    assert.equal(all.rows, settled.length + 1);
    assert.equal(all.unknown, 1);
  } finally {
    await gateway.stop();
  }
});

test("--observe forwards and books, and no lever acts", async () => {
  const config = keyless(usualConfig(twin.url));
  const gateway = await Gateway.start(config, { args: ["--observe"] });
  try {
    const { id, headers } = await ask(gateway.clients(), "chat", { model: "assistant", prompt: "Hello" });
    assert.equal(headers.get("x-equipoise-source"), "reference");
    assert.equal((await gateway.row(id)).state, "ok");
  } finally {
    await gateway.stop();
  }
});
