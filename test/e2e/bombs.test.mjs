// Bodies that are small to send and large to keep, or large without end; heads and bodies that never come. Each is refused,
// within bounded memory, and nobody else notices.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { after, Gateway, test } from "./stage.mjs";
import { Origin, Wire } from "./wire.mjs";
import { good } from "./framing/answers.mjs";

const MiB = 1024 * 1024;
const BODY_MOST = 8 * MiB;
const origin = await Origin.start(() => good);
const start = (limits) => Gateway.start({
  workers: 1,
  backends: { rec: { url: origin.url } },
  routes: { m: { reference: "rec/m", attempts: 1 } },
  limits,
}, { env: { ASAN_OPTIONS: "detect_stack_use_after_return=1:quarantine_size_mb=1:thread_local_quarantine_size_kb=64" } });
const gateway = await start({ body: "8MiB", header_timeout: "10m", body_timeout: "10m" });
const port = new URL(gateway.url).port;
after(async () => {
  await gateway.stop();
  await origin.stop();
});

// The most memory that the gateway ever had, in bytes.
const peak = () => 1024 * Number(readFileSync(`/proc/${gateway.program.child.pid}/status`, "latin1").match(/^VmHWM:\s+(\d+)/m)[1]);

async function grown(work) {
  const before = peak();
  await work();
  return peak() - before;
}

const ask = (body, headers = {}, path = "/v1/chat/completions", url = gateway.url) =>
  fetch(url + path, { method: "POST", headers: { "content-type": "application/json", ...headers }, body });
const others = async (url) => {
  const answer = await ask('{"model":"m","messages":[{"role":"user","content":"hello"}]}', {}, undefined, url);
  assert.equal(answer.status, 200, await answer.text());
};
await others();
origin.take();

for (const [what, body, status] of [
  ["JSON 100,000 deep", `{"model":"m","messages":${"[".repeat(1e5)}${"]".repeat(1e5)}}`, 400],
  ["JSON 100,000 deep, not ended", `{"model":"m","messages":${'{"a":'.repeat(1e5)}`, 400],
  ["two models", '{"model":"m","messages":[{"role":"user","content":"hello"}],"model":"n"}', 400],
  ["two models, one of them escaped", '{"model":"m","messages":[{"role":"user","content":"hello"}],"mod\\u0065l":"n"}', 400],
  ["two streams", '{"model":"m","stream":false,"messages":[{"role":"user","content":"hello"}],"stream":true}', 400],
  ["a model of a megabyte", `{"model":"${"m".repeat(MiB)}","messages":[]}`, 400],
  ["no JSON", "\0".repeat(MiB), 400],
  ["no object", `[${"0,".repeat(MiB)}0]`, 400],
  ["a number of a megabyte", `{"model":"m","messages":[],"n":${"9".repeat(MiB)}}`, 400],
])
  test(`${what}: ${status}, and at most 100 times its size in memory`, async () => {
    let answer;
    const grew = await grown(async () => {
      answer = await ask(body);
      assert.match((await answer.json()).error.message, /\S/);
    });
    assert.equal(answer.status, status);
    assert.ok(grew < 100 * body.length + 4 * MiB, `${grew} bytes for ${body.length}`);
    assert.deepEqual(origin.take(), []);
    await others();
    origin.take();
  });

test("a million members and a million empty objects: served, and at most 100 times their size in memory", async () => {
  for (const more of [`"x":{${Array.from({ length: 5e5 }, (_, i) => `"${i}":0`)}}`, `"x":[${"{},".repeat(1e6)}{}]`]) {
    const body = `{"model":"m","messages":[{"role":"user","content":"hello"}],${more}}`;
    const grew = await grown(async () => assert.equal((await ask(body)).status, 200));
    assert.ok(grew < 100 * body.length, `${grew} bytes for ${body.length}`);
    assert.equal(origin.requests.at(-1).body, body);
    origin.take();
  }
});

test("a gigabyte sent in chunks: refused after the limit, and no more than that in memory", async () => {
  const wire = await Wire.open(port);
  const piece = `100000\r\n${" ".repeat(MiB)}\r\n`;
  let sent = 0;
  const grew = await grown(async () => {
    await wire.write("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (; sent < 1024 && !wire.ended && wire.messages.bytes.length === 0; sent++) await wire.write(piece);
    const answer = await wire.answer();
    // Who goes on sending beyond what is heard out may find the connection reset, and the answer with it (RFC 9112, 9.6).
    if (answer !== null && !answer.nothing) assert.equal(answer.status, 413);
    await wire.end();
  });
  wire.destroy();
  assert.ok(sent < 64, `${sent} MiB were taken of what may have 8`);
  assert.ok(grew < 8 * BODY_MOST, `${grew} bytes`);
  assert.deepEqual(origin.take(), []);
});

test("packed bodies are not unpacked: 415, and nothing is booked", async () => {
  const bomb = gzipSync(Buffer.alloc(16 * MiB, " "));
  for (const coding of ["gzip", "GZIP", "br", "zstd", "deflate", "gzip, gzip", "identity, gzip"]) {
    const answer = await ask(bomb, { "content-encoding": coding });
    assert.equal(answer.status, 415, coding);
    assert.match((await answer.json()).error.message, /Content-Encoding/);
  }
  assert.equal((await ask('{"model":"m","messages":[]}', { "content-encoding": "identity" })).status, 200);
  const through = await ask(bomb, { "content-encoding": "gzip" }, "/backend/rec/p");
  assert.equal(through.status, 200, "a pass-through is the backend's business");
  assert.equal(origin.requests.at(-1).body, bomb.toString("latin1"));
  origin.take();
});

test("tags without end are cut between two of them", async () => {
  const tags = Array.from({ length: 2000 }, (_, i) => `t${i}=v`).join();
  const answer = await ask('{"model":"m","messages":[]}', { "x-equipoise-tags": tags });
  assert.equal(answer.status, 200);
  const row = await gateway.row(answer.headers.get("x-equipoise-id"));
  assert.ok(JSON.stringify(row.tags).length < 1024);
});

test("heads and bodies that do not come end with 408, and others are served meanwhile", async () => {
  const impatient = await start({ header_timeout: "3s", body_timeout: "3s" });
  const half = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\nX: ";
  const wires = await Promise.all(Array.from({ length: 40 }, () => Wire.open(new URL(impatient.url).port)));
  const ends = wires.map(async (wire, i) => {
    await wire.write(i % 2 ? half : `${half}\r\n\r\n{`);
    const drip = setInterval(() => wire.write("x"), 20); // trickling bytes buy no time
    try {
      assert.equal((await wire.answer())?.status, 408);
      await wire.end();
    } finally {
      clearInterval(drip);
      wire.destroy();
    }
  });
  for (let i = 0; i < 20; i++) await others(impatient.url);
  await Promise.all(ends);
  await impatient.stop();
});

test("an answer without end to a client that reads nothing does not fill the memory", async () => {
  const flood = Buffer.alloc(MiB, "x");
  origin.answer = (request, socket) => {
    socket.write("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n");
    let written = 0;
    const go = () => {
      while (written++ < 256) if (!socket.write(flood)) return socket.once("drain", go);
      socket.end();
    };
    go();
  };
  const wires = [];
  const grew = await grown(async () => {
    for (let i = 0; i < 4; i++) {
      const wire = await Wire.open(port);
      wire.socket.pause();
      await wire.write('POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 27\r\n\r\n{"model":"m","messages":[]}');
      wires.push(wire);
    }
    origin.answer = () => good;
    for (let i = 0; i < 50; i++) await others();
  });
  wires.forEach((wire) => wire.destroy());
  assert.ok(grew < 128 * MiB, `${grew} bytes of 1 GiB`);
});
