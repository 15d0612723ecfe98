// Backends that frame their answers in every way of framing/answers.mjs: the client gets a clean answer or a clean error,
// and who broke the protocol is not asked again on the same connection.
import assert from "node:assert/strict";
import { answers, good } from "./framing/answers.mjs";
import { after, Gateway, test } from "./stage.mjs";
import { Origin, Wire } from "./wire.mjs";

let now = { bytes: good }; // how the backend answers
const origin = await Origin.start(({ body }, socket) => {
  const fence = body.includes('"fence"');
  if (!fence) now.socket = socket;
  now.last = socket;
  if (fence) return good;
  socket.write(now.bytes, "latin1");
  if (now.leaves) socket.end();
});
const gateway = await Gateway.start({ workers: 1, backends: { rec: { url: origin.url } }, routes: { m: { reference: "rec/m", attempts: 1 } } });
const port = new URL(gateway.url).port;
after(async () => {
  await gateway.stop();
  await origin.stop();
});

const chat = (content, more = "") => {
  const body = `{"model":"m",${more}"messages":[{"role":"user","content":"${content}"}]}`;
  return `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
};

async function ask(request, bodyless) {
  const wire = await Wire.open(port);
  try {
    await wire.write(request);
    return await wire.answer(bodyless);
  } finally {
    wire.destroy();
  }
}

const closed = (socket) => socket.destroyed || new Promise((done) => socket.once("close", done));

async function play({ bytes, outcome: { status, body, reused, leaves, method, asked = 1 } }) {
  now = { bytes, leaves };
  const request = method ? `${method} /backend/rec/p HTTP/1.1\r\nHost: x\r\n\r\n` : chat("hostile");
  const got = await ask(request, method === "HEAD");
  assert.equal(got?.status, status, JSON.stringify(got));
  if (body !== undefined) assert.equal(got.body, body);
  if (status === 502) assert.match(JSON.parse(got.body).error.message, /127\.0\.0\.1:\d+ (broke the protocol|closed the connection)/);
  if (!reused) await closed(now.socket); // by the gateway, which has no more use for it
  assert.equal((await ask(chat("fence")))?.status, 200);
  assert.equal(now.last === now.socket, reused, "the connection is used again");
  assert.equal(origin.take().length, asked + 1, "how often it was asked, and the fence once");
}

test("every row says its section and differs from the others", () => {
  assert.equal(new Set(answers.map(({ bytes, outcome }) => bytes + outcome.method)).size, answers.length);
  for (const { section } of answers) assert.match(section, /^\d{4} \d/);
});

test("answers of hostile backends", { timeout: 600_000 }, async (t) => {
  const wrong = [];
  for (const row of answers) {
    try {
      await play(row);
    } catch (error) {
      wrong.push(`RFC ${row.section}, ${row.what}: ${error.message}`);
      origin.take();
    }
  }
  t.diagnostic(`${answers.length} framings`);
  assert.ok(wrong.length === 0, wrong.join("\n"));
});

test("an answer that nobody asked for ends an idle connection", async () => {
  now = { bytes: good };
  assert.equal((await ask(chat("hostile"))).status, 200);
  now.socket.write(good);
  await closed(now.socket);
  assert.equal((await ask(chat("fence"))).status, 200);
});

const STREAM = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const chunk = (text) => `${text.length.toString(16)}\r\n${text}\r\n`;
const event = chunk('data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n');
for (const [what, bytes, leaves] of [
  ["a broken chunk", `${STREAM}${event}x\r\n`],
  ["a chunk extension", `${STREAM}${event}1;a=b\r\n`],
  ["the end of the connection", `${STREAM}${event}`, true],
  ["a forbidden trailer", `${STREAM}${event}0\r\nContent-Length: 3\r\n\r\n`],
])
  test(`a stream that is cut by ${what} ends with an error event and no [DONE]`, async () => {
    now = { bytes, leaves };
    const got = await ask(chat("hostile", '"stream":true,'));
    assert.equal(got.status, 200);
    assert.match(got.body, /"content":"a"/);
    assert.match(got.body, /data: \{"error":\{"message":"the answer was cut/);
    assert.doesNotMatch(got.body, /\[DONE\]/);
    await closed(now.socket);
  });
