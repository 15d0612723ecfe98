// Anthropic's messages through its official SDK.
import assert from "node:assert/strict";
import { CROSSED, openStage, test, after } from "./stage.mjs";

const stage = await openStage();
after(() => stage.close());
const { anthropic } = stage.clients();
const model = stage.messagesModel;
const user = (content) => [{ role: "user", content }];

const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const weather = { name: "get_weather", description: "The weather of a city", input_schema: city };
const clock = { name: "get_time", description: "The local time of a city", input_schema: city };

test("a buffered answer has text, a reason to stop, and usage", async () => {
  const answer = await anthropic.messages.create({ model, max_tokens: 200, messages: user("What is 17 + 25?") });
  assert.match(answer.content[0].text, /\S/);
  assert.equal(answer.stop_reason, "end_turn");
  assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
});

test("the stream helper gathers the very answer that a buffered request gets", async () => {
  const body = { model, max_tokens: 400, system: "Be brief.", messages: user("Tell me a story of 60 words.") };
  const buffered = await anthropic.messages.create(body);
  const events = [];
  const stream = anthropic.messages.stream(body).on("streamEvent", ({ type }) => events.push(type));
  const streamed = await stream.finalMessage();
  assert.deepEqual(streamed.content, buffered.content);
  assert.deepEqual(
    [streamed.usage.input_tokens, streamed.usage.output_tokens],
    [buffered.usage.input_tokens, buffered.usage.output_tokens],
  );
  assert.equal(events[0], "message_start");
  assert.equal(events.at(-1), "message_stop");
});

test("an answer that reaches its limit or a stop sequence says so", async () => {
  const messages = user("Tell me a story of 100 words.");
  const cut = await anthropic.messages.create({ model, max_tokens: 5, messages });
  assert.equal(cut.stop_reason, "max_tokens");
  assert.equal(cut.usage.output_tokens, 5);
  const stopped = await anthropic.messages.stream({ model, max_tokens: 400, messages, stop_sequences: [" "] }).finalMessage();
  assert.equal(stopped.stop_reason, "stop_sequence");
  assert.equal(stopped.stop_sequence, " ");
});

test("parallel tool calls keep their ids and names, streamed as buffered", async () => {
  const body = { model, max_tokens: 400, messages: user("Use get_weather and get_time for Lisbon."), tools: [weather, clock] };
  const calls = ({ content }) => content.filter(({ type }) => type === "tool_use").map(({ id, name, input }) => [id, name, input]);
  const answer = await anthropic.messages.create(body);
  const buffered = calls(answer);
  assert.equal(answer.stop_reason, "tool_use");
  assert.deepEqual(buffered.map(([, name]) => name), ["get_weather", "get_time"]);
  assert.notEqual(buffered[0][0], buffered[1][0]);
  assert.equal(typeof buffered[0][2].city, "string");
  assert.deepEqual(calls(await anthropic.messages.stream(body).finalMessage()), buffered);
});

test("a tool's result brings the answer", async () => {
  const messages = user("Call get_weather for Lisbon.");
  const first = await anthropic.messages.create({ model, max_tokens: 400, messages, tools: [weather] });
  const call = first.content.find(({ type }) => type === "tool_use");
  messages.push({ role: "assistant", content: first.content });
  messages.push({ role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "sunny, 31 degrees" }] });
  const second = await anthropic.messages.create({ model, max_tokens: 400, messages, tools: [weather] });
  assert.match(second.content.at(-1).text, /sunny, 31 degrees/);
});

test("images in the content are counted", async () => {
  const text = { type: "text", text: "What is in this picture?" };
  const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" } };
  const without = await anthropic.messages.create({ model, max_tokens: 100, messages: user([text]) });
  const answer = await anthropic.messages.create({ model, max_tokens: 100, messages: user([text, image]) });
  assert.ok(answer.usage.input_tokens > without.usage.input_tokens);
});

const noMarks = CROSSED && "chat's answers do not tell what was written to a cache";
test("a marked prefix is written to the provider's cache once and read from it afterwards", { skip: noMarks }, async () => {
  const system = [{ type: "text", text: "You know the law of the sea. ".repeat(600), cache_control: { type: "ephemeral" } }];
  const body = { model, max_tokens: 20, system, messages: user("May I fish here?") };
  const first = await anthropic.messages.create(body);
  const second = await anthropic.messages.create(body);
  assert.ok(first.usage.cache_creation_input_tokens > 1000);
  assert.equal(second.usage.cache_read_input_tokens, first.usage.cache_creation_input_tokens);
  assert.equal(second.usage.input_tokens, first.usage.input_tokens);
});
