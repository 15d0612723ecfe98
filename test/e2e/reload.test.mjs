// The configuration is read again while streams are under way; the service manager and the log of changes hear of it.
//
//   STREAMS=1000 RELOADS=100 test/e2e/run.sh reload.test.mjs     the whole of it, for a soak
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { connect } from "node:tls";
import { join } from "node:path";
import { run, until as usual } from "./harness.mjs";
import { costOf, pico } from "./speak.mjs";
import { after, equipoise, Gateway, KEY, scratch, test, Twin, usualConfig } from "./stage.mjs";

const STREAMS = Number(process.env.STREAMS ?? 40);
const RELOADS = Number(process.env.RELOADS ?? 12);
const PACE = STREAMS > 100 ? "slow=250ms" : "slow=4ms"; // so that the machine has time for as many words a second

const twin = await Twin.start(["--concurrency", "0"]); // or they would wait for each other
after(() => twin.stop());

// The output's price tells one configuration from another.
const priced = (output) => {
  const config = usualConfig(twin.url);
  config.backends = { twin: { url: twin.url, engine: "twin" } };
  config.routes = { assistant: config.routes.assistant };
  config.prices.override = { "twin/twin-medium": { input: "$2.00/M", output: `$${output}/M` } };
  return config;
};
const PRICES = [8, 16];

const write = (gateway, config) =>
  writeFileSync(gateway.file, typeof config === "string" ? config : JSON.stringify({ ...JSON.parse(readFileSync(gateway.file)), ...config }));

const heard = (gateway, words) => gateway.program.output.split(words).length - 1;

// One stream, read to its end: what it said, and the id of its row.
async function stream(gateway) {
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${KEY}`, "x-twin-fault": PACE },
    body: JSON.stringify({ model: "assistant", stream: true, messages: [{ role: "user", content: "Tell me a story of 60 words." }] }),
  });
  const text = await response.text();
  return { id: response.headers.get("x-equipoise-id"), status: response.status, text };
}

// One stream after another over one connection until `over`; `ended` gets { id, status, text } of each. A thousand such
// clients cost little enough that it is the gateway which is tested.
const streams = (gateway, over, ended) => new Promise((done, fail) => {
  const body = JSON.stringify({ model: "assistant", stream: true, max_completion_tokens: 40, messages: [{ role: "user", content: "Tell me a story of 60 words." }] });
  const bytes = `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nX-Twin-Fault: ${PACE}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const socket = net.connect({ port: Number(new URL(gateway.url).port), host: "127.0.0.1", noDelay: true });
  let [got, tail] = [[], ""];
  socket.on("connect", () => socket.write(bytes)).on("error", fail);
  socket.on("close", () => (over() && got.length === 0 ? done() : fail(new Error(`closed after ${JSON.stringify(Buffer.concat(got).toString())}`))));
  socket.on("data", (data) => {
    got.push(data);
    tail = (tail + data.latin1Slice(Math.max(0, data.length - 7))).slice(-7);
    if (tail !== "\r\n0\r\n\r\n") return;
    const text = Buffer.concat(got).toString();
    [got, tail] = [[], ""];
    ended({ id: text.match(/x-equipoise-id: (\S+)/i)[1], status: Number(text.slice(9, 12)), text });
    if (over()) socket.end();
    else socket.write(bytes);
  });
});
test(`${RELOADS} reloads under ${STREAMS} streams: no error, no row twice, each at the price that it began with`, { timeout: 600_000 }, async () => {
  const gateway = await Gateway.start(priced(PRICES[0]));
  try {
    const done = [];
    const took = [];
    let over = false;
    let failed = null;
    const readers = Promise.all(Array.from({ length: STREAMS }, () => streams(gateway, () => over, (one) => done.push(one))));
    readers.catch((error) => (failed = error));
    const until = (what, ask) => usual(what, async () => {
      if (failed) throw failed;
      return ask();
    });
    await until("the streams to run", () => done.length >= STREAMS / 4 || null);
    const good = JSON.stringify;
    for (let round = 1; round <= RELOADS; round++) {
      const config = { ...JSON.parse(readFileSync(gateway.file)), ...priced(PRICES[round % 2]) };
      if (round % 4 === 0) config.backends.other = { url: "http://127.0.0.1:9" }; // backends come and go
      const bad = round % 5 === 0;
      writeFileSync(gateway.file, bad ? `${good(config)}\n}` : good(config));
      const [taken, refused] = [heard(gateway, "the configuration was read again; "), heard(gateway, "is not taken over")];
      const begun = performance.now();
      gateway.program.child.kill("SIGHUP");
      await until("the reload", () => heard(gateway, "the configuration was read again; ") > taken || heard(gateway, "is not taken over") > refused || null);
      took.push(performance.now() - begun);
      assert.equal(heard(gateway, "is not taken over") > refused, bad);
      if (bad) writeFileSync(gateway.file, good(config));
      const enough = done.length + Math.ceil(STREAMS / RELOADS); // so that some begin under this one
      await until("streams to end", () => done.length >= enough || null);
    }
    over = true;
    took.sort((a, b) => a - b);
    await readers;

    for (const { status, text } of done) {
      assert.equal(status, 200, text);
      assert.ok(text.endsWith("data: [DONE]\n\n\r\n0\r\n\r\n"), text.slice(-200));
      assert.ok(!text.includes('"error"'), text);
    }
    const ids = new Set(done.map(({ id }) => id));
    assert.equal(ids.size, done.length);
    await until("all rows", async () => (await gateway.ended("ok")) === done.length || null);
    const costs = PRICES.map(() => 0);
    const look = async (id) => {
      const row = await gateway.row(id);
      const which = PRICES.findIndex((usd) => pico(row.cost_usd) === costOf(row.input_tokens, 2) + costOf(row.output_tokens, usd));
      assert.equal(row.state, "ok");
      assert.notEqual(which, -1, JSON.stringify(row));
      assert.equal(row.baseline_usd, row.cost_usd);
      costs[which]++;
    };
    const left = [...ids];
    await Promise.all(Array.from({ length: 16 }, async () => {
      while (left.length > 0) await look(left.pop());
    }));
    assert.ok(costs.every((count) => count > 0), costs.join());
    console.log(`result: ${RELOADS} reloads under ${STREAMS} streams at a time, ${done.length} in all, as many rows; ` +
      `a reload takes ${took[took.length >> 1].toFixed(0)} ms (median), ${took.at(-1).toFixed(0)} ms at most`);
  } finally {
    await gateway.stop();
  }
});

test("`equipoise reload` waits until it holds, says what changed, and refuses a bad file whole", async () => {
  const gateway = await Gateway.start(priced(8), { args: ["--observe"] });
  const reload = () => equipoise(["reload", "--admin", gateway.admin.replace("http://", "")]);
  try {
    write(gateway, { ...priced(16), workers: 1 });
    const good = await reload();
    assert.equal(good.code, 0, good.stderr);
    assert.match(good.stdout, /changed: prices\.override\.twin\/twin-medium\.output; only a restart changes: workers/);
    const { id } = await stream(gateway); // the very next request
    const row = await gateway.row(id);
    assert.equal(pico(row.cost_usd), costOf(row.input_tokens, 2) + costOf(row.output_tokens, 16));
    const levers = await equipoise(["lever", "--admin", gateway.admin.replace("http://", "")]);
    assert.match(levers.stdout, /The gateway observes/); // the command line stays above the file

    write(gateway, '{ "backends": { "twin": { "url": "nonsense" } }, "rutes": {} }');
    const bad = await reload();
    assert.equal(bad.code, 3);
    assert.match(bad.stderr, /unknown key "rutes"/);
    assert.match(bad.stderr, /not a URL/);
    assert.equal((await stream(gateway)).status, 200);

    const { stdout } = await gateway.command("changes", "--since", "1h");
    assert.match(stdout, /price twin\/twin-medium: input: \$2.00\/M, output: \$8\/M -> input: \$2.00\/M, output: \$16\/M {2}\(file reload\)/);
    assert.ok(!stdout.includes(KEY));
  } finally {
    await gateway.stop();
  }
});

test("a file that was cut off opens no gateway with keys to everybody, and leaves none without backends", async () => {
  const gateway = await Gateway.start(priced(8));
  const whole = readFileSync(gateway.file, "utf8");
  const { keys, ...keyless } = JSON.parse(whole);
  const ask = () => fetch(`${gateway.url}/v1/models`);
  try {
    for (const [cut, says] of [["", /no key is left.*\n.*cut off[^]*no backend is left/], [JSON.stringify(keyless), /no key is left/]]) {
      writeFileSync(gateway.file, cut);
      const { code, stderr } = await equipoise(["reload", "--admin", gateway.admin.replace("http://", "")]);
      assert.equal(code, 3);
      assert.match(stderr, says);
      assert.equal((await ask()).status, 401);
      assert.equal((await stream(gateway)).status, 200);
    }
    writeFileSync(gateway.file, whole);
    const { code, stderr } = await equipoise(["reload", "--admin", gateway.admin.replace("http://", "")]);
    assert.equal(code, 0, stderr);
  } finally {
    await gateway.stop();
  }
});

test("a key that is taken out of the file is refused, while its stream goes on", async () => {
  const gateway = await Gateway.start(priced(8));
  const { keys, ...without } = JSON.parse(readFileSync(gateway.file));
  assert.ok(keys.web);
  try {
    const under_way = fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${KEY}`, "x-twin-fault": "slow=20ms" },
      body: JSON.stringify({ model: "assistant", stream: true, messages: [{ role: "user", content: "Tell me a story of 60 words." }] }),
    });
    const response = await under_way;
    writeFileSync(gateway.file, JSON.stringify({ ...without, keys: { other: { ...keys.web, sha256: keys.web.sha256.replace(/^./, (c) => (c === "0" ? "1" : "0")) } } }));
    const { code, stderr } = await equipoise(["reload", "--admin", gateway.admin.replace("http://", "")]);
    assert.equal(code, 0, stderr);
    assert.equal((await stream(gateway)).status, 401);
    assert.ok((await response.text()).endsWith("data: [DONE]\n\n"));
    assert.equal((await gateway.row(response.headers.get("x-equipoise-id"))).state, "ok");
  } finally {
    await gateway.stop();
  }
});

test("a certificate that was renewed is used after a reload; a broken one changes nothing", async () => {
  const folder = scratch();
  const certificate = async (name) => {
    const args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", `/CN=${name}`, "-keyout", "server.key", "-out", "server.pem"];
    const { code, stderr } = await run("openssl", args, { cwd: folder });
    assert.equal(code, 0, stderr);
  };
  await certificate("first");
  const tls = { cert: join(folder, "server.pem"), key: join(folder, "server.key") };
  const gateway = await Gateway.start({ ...priced(8), tls }, { scheme: "https" });
  const reload = () => equipoise(["reload", "--admin", gateway.admin.replace("http://", "")]);
  const shown = () =>
    new Promise((done, fail) => {
      const socket = connect({ port: Number(new URL(gateway.url).port), host: "127.0.0.1", rejectUnauthorized: false }, () => {
        done(socket.getPeerCertificate().subject.CN);
        socket.destroy();
      });
      socket.on("error", fail);
    });
  try {
    assert.equal(await shown(), "first");
    await certificate("second");
    assert.equal((await reload()).code, 0);
    assert.equal(await shown(), "second");
    writeFileSync(tls.cert, "no certificate");
    const { code, stderr } = await reload();
    assert.equal(code, 3);
    assert.match(stderr, /the certificate cannot be used/);
    assert.equal(await shown(), "second");
  } finally {
    await gateway.stop();
  }
});
