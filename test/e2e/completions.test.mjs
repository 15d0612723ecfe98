// The older text completions through the official OpenAI SDK.
import assert from "node:assert/strict";
import { openStage, test, after } from "./stage.mjs";

const stage = await openStage();
after(() => stage.close());
const { openai } = stage.clients();
const model = stage.chatModel;

const gather = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return { chunks, text: chunks.map(({ choices }) => choices[0]?.text ?? "").join("") };
};

test("a streamed text is the buffered text", async () => {
  const body = { model, prompt: "Write 40 words about the sea.", max_tokens: 100, seed: 5 };
  const buffered = await openai.completions.create(body);
  const streamed = await gather(await openai.completions.create({ ...body, stream: true }));
  assert.equal(streamed.text, buffered.choices[0].text);
  assert.equal(buffered.usage.total_tokens, buffered.usage.prompt_tokens + buffered.usage.completion_tokens);
});

test("usage in a stream comes to those who ask for it, and only to them", async () => {
  const body = { model, prompt: "Write 40 words about the sea.", max_tokens: 100, stream: true };
  const asked = await gather(await openai.completions.create({ ...body, stream_options: { include_usage: true } }));
  assert.ok(asked.chunks.at(-1).usage.completion_tokens > 0);
  const notAsked = await gather(await openai.completions.create(body));
  assert.ok(notAsked.chunks.every(({ usage }) => usage == null));
});

test("a batch of prompts is answered under their indexes", async () => {
  const answer = await openai.completions.create({ model, prompt: ["What is 2 + 3?", "What is 30 + 40?"], max_tokens: 50 });
  assert.deepEqual(answer.choices.map(({ index }) => index), [0, 1]);
});

test("an answer that reaches its limit says so", async () => {
  const answer = await openai.completions.create({ model, prompt: "Write 40 words about the sea.", max_tokens: 4 });
  assert.equal(answer.choices[0].finish_reason, "length");
});
