// Replicas that are found in the DNS: addresses under a name, places of a service, and names on certificates.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Dns } from "./dns.mjs";
import { Program, run, until } from "./harness.mjs";
import { Recorder } from "./recorder.mjs";
import { after, equipoise, freePort, Gateway, scratch, test, usualConfig } from "./stage.mjs";

const dns = await Dns.start();
after(() => dns.stop());

// A modelled backend at an address of its own: all that a name leads to have one port.
async function twinAt(host, port) {
  const program = new Program("twin", process.env.EQUIPOISE, ["twin", "--listen", host, "--port", String(port), "--instant"]);
  await program.prints(new RegExp(`http://${host.replaceAll(".", "\\.")}:${port}`));
  const served = async () => (await (await fetch(`http://${host}:${port}/twin/seen`)).json()).total.requests;
  return { host, port, served, stop: () => program.stop() };
}

const configOf = (discover, more = {}) => ({
  ...usualConfig("http://127.0.0.1:9"),
  backends: { gpus: { discover: { resolver: dns.url, every: "100ms", ...discover }, engine: "twin", models: ["twin-medium"], policy: "round_robin", ...more } },
  routes: { assistant: { reference: "gpus/twin-medium" } },
  prices: { override: { "gpus/twin-medium": { input: "$1/M", output: "$3/M" } } },
});

const ask = (gateway) => gateway.clients().openai.chat.completions.create({
  model: "assistant", messages: [{ role: "user", content: `Hello ${Math.random()}` }] });

async function logs(gateway, pattern, act) {
  const from = gateway.program.output.length;
  act();
  await until(`the log to say ${pattern}`, () => pattern.test(gateway.program.output.slice(from)));
}

async function replicas(gateway) {
  const text = await (await fetch(`${gateway.admin}/metrics`)).text();
  return Number(text.match(/^equipoise_replicas_there\{backend="gpus"[^}]*\} (\d+)$/m)?.[1]);
}

test("an address that a name leads to joins, and one that it does not leaves", async () => {
  const port = await freePort();
  const [one, two] = [await twinAt("127.0.0.1", port), await twinAt("127.0.0.2", port)];
  dns.names = { "engines.internal": ["127.0.0.1"] };
  const gateway = await Gateway.start(configOf({ dns: `engines.internal:${port}` }));
  try {
    await ask(gateway);
    assert.equal(await two.served(), 0);
    await logs(gateway, /replicas of gpus: 2, before 1/, () => (dns.names = { "engines.internal": ["127.0.0.2", "127.0.0.1"] }));
    for (let i = 0; i < 4; i++) await ask(gateway);
    assert.ok((await two.served()) > 0);
    await until("both to be there", async () => (await replicas(gateway)) === 2);
    await logs(gateway, /replicas of gpus: 1, before 2/, () => (dns.names = { "engines.internal": ["127.0.0.2"] }));
    const before = await one.served();
    for (let i = 0; i < 4; i++) await ask(gateway);
    assert.equal(await one.served(), before);
    await until("one to be there", async () => (await replicas(gateway)) === 1);
    // Nobody knows the name, the server has trouble, or says nothing: all stays as it is, and the log says why.
    await logs(gateway, /backend gpus: its replicas stay as they are: .*no name 'engines\.internal'/, () => (dns.names = {}));
    await ask(gateway);
    await logs(gateway, /replicas of gpus: 2, before 1/, () => (dns.names = { "engines.internal": ["127.0.0.1", "127.0.0.2"] }));
    await logs(gateway, /its replicas stay as they are: .*code 2/, () => (dns.code = 2));
    await ask(gateway);
    delete dns.code;
    // What does not fit into a datagram is asked for again by TCP.
    await logs(gateway, /replicas of gpus: 1, before 2/, () => ((dns.truncates = true), (dns.names = { "engines.internal": ["127.0.0.1"] })));
    await ask(gateway);
  } finally {
    delete dns.code;
    delete dns.truncates;
    await gateway.stop();
    await one.stop();
    await two.stop();
  }
});

test("a name that is lost keeps its replicas, and nobody else from finding theirs", async () => {
  const [port, another] = [await freePort(), await freePort()];
  const twins = [await twinAt("127.0.0.1", port), await twinAt("127.0.0.2", port), await twinAt("127.0.0.1", another)];
  dns.names = { "engines.internal": ["127.0.0.1"], "lost.internal": ["127.0.0.1"] };
  const config = configOf({ dns: `engines.internal:${port}` });
  config.backends.others = { ...config.backends.gpus, discover: { resolver: dns.url, every: "1h", dns: `lost.internal:${another}` } };
  config.routes.other = { reference: "others/twin-medium" };
  config.prices.override["others/twin-medium"] = config.prices.override["gpus/twin-medium"];
  const gateway = await Gateway.start(config);
  try {
    await logs(gateway, /replicas of gpus: 2, before 1/, () => (dns.names = { "engines.internal": ["127.0.0.1", "127.0.0.2"] }));
    await gateway.clients().openai.chat.completions.create({ model: "other", messages: [{ role: "user", content: "Hello" }] });
    assert.equal(await twins[2].served(), 1);
    // Also when the user asks for the configuration to be read again.
    await logs(gateway, /the configuration was read again; .*\n.*there is no name 'lost\.internal', so its replicas stay/, () => gateway.program.child.kill("SIGHUP"));
  } finally {
    await gateway.stop();
    for (const twin of twins) await twin.stop();
  }
});

test("the places of a service, with ports of their own; the best priority alone", async () => {
  const ports = [await freePort(), await freePort(), await freePort()];
  const twins = await Promise.all(ports.map((port) => twinAt("127.0.0.1", port)));
  const name = "_http._tcp.engines.internal";
  dns.names = { "a.internal": ["127.0.0.1"] };
  dns.services = { [name]: [{ port: ports[0], target: "a.internal" }, { port: ports[1], target: "a.internal" }, { port: ports[2], target: "a.internal", priority: 7 }] };
  const gateway = await Gateway.start(configOf({ dns: name }));
  try {
    for (let i = 0; i < 6; i++) await ask(gateway);
    assert.ok((await twins[0].served()) > 0 && (await twins[1].served()) > 0);
    assert.equal(await twins[2].served(), 0);
    // Without addresses beside the records, each target is asked for.
    dns.lonely = true;
    await logs(gateway, /replicas of gpus: 1, before 2/, () => (dns.services = { [name]: [{ port: ports[2], target: "a.internal" }] }));
    for (let i = 0; i < 3; i++) await ask(gateway);
    assert.equal(await twins[2].served(), 3);
  } finally {
    delete dns.lonely;
    await gateway.stop();
    for (const twin of twins) await twin.stop();
  }
});

test("a replica that is found by its address shows a certificate with its name", async () => {
  const folder = scratch();
  const file = (name) => join(folder, name);
  const openssl = async (...args) => assert.equal((await run("openssl", args, { cwd: folder })).code, 0);
  await openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=trusted", "-keyout", "ca.key", "-out", "ca.pem");
  writeFileSync(file("ext"), "subjectAltName=DNS:engines.example\n");
  await openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=engines.example", "-keyout", "e.key", "-out", "e.csr");
  await openssl("x509", "-req", "-in", "e.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", "e.pem");
  const secure = await Recorder.start({ cert: readFileSync(file("e.pem")), key: readFileSync(file("e.key")) });
  dns.names = { "engines.internal": ["127.0.0.1"] };
  const place = `engines.internal:${new URL(secure.url).port}`;
  const asks = async (serverName) => {
    const gateway = await Gateway.start(configOf({ dns: place, server_name: serverName }, { ca: file("ca.pem"), health: "off", metrics: "off" }));
    try {
      return await ask(gateway).then(({ choices }) => choices[0].message.content, (error) => String(error));
    } finally {
      await gateway.stop();
    }
  };
  try {
    assert.equal(await asks("engines.example"), "yes");
    assert.match(await asks("another.example"), /certificate/i);
  } finally {
    await secure.stop();
  }
});

test("a server that says nothing is not waited for longer than some seconds, also when the gateway ends", async () => {
  dns.names = { "engines.internal": ["127.0.0.1"] };
  const gateway = await Gateway.start(configOf({ dns: "engines.internal:9" }, { health: "off", metrics: "off" }));
  const from = Date.now();
  try {
    await logs(gateway, /its replicas stay as they are: no server of the DNS that was asked for 'engines\.internal' answers/, () => (dns.silent = true));
    const before = dns.unheard;
    await until("the next look to be under way", () => dns.unheard > before);
  } finally {
    await gateway.stop();
    delete dns.silent;
  }
  assert.ok(Date.now() - from < 40_000, "a look takes ten seconds at most, and there were two");
});

test("while servers are silent, others are not kept from looking up where to send a request", async () => {
  const twin = await twinAt("127.0.0.1", await freePort());
  const config = configOf({ dns: "engines.internal:9" }, { health: "off", metrics: "off" });
  for (let i = 0; i < 8; i++) {
    config.backends[`gpus${i}`] = { ...config.backends.gpus, discover: { ...config.backends.gpus.discover, dns: `engines${i}.internal:9` } };
    config.prices.override[`gpus${i}/twin-medium`] = config.prices.override["gpus/twin-medium"];
  }
  config.backends.named = { url: `http://localhost:${twin.port}`, engine: "twin", models: ["twin-medium"], health: "off", metrics: "off" };
  config.prices.override["named/twin-medium"] = config.prices.override["gpus/twin-medium"];
  config.routes.assistant.reference = "named/twin-medium";
  dns.names = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`engines${i === 8 ? "" : i}.internal`, ["127.0.0.1"]]));
  const gateway = await Gateway.start(config);
  try {
    const before = dns.unheard, from = gateway.program.output.length;
    dns.silent = true;
    await until("looks to be under way", () => dns.unheard >= before + 2);
    await until("all of them to want to look", () => new Promise((done) => setTimeout(() => done(true), 300)));
    await ask(gateway);
    assert.doesNotMatch(gateway.program.output.slice(from), /its replicas stay as they are/, "it waited until a look was given up");
  } finally {
    dns.silent = false;
    await gateway.stop("SIGKILL");
    await twin.stop();
  }
});

test("what cannot be found is told at the start, with where it was asked", async () => {
  dns.names = {};
  const folder = scratch();
  for (const [discover, words] of [
    [{ dns: "engines.internal:8000" }, /there is no name 'engines\.internal'/],
    [{ dns: "_http._tcp.nowhere.internal" }, /there is no name '_http/],
    [{ dns: "engines.internal" }, /expected NAME:PORT/],
    [{ dns: "engines.internal:8000", resolver: "dns.example" }, /expected the address of a server/],
  ]) {
    const file = join(folder, "bad.yaml");
    writeFileSync(file, JSON.stringify({ listen: "127.0.0.1:0", ...configOf(discover) }));
    const { code, stderr } = await equipoise(["serve", "--config", file], { env: { UPSTREAM_KEY: "x" }, cwd: folder });
    assert.equal(code, 3);
    assert.match(stderr, words);
  }
});
