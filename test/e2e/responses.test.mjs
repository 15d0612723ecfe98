// The Responses API through the official OpenAI SDK.
import assert from "node:assert/strict";
import { CROSSED, openStage, test, after } from "./stage.mjs";

const stage = await openStage();
after(() => stage.close());
const { openai } = stage.clients();
const model = stage.chatModel;

const weather = {
  type: "function",
  name: "get_weather",
  strict: true,
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false },
};
const clock = { ...weather, name: "get_time" };

test("a buffered answer has text and usage", async () => {
  const answer = await openai.responses.create({ model, input: "What is 17 + 25?" });
  assert.equal(answer.status, "completed");
  assert.match(answer.output_text, /\S/);
  assert.equal(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens);
});

test("the stream helper gathers the very answer that a buffered request gets", async () => {
  const body = { model, instructions: "Be brief.", input: [{ role: "user", content: "Tell me a story of 60 words." }] };
  const buffered = await openai.responses.create(body);
  const stream = openai.responses.stream(body);
  const types = [];
  for await (const event of stream) types.push(event.type);
  const streamed = await stream.finalResponse();
  assert.equal(streamed.output_text, buffered.output_text);
  assert.deepEqual(streamed.usage, buffered.usage);
  assert.equal(types[0], "response.created");
  assert.equal(types.at(-1), "response.completed");
});

test("an answer that reaches its limit is incomplete, and says why", async () => {
  const body = { model, input: "Tell me a story of 100 words.", max_output_tokens: 16 };
  const buffered = await openai.responses.create(body);
  assert.equal(buffered.status, "incomplete");
  assert.equal(buffered.incomplete_details.reason, "max_output_tokens");
  const streamed = await openai.responses.stream(body).finalResponse();
  assert.equal(streamed.status, "incomplete");
});

test("parallel tool calls keep their ids and names, streamed as buffered", async () => {
  const body = { model, input: "Use get_weather and get_time for Lisbon.", tools: [weather, clock] };
  const calls = ({ output }) => output.filter(({ type }) => type === "function_call")
    .map(({ call_id, name, arguments: words }) => [call_id, name, CROSSED ? JSON.parse(words) : words]); // messages hold values
  const buffered = calls(await openai.responses.create(body));
  const streamed = calls(await openai.responses.stream(body).finalResponse());
  assert.deepEqual(buffered.map(([, name]) => name), ["get_weather", "get_time"]);
  assert.notEqual(buffered[0][0], buffered[1][0]);
  assert.deepEqual(streamed, buffered);
});

test("a tool's output brings the answer", async () => {
  const input = [{ role: "user", content: "Call get_weather for Lisbon." }];
  const first = await openai.responses.create({ model, input, tools: [weather] });
  const call = first.output.find(({ type }) => type === "function_call");
  input.push(call, { type: "function_call_output", call_id: call.call_id, output: "sunny, 31 degrees" });
  const second = await openai.responses.create({ model, input, tools: [weather] });
  assert.match(second.output_text, /sunny, 31 degrees/);
});

test("a structured answer is parsed by the SDK", async () => {
  const schema = { type: "object", properties: { sum: { type: "integer" } }, required: ["sum"], additionalProperties: false };
  const text = { format: { type: "json_schema", name: "sum", strict: true, schema } };
  const answer = await openai.responses.parse({ model, input: "What is 2 + 3?", text });
  assert.ok(Number.isInteger(JSON.parse(answer.output_text).sum));
});

test("images in the input are accepted", async () => {
  const content = [
    { type: "input_text", text: "What is in this picture?" },
    { type: "input_image", detail: "auto", image_url: "data:image/png;base64,iVBORw0KGgo=" },
  ];
  const answer = await openai.responses.create({ model, input: [{ role: "user", content }] });
  assert.match(answer.output_text, /\S/);
});
