// Chat completions through the official OpenAI SDK.
import assert from "node:assert/strict";
import { openStage, test, after } from "./stage.mjs";

const stage = await openStage();
after(() => stage.close());
const { openai } = stage.clients();
const model = stage.chatModel;
const user = (content) => [{ role: "user", content }];

const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const clock = {
  type: "function",
  function: {
    name: "get_time",
    description: "The local time of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

test("a buffered answer has text, a reason to stop, and usage that adds up", async () => {
  const answer = await openai.chat.completions.create({ model, messages: user("What is 17 + 25?") });
  assert.match(answer.choices[0].message.content, /\S/);
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  assert.ok(answer.usage.completion_tokens > 0);
});

test("the stream helper gathers the very text that a buffered answer has", async () => {
  const body = { model, messages: user("Tell me a story of 60 words."), seed: 7 };
  const buffered = await openai.chat.completions.create(body);
  const streamed = await openai.chat.completions.stream(body).finalChatCompletion();
  assert.equal(streamed.choices[0].message.content, buffered.choices[0].message.content);
  assert.equal(streamed.choices[0].finish_reason, "stop");
});

test("a stream's usage comes to the client that asked for it, in the last chunk", async () => {
  const body = { model, messages: user("Tell me a story of 30 words."), seed: 7 };
  const buffered = await openai.chat.completions.create(body);
  const stream = await openai.chat.completions.create({ ...body, stream: true, stream_options: { include_usage: true } });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.equal(chunks.at(-1).usage.completion_tokens, buffered.usage.completion_tokens);
  assert.equal(chunks.at(-1).usage.prompt_tokens, buffered.usage.prompt_tokens);
});

for (const [words, options] of [
  ["did not mention it", {}],
  ["said no", { stream_options: { include_usage: false } }],
])
  test(`a stream's usage does not come to the client that ${words}`, async () => {
    const stream = await openai.chat.completions.create({ model, messages: user("Tell me a story."), stream: true, ...options });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    assert.ok(chunks.length > 2);
    assert.ok(chunks.every((chunk) => chunk.usage == null && chunk.choices.length === 1));
  });

test("an answer that reaches its limit says so", async () => {
  const body = { model, messages: user("Tell me a story of 100 words."), max_completion_tokens: 5 };
  const buffered = await openai.chat.completions.create(body);
  assert.equal(buffered.choices[0].finish_reason, "length");
  assert.equal(buffered.usage.completion_tokens, 5);
  const streamed = await openai.chat.completions.stream(body).finalChatCompletion();
  assert.equal(streamed.choices[0].finish_reason, "length");
});

test("an answer ends before a stop sequence", async () => {
  const answer = await openai.chat.completions.create({ model, messages: user("Tell me a story of 80 words."), stop: [" "] });
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.ok(!answer.choices[0].message.content.includes(" "));
});

test("several choices arrive under their own index, buffered and streamed", async () => {
  const body = { model, messages: user("Tell me a story of 20 words."), n: 3, seed: 3 };
  const buffered = await openai.chat.completions.create(body);
  assert.deepEqual(buffered.choices.map(({ index }) => index), [0, 1, 2]);
  const streamed = await openai.chat.completions.stream(body).finalChatCompletion();
  const texts = ({ choices }) => choices.map(({ message }) => message.content);
  assert.deepEqual(texts(streamed), texts(buffered));
});

test("a tool call has an id, its name, and arguments that fit its schema", async () => {
  const body = { model, messages: user("Call get_weather for Lisbon."), tools: [weather], tool_choice: "required" };
  for (const answer of [
    await openai.chat.completions.create(body),
    await openai.chat.completions.stream(body).finalChatCompletion(),
  ]) {
    const [call, ...others] = answer.choices[0].message.tool_calls;
    assert.equal(others.length, 0);
    assert.match(call.id, /\S/);
    assert.equal(call.function.name, "get_weather");
    assert.equal(typeof JSON.parse(call.function.arguments).city, "string");
    assert.equal(answer.choices[0].finish_reason, "tool_calls");
  }
});

test("parallel tool calls keep their ids and names, streamed as buffered", async () => {
  const body = { model, messages: user("Use get_weather and get_time for Lisbon."), tools: [weather, clock], seed: 11 };
  const calls = ({ choices }) => choices[0].message.tool_calls.map(({ id, function: f }) => [id, f.name, f.arguments]);
  const buffered = calls(await openai.chat.completions.create(body));
  const streamed = calls(await openai.chat.completions.stream(body).finalChatCompletion());
  assert.deepEqual(buffered.map(([, name]) => name), ["get_weather", "get_time"]);
  assert.notEqual(buffered[0][0], buffered[1][0]);
  assert.deepEqual(streamed, buffered);
});

test("runTools drives a whole conversation with a tool", async () => {
  const cities = [];
  const tool = {
    type: "function",
    function: {
      ...weather.function,
      parse: JSON.parse,
      function: ({ city }) => (cities.push(city), "sunny, 31 degrees"),
    },
  };
  const runner = openai.chat.completions.runTools({ model, messages: user("Call get_weather for Lisbon."), tools: [tool] });
  assert.match(await runner.finalContent(), /sunny, 31 degrees/);
  assert.equal(cities.length, 1);
});

test("JSON mode answers with an object", async () => {
  const body = { model, messages: user("Answer in JSON: what is 2 + 2?"), response_format: { type: "json_object" } };
  const answer = await openai.chat.completions.create(body);
  assert.equal(typeof JSON.parse(answer.choices[0].message.content), "object");
});

test("a structured answer is parsed by the SDK, buffered and streamed", async () => {
  const schema = {
    type: "object",
    properties: { city: { type: "string" }, degrees: { type: "number" }, sky: { enum: ["clear", "cloudy"] } },
    required: ["city", "degrees", "sky"],
    additionalProperties: false,
  };
  const response_format = { type: "json_schema", json_schema: { name: "weather", strict: true, schema } };
  const body = { model, messages: user("The weather in Lisbon?"), response_format };
  for (const answer of [
    await openai.chat.completions.parse(body),
    await openai.chat.completions.stream(body).finalChatCompletion(),
  ]) {
    const { city, degrees, sky } = JSON.parse(answer.choices[0].message.content);
    assert.equal(typeof city, "string");
    assert.equal(typeof degrees, "number");
    assert.ok(["clear", "cloudy"].includes(sky));
  }
});

test("images in the content are counted", async () => {
  const text = { type: "text", text: "What is in this picture?" };
  const image = { type: "image_url", image_url: { url: `data:image/png;base64,${"iVBORw0KGgo".repeat(5000)}` } };
  const without = await openai.chat.completions.create({ model, messages: user([text]) });
  const answer = await openai.chat.completions.create({ model, messages: user([text, image, image]) });
  assert.match(answer.choices[0].message.content, /\S/);
  assert.ok(answer.usage.prompt_tokens > without.usage.prompt_tokens);
});

test("answers under way at the same time do not mix", async () => {
  const numbers = Array.from({ length: 20 }, (_, i) => 100 + i);
  const answers = await Promise.all(numbers.map((seed) =>
    openai.chat.completions.stream({ model, messages: user("Tell me a story of 50 words."), seed }).finalContent()));
  const again = await Promise.all(numbers.map(async (seed) =>
    (await openai.chat.completions.create({ model, messages: user("Tell me a story of 50 words."), seed })).choices[0].message.content));
  assert.deepEqual(answers, again);
  assert.equal(new Set(answers).size, numbers.length);
});
