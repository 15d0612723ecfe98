// The framings of framing/requests.mjs against the live server: plain and TLS, each at once, cut in two, and byte by byte.
// FRAMING_SEED chooses the cuts.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cases } from "./framing/requests.mjs";
import { run } from "./harness.mjs";
import { after, Gateway, scratch, test } from "./stage.mjs";
import { Origin, Wire } from "./wire.mjs";

const seed = Number(process.env.FRAMING_SEED ?? 1);
const folder = scratch();
const { code, stderr } = await run("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=here", "-addext",
  "subjectAltName=IP:127.0.0.1", "-keyout", "here.key", "-out", "here.pem"], { cwd: folder });
assert.equal(code, 0, stderr);
const tls = { cert: join(folder, "here.pem"), key: join(folder, "here.key") };

const answer = ({ target }) =>
  target === "/204" ? "HTTP/1.1 204 No Content\r\n\r\n"
    : target === "/304" ? "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n"
      : "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const answerTo = (request) => (request.method === "HEAD" ? "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n" : answer(request));

// One worker: what it was given first it has served first, so that a request of our own shows that nothing else came.
async function openSide(ca) {
  const origin = await Origin.start(answerTo);
  const config = { workers: 1, backends: { rec: { url: origin.url } }, ...(ca && { tls }) };
  const gateway = await Gateway.start(config, { scheme: ca ? "https" : "http" });
  const port = new URL(gateway.url).port;
  const side = { origin, gateway, asked: 0, open: () => Wire.open(port, ca) };
  side.fence = await side.open();
  return side;
}
const sides = { plain: await openSide(), TLS: await openSide(readFileSync(tls.cert)) };
after(async () => {
  for (const { gateway, origin, fence } of Object.values(sides)) {
    fence.destroy();
    await gateway.stop();
    await origin.stop();
  }
});

const request = (target) => `GET /backend/rec${target} HTTP/1.1\r\nHost: x\r\n\r\n`;

// Everything that the gateway was sent before has been dealt with.
async function settle(side, wire = side.fence) {
  const target = `/fence-${++side.asked}`;
  await wire.write(request(target));
  assert.equal((await wire.answer())?.status, 200, "a request of our own is answered");
  return `GET ${target}`;
}

// A small generator (mulberry32), so that a failure can be had again.
function numbers(state) {
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const turn = () => new Promise((done) => setImmediate(done));
const deliveries = {
  "at once": (wire, bytes) => wire.write(bytes),
  "in two pieces": async (wire, bytes, side, below) => {
    const at = 1 + below(bytes.length - 1);
    await wire.write(bytes.slice(0, at));
    side.fences.push(await settle(side)); // the first piece has been read by itself
    await wire.write(bytes.slice(at));
  },
  "byte by byte": async (wire, bytes) => {
    for (let i = 0; i < bytes.length && !wire.ended; i++) {
      wire.write(bytes[i]);
      await turn();
    }
  },
};

async function play(side, deliver, below, { bytes, outcome }) {
  const { origin } = side;
  const hostile = outcome.end === "closed" && !outcome.large ? bytes + request("/smuggled") : bytes;
  const bodyless = outcome.sees.map((seen) => seen.startsWith("HEAD"));
  const wire = await side.open();
  try {
    side.fences = [];
    await deliver(wire, hostile, side, below);
    for (const status of outcome.answers) {
      const got = await wire.answer(status >= 200 ? bodyless.shift() : false);
      assert.equal(got?.status, status, `answers ${outcome.answers}; got ${JSON.stringify(got)}`);
      if (status >= 400) assert.ok(JSON.parse(got.body).error.message, "it says why");
    }
    if (outcome.end === "open") side.fences.push(await settle(side, wire));
    if (outcome.end === "closed") await wire.end();
    if (outcome.end === "left") await wire.leave();
    assert.equal(wire.messages.bytes.toString("latin1"), "", "nothing else comes back");
  } finally {
    wire.destroy();
  }
  side.fences.push(await settle(side));
  assert.deepEqual(origin.garbage.splice(0), []);
  const first = origin.requests.find(({ target }) => !target.startsWith("/fence-"));
  for (const [name, value] of Object.entries(outcome.headers ?? {}))
    assert.equal(first.headers.get(name)?.join() ?? null, value, `header ${name}`);
  const seen = origin.take();
  assert.deepEqual(seen.filter((text) => text.startsWith("GET /fence-")), side.fences);
  assert.deepEqual(seen.filter((text) => !text.startsWith("GET /fence-")), outcome.sees);
}

test("every row says its section and differs from the others", () => {
  assert.ok(cases.length >= 80);
  assert.equal(new Set(cases.map(({ bytes }) => bytes)).size, cases.length);
  for (const { section } of cases) assert.match(section, /^\d{4} \d/);
});

// RFC 9112, 9.6: a server that closed at once would reset the connection, and the answer could be lost with it.
for (const [name, side] of Object.entries(sides))
  test(`who sends on behind its last request still gets the answer, ${name}`, async (t) => {
    const wire = await side.open();
    t.after(() => (wire.destroy(), side.origin.take()));
    wire.socket.pause();
    await wire.write("GET /backend/rec/last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    while (!side.origin.requests.some(({ target }) => target === "/last")) await turn();
    await settle(side); // the answer is with the kernel
    for (let i = 0; i < 20; i++) {
      wire.socket.write("GET / HTTP/1.1\r\n");
      await settle(side);
    }
    assert.equal(wire.failed, null);
    wire.socket.resume();
    assert.equal((await wire.answer())?.status, 200);
    await wire.end();
    assert.equal(wire.failed, null);
    await wire.leave();
  });

for (const [name, side] of Object.entries(sides))
  for (const [way, deliver] of Object.entries(deliveries))
    test(`framings over ${name}, ${way}`, { timeout: 600_000 }, async (t) => {
      const below = numbers(seed);
      const failed = [];
      for (const row of cases) {
        if (row.outcome.large && way === "byte by byte") continue;
        try {
          await play(side, deliver, below, row);
        } catch (error) {
          failed.push(`RFC ${row.section}, ${row.what}: ${error.message}`);
          side.origin.requests.length = side.origin.garbage.length = 0;
        }
      }
      t.diagnostic(`${cases.length} framings, seed ${seed}`);
      assert.ok(failed.length === 0, failed.join("\n"));
    });
