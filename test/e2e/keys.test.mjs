// Clients' keys: made by the program, stored hashed, with an end, under either header.
import assert from "node:assert/strict";
import { ask } from "./speak.mjs";
import { equipoise, KEY, openStage, sha256, test, after, Gateway, scratch } from "./stage.mjs";

const expired = "sk-e2e-this-was-good-until-yesterday";
const narrow = "sk-e2e-this-is-for-one-route";
const stage = await openStage({
  change: (config) => {
    config.keys.expired = { sha256: sha256(expired), expires: "2020-01-01" };
    config.keys.narrow = { sha256: sha256(narrow), routes: ["helper"] };
    return config;
  },
});
after(() => stage.close());

const post = (headers, path = "/v1/chat/completions", model = "assistant") =>
  fetch(stage.gateway.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ model, max_tokens: 50, messages: [{ role: "user", content: "Hello" }] }),
  });

for (const [path, model] of [["/v1/chat/completions", "assistant"], ["/v1/messages", "helper"]])
  test(`${path} takes the key from Authorization and from x-api-key`, async () => {
    for (const headers of [{ authorization: `Bearer ${KEY}` }, { "x-api-key": KEY }, { Authorization: `bearer ${KEY}` }])
      assert.equal((await post(headers, path, model)).status, 200, JSON.stringify(headers));
    for (const headers of [{}, { authorization: "Bearer " }, { authorization: `Basic ${KEY}x` }, { "x-api-key": `${KEY}x` }])
      assert.equal((await post(headers, path, model)).status, 401, JSON.stringify(headers));
  });

test("a key past its end is refused, and told so", async () => {
  const response = await post({ authorization: `Bearer ${expired}` });
  assert.equal(response.status, 401);
  assert.match((await response.json()).error.message, /expire/i);
});

test("a key for some routes gets no others", async () => {
  assert.equal((await post({ authorization: `Bearer ${narrow}` })).status, 403);
  assert.equal((await post({ authorization: `Bearer ${narrow}` }, "/v1/messages", "helper")).status, 200);
});

test("what `keys add` prints works in a configuration, and the configuration does not hold the key", async () => {
  const folder = scratch();
  const { code, stdout, stderr } = await equipoise(["keys", "add", "fresh"], { cwd: folder });
  assert.equal(code, 0, stderr);
  const [key, , heading, line] = stdout.split("\n");
  assert.match(key, /^\S{20,}$/, stderr);
  assert.equal(heading, "keys:");
  assert.ok(!line.includes(key));

  const gateway = await Gateway.start(({ listen, admin }) => `
listen: ${listen}
admin: ${admin}
data: data
backends:
  twin: { url: "${stage.twin.url}", key: $UPSTREAM_KEY }
routes:
  assistant: { reference: twin/twin-medium }
${heading}
${line}
`);
  try {
    const { text } = await ask(gateway.clients(key), "chat", { model: "assistant", prompt: "What is 1 + 1?" });
    assert.match(text, /\S/);
    await assert.rejects(ask(gateway.clients(KEY), "chat", { model: "assistant", prompt: "Hello" }), { status: 401 });
  } finally {
    await gateway.stop();
  }
});

test("no key is ever printed", () => {
  for (const secret of [KEY, expired, narrow, "sk-upstream-only-the-gateway-knows"])
    assert.ok(!stage.gateway.program.output.includes(secret));
});
