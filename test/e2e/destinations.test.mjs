// Where requests go: to no backend that a tenant's rules exclude, with the backend's own credential, and past the routes
// to a backend by its name.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { completion, Recorder } from "./recorder.mjs";
import { ask } from "./speak.mjs";
import { KEY, openStage, sha256, test, after } from "./stage.mjs";

const european = "sk-e2e-data-stays-in-europe";
const upstream = await Recorder.start();
const stage = await openStage({
  env: { SCRIPTED_KEY: "the-backends-own-secret", AZURE_KEY: "the-secret-for-azure" },
  change: (config) => {
    config.backends.scripted = { url: upstream.url, key: "$SCRIPTED_KEY", region: "us" };
    config.backends.azure = { url: `${upstream.url}/openai?api-version=2030`, auth: { header: "api-key", key: "$AZURE_KEY" }, region: "eu" };
    config.backends.minted = { url: upstream.url, auth: { command: "printf from-a-command" } };
    config.routes.american = { reference: "scripted/m" };
    config.routes.on_azure = { reference: "azure/m" };
    config.routes.by_command = { reference: "minted/m" };
    config.keys.european = { sha256: sha256(european), tenant: "europe" };
    config.tenants = { europe: { allow: { region: "eu" } } };
    return config;
  },
});
after(async () => {
  await stage.close();
  await upstream.stop();
});

const passThrough = (path, { key = KEY, ...options } = {}) =>
  fetch(`${stage.gateway.url}/backend/${path}`, { ...options, headers: { authorization: `Bearer ${key}`, ...options.headers } });

test("a tenant's request never goes to a region that its rules exclude", async () => {
  const before = upstream.requests.length;
  const clients = stage.clients(european);
  await assert.rejects(ask(clients, "chat", { model: "american", prompt: "Hello" }), (caught) => {
    assert.ok(caught instanceof OpenAI.PermissionDeniedError, `${caught.constructor.name}: ${caught.message}`);
    return true;
  });
  assert.equal((await passThrough("scripted/v1/models", { key: european })).status, 403);
  assert.equal(upstream.requests.length, before, "nothing was sent");
  const row = await stage.gateway.row(clients.heard[0].headers.get("x-equipoise-id"));
  assert.equal(row.state, "refused");

  upstream.answer = () => completion();
  await ask(clients, "chat", { model: "on_azure", prompt: "Hello" });
  assert.equal(upstream.requests.length, before + 1);
});

for (const [route, header, secret] of [
  ["american", "authorization", "Bearer the-backends-own-secret"],
  ["on_azure", "api-key", "the-secret-for-azure"],
  ["by_command", "authorization", "Bearer from-a-command"],
])
  test(`${route}: the backend's credential goes out as ${header}, the client's never`, async () => {
    upstream.answer = () => completion();
    for (const headers of [{ authorization: `Bearer ${KEY}` }, { "x-api-key": KEY }])
      await fetch(`${stage.gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body: JSON.stringify({ model: route, messages: [{ role: "user", content: "Hello" }] }),
      });
    for (const { head } of upstream.requests.slice(-2)) {
      assert.ok(!head.includes(KEY), head);
      const credentials = head.split("\r\n").filter((line) => /^(authorization|api-key|x-api-key):/i.test(line));
      assert.deepEqual(credentials.map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase())), [`${header}: ${secret}`]);
    }
  });

test("a backend's base path and query go with every request", () =>
  assert.match(upstream.requests.find(({ head }) => /api-key/i.test(head)).head,
    /^POST \/openai\/(v1\/)?chat\/completions\?api-version=2030 HTTP\/1\.1/));

test("/backend/NAME/... reaches anything else that a backend has", async () => {
  const models = await (await passThrough("twin/v1/models")).json();
  assert.ok(models.data.some(({ id }) => id === "twin-medium"));

  upstream.answer = () => completion("passed through");
  const response = await passThrough("scripted/v1/rerank?top=3", { method: "POST", body: "any \u0001 bytes" });
  assert.equal(response.status, 200);
  assert.match(await response.text(), /passed through/);
  assert.match(upstream.last.head, /^POST \/v1\/rerank\?top=3 HTTP\/1\.1/);
  assert.equal(upstream.last.body.toString(), "any \u0001 bytes");
  assert.ok(!upstream.last.head.includes(KEY));

  const row = await stage.gateway.row(response.headers.get("x-equipoise-id"));
  assert.equal(row.api, "passthrough");
  assert.equal(Number(row.input_tokens), 10);
});

test("/backend/NAME/... asks for a key, and for a backend that there is", async () => {
  const before = upstream.requests.length;
  assert.equal((await passThrough("scripted/v1/models", { key: "sk-stranger" })).status, 401);
  assert.equal((await passThrough("nowhere/v1/models")).status, 404);
  assert.equal(upstream.requests.length, before);
});

test("the SDK works through /backend/NAME", async () => {
  const openai = new OpenAI({ apiKey: KEY, baseURL: `${stage.gateway.url}/backend/twin/v1`, maxRetries: 0 });
  const body = { model: "twin-medium", messages: [{ role: "user", content: "Tell me a story of 30 words." }] };
  const streamed = await openai.chat.completions.stream(body).finalContent();
  assert.equal(streamed, (await openai.chat.completions.create(body)).choices[0].message.content);
});
