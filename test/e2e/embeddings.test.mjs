// Embeddings through the official OpenAI SDK.
import assert from "node:assert/strict";
import { openStage, test, after } from "./stage.mjs";

const stage = await openStage();
after(() => stage.close());
const { openai } = stage.clients();
const model = stage.embeddingModel;

const length = (vector) => Math.hypot(...vector);

test("the SDK's default, base64, and plain floats are the same vector", async () => {
  const base64 = await openai.embeddings.create({ model, input: "the open sea" });
  const floats = await openai.embeddings.create({ model, input: "the open sea", encoding_format: "float" });
  const [a, b] = [base64.data[0].embedding, floats.data[0].embedding];
  assert.equal(a.length, b.length);
  assert.ok(Math.abs(length(a) - 1) < 1e-3);
  a.forEach((value, i) => assert.ok(Math.abs(value - b[i]) < 1e-5));
  assert.ok(base64.usage.prompt_tokens > 0);
  assert.deepEqual(base64.usage, floats.usage);
});

test("a batch comes back in its order", async () => {
  const input = ["the open sea", "a quiet library", "the open sea"];
  const { data } = await openai.embeddings.create({ model, input });
  assert.deepEqual(data.map(({ index }) => index), [0, 1, 2]);
  assert.deepEqual(data[0].embedding, data[2].embedding);
  assert.notDeepEqual(data[0].embedding, data[1].embedding);
});

test("the dimensions asked for are given", async () => {
  const { data } = await openai.embeddings.create({ model, input: "the open sea", dimensions: 64 });
  assert.equal(data[0].embedding.length, 64);
});
