// TLS towards clients and towards backends, with certificates made for the occasion.
import assert from "node:assert/strict";
import { once } from "node:events";
import https from "node:https";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./harness.mjs";
import { completion, Recorder } from "./recorder.mjs";
import { ask } from "./speak.mjs";
import { Gateway, KEY, scratch, test, after, usualConfig } from "./stage.mjs";

const folder = scratch();
const file = (name) => join(folder, name);
const openssl = async (...args) => {
  const { code, stderr } = await run("openssl", args, { cwd: folder });
  assert.equal(code, 0, stderr);
};

async function authority(name) {
  await openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.pem`);
}

async function certificate(name, ca, names) {
  writeFileSync(file(`${name}.ext`), `subjectAltName=${names}\n`);
  await openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.csr`);
  await openssl("x509", "-req", "-in", `${name}.csr`, "-CA", `${ca}.pem`, "-CAkey", `${ca}.key`, "-CAcreateserial", "-days", "2", "-extfile", `${name}.ext`, "-out", `${name}.pem`);
}

await authority("trusted");
await authority("stranger");
await certificate("here", "trusted", "IP:127.0.0.1,DNS:localhost");
await certificate("elsewhere", "trusted", "DNS:elsewhere.example");
await certificate("forged", "stranger", "IP:127.0.0.1,DNS:localhost");

const secure = (name) => Recorder.start({ cert: readFileSync(file(`${name}.pem`)), key: readFileSync(file(`${name}.key`)) });
const upstreams = { here: await secure("here"), elsewhere: await secure("elsewhere"), forged: await secure("forged") };

const config = usualConfig("http://127.0.0.1:9");
for (const [name, { url }] of Object.entries(upstreams)) {
  config.backends[name] = { url, ca: file("trusted.pem") };
  config.routes[name] = { reference: `${name}/m`, attempts: 1 };
}
config.backends.by_name = { url: upstreams.here.url.replace("127.0.0.1", "localhost"), ca: file("trusted.pem") };
config.routes.by_name = { reference: "by_name/m", attempts: 1 };
config.backends.unchecked = { url: upstreams.forged.url, verify: false };
config.routes.unchecked = { reference: "unchecked/m", attempts: 1 };
config.backends.systems_own = { url: upstreams.here.url };
config.routes.systems_own = { reference: "systems_own/m", attempts: 1 };

const gateway = await Gateway.start({ ...config, tls: { cert: file("here.pem"), key: file("here.key") } }, { scheme: "https" });
after(async () => {
  await gateway.stop();
  await Promise.all(Object.values(upstreams).map((upstream) => upstream.stop()));
});

// fetch, over TLS with an authority of our own.
function fetchTrusting(ca) {
  return (url, { method, headers, body } = {}) => new Promise((done, fail) => {
    const request = https.request(url, { method, headers: Object.fromEntries(new Headers(headers)), ca, agent: false }, async (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      await once(answer, "end");
      done(new Response(Buffer.concat(chunks), { status: answer.statusCode, headers: answer.headers }));
    });
    request.on("error", fail).end(body);
  });
}
const trusting = fetchTrusting(readFileSync(file("trusted.pem")));
const clients = gateway.clients(KEY, { fetch: trusting });
const say = (model) => ask(clients, "chat", { model, prompt: "Hello" });

test("clients verify the gateway", async () => {
  assert.equal((await say("here")).text, "yes");
  await assert.rejects(fetchTrusting(readFileSync(file("stranger.pem")))(`${gateway.url}/v1/models`), /certificate|issuer|self.signed/i);
});

test("a backend whose certificate is right is talked to, by address and by name", async () => {
  for (const route of ["here", "by_name"]) assert.equal((await say(route)).text, "yes", route);
});

for (const [route, upstream, why] of [
  ["elsewhere", "elsewhere", "made out to another host"],
  ["forged", "forged", "by an unknown authority"],
  ["systems_own", "here", "by an authority that the system does not know"],
])
  test(`a backend whose certificate is ${why} gets no request, and the client a clear 502`, async () => {
    const before = upstreams[upstream].requests.length;
    await assert.rejects(say(route), (caught) => {
      assert.equal(caught.status, 502);
      assert.match(caught.message, /certificate|TLS/i);
      return true;
    });
    assert.equal(upstreams[upstream].requests.length, before);
  });

test("`verify: false` talks to anyone", async () => assert.equal((await say("unchecked")).text, "yes"));
