// Long answers whose backend speaks another API: put back whole, off the workers' loops, whatever their clients do meanwhile.
import assert from "node:assert/strict";
import { after, Gateway, KEY, sha256, test } from "./stage.mjs";
import { until } from "./harness.mjs";
import { json, Recorder } from "./recorder.mjs";

const recorder = await Recorder.start();
const words = Array.from({ length: 250000 }, (_, i) => `word${i % 1000}`).join(" "); // 1.9 MiB
const told = { type: "message", id: "msg_1", role: "assistant", model: "m", stop_reason: "end_turn", usage: { input_tokens: 9, output_tokens: 250000 } };
const long = json(JSON.stringify({ ...told, content: [{ type: "text", text: words }] }));
const short = json(JSON.stringify({ ...told, content: [{ type: "text", text: "yes" }] }));
let onAsked = () => {};
recorder.answer = ({ body }) => {
  onAsked(body);
  return body.includes("at length") ? long : short;
};

const gateway = await Gateway.start({
  workers: 1,
  backends: { claude: { url: recorder.url, dialect: "anthropic", key: "k" } },
  routes: { assistant: { reference: "claude/m" } },
  keys: { web: { sha256: sha256(KEY), tenant: "acme" } },
  prices: { override: { "claude/m": { input: "$2.00/M", output: "$8.00/M" } } },
});
after(async () => {
  await gateway.stop();
  await recorder.stop();
});
const { openai } = gateway.clients();
const ask = (content, options) => openai.chat.completions.create({ model: "assistant", messages: [{ role: "user", content }] }, options);

test("answers of two megabytes come back whole, and short ones beside them", async () => {
  const asked = Array.from({ length: 12 }, (_, i) => ask(i % 3 === 0 ? "Tell me at length." : "Tell me."));
  const answers = await Promise.all(asked);

  answers.forEach(({ choices: [{ message }], usage }, i) => {
    assert.ok(message.content === (i % 3 === 0 ? words : "yes"), `answer ${i}`);
    assert.equal(usage.completion_tokens, 250000);
  });
});

test("clients that leave meanwhile are booked once each, and hold nobody up", async () => {
  const ended = async () => (await gateway.ended("client gone")) + (await gateway.ended("ok"));
  const before = await ended();
  const goneBefore = await gateway.ended("client gone");
  const aborts = Array.from({ length: 16 }, () => new AbortController());
  // Each leaves while its answer is on the way, or is put back, or told.
  onAsked = (body) => {
    const number = Number(body.toString().match(/at length, (\d+)/)?.[1]);
    if (number >= 0) setTimeout(() => aborts[number].abort(), 2 * number);
  };
  await Promise.all(aborts.map(({ signal }, i) => ask(`Tell me at length, ${i}`, { signal }).catch(() => {})));
  assert.equal((await ask("Tell me.")).choices[0].message.content, "yes");
  await until("all to be booked", async () => (await ended()) - before === aborts.length + 1);
  assert.ok((await gateway.ended("client gone")) > goneBefore); // the first leaves at once
});
