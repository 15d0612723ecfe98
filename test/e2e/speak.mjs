// One question in every dialect, through the SDK that belongs to it, so that a test can be written once for all.
import OpenAI from "openai";
import Anthropic from "@anthropic-ai/sdk";

// SDK clients of one base URL and key. `heard` collects the head of every HTTP answer, retries included.
export function clientsOf(url, key, { maxRetries = 0, headers = {}, fetch: through = fetch } = {}) {
  const heard = [];
  const listening = async (input, init) => {
    const response = await through(input, init);
    heard.push({ url: String(input), status: response.status, headers: response.headers });
    return response;
  };
  const common = { apiKey: key, maxRetries, defaultHeaders: headers, fetch: listening, timeout: 240_000, logLevel: "off" };
  return {
    heard,
    openai: new OpenAI({ ...common, baseURL: `${url}/v1` }),
    anthropic: new Anthropic({ ...common, baseURL: url }),
  };
}

const user = (content) => [{ role: "user", content }];

// For each API: the request for a prompt, the SDK's call, and how to read a whole answer and an event of a stream.
export const speakers = {
  chat: {
    path: "/v1/chat/completions",
    sdk: "openai",
    body: (model, prompt, limit) => ({ model, messages: user(prompt), max_completion_tokens: limit }),
    streaming: { stream: true, stream_options: { include_usage: true } },
    call: ({ openai }, body, options) => openai.chat.completions.create(body, options),
    text: (answer) => answer.choices[0].message.content,
    delta: (event) => event.choices[0]?.delta.content ?? "",
    usage: (answer) => answer.usage && [answer.usage.prompt_tokens, answer.usage.completion_tokens],
    usageOf: (event) => event.usage && [event.usage.prompt_tokens, event.usage.completion_tokens],
  },
  completions: {
    path: "/v1/completions",
    sdk: "openai",
    body: (model, prompt, limit) => ({ model, prompt, max_tokens: limit }),
    streaming: { stream: true, stream_options: { include_usage: true } },
    call: ({ openai }, body, options) => openai.completions.create(body, options),
    text: (answer) => answer.choices[0].text,
    delta: (event) => event.choices[0]?.text ?? "",
    usage: (answer) => answer.usage && [answer.usage.prompt_tokens, answer.usage.completion_tokens],
    usageOf: (event) => event.usage && [event.usage.prompt_tokens, event.usage.completion_tokens],
  },
  responses: {
    path: "/v1/responses",
    sdk: "openai",
    body: (model, prompt, limit) => ({ model, input: prompt, max_output_tokens: limit }),
    streaming: { stream: true },
    call: ({ openai }, body, options) => openai.responses.create(body, options),
    text: (answer) => answer.output_text,
    delta: (event) => (event.type === "response.output_text.delta" ? event.delta : ""),
    usage: ({ usage }) => [usage.input_tokens, usage.output_tokens],
    usageOf: ({ response }) => response?.usage && [response.usage.input_tokens, response.usage.output_tokens],
  },
  messages: {
    path: "/v1/messages",
    sdk: "anthropic",
    body: (model, prompt, limit) => ({ model, messages: user(prompt), max_tokens: limit }),
    streaming: { stream: true },
    call: ({ anthropic }, body, options) => anthropic.messages.create(body, options),
    text: (answer) => answer.content.filter(({ type }) => type === "text").map(({ text }) => text).join(""),
    delta: (event) => (event.delta?.type === "text_delta" ? event.delta.text : ""),
    usage: ({ usage }) => [usage.input_tokens, usage.output_tokens],
    usageOf: ({ type, message, usage }, before) =>
      type === "message_start" ? message.usage && [message.usage.input_tokens, message.usage.output_tokens]
        : usage && [usage.input_tokens ?? before?.[0], usage.output_tokens],
  },
};

export const names = Object.keys(speakers);

// Asks and returns { id, text, usage: [input, output], headers, answer }; of a stream, the events too.
export async function ask(clients, name, { model, prompt, limit = 400, stream = false, extra = {}, ...options }) {
  const speaker = speakers[name];
  const body = { ...speaker.body(model, prompt, limit), ...(stream ? speaker.streaming : {}), ...extra };
  const { data, response } = await speaker.call(clients, body, options).withResponse();
  const told = { headers: response.headers, id: response.headers.get("x-equipoise-id") };
  if (!stream) return { ...told, answer: data, text: speaker.text(data), usage: speaker.usage(data) };

  const events = [];
  let text = "";
  let usage;
  for await (const event of data) {
    events.push(event);
    text += speaker.delta(event);
    usage = speaker.usageOf(event, usage) || usage;
  }
  return { ...told, events, text, usage };
}

// Dollars as a decimal text, in pico-dollars: amounts are compared exactly.
export function pico(text) {
  const [whole, part = ""] = text.split(".");
  return BigInt(whole + part.padEnd(12, "0"));
}

// So many tokens at that many dollars a million.
export const costOf = (tokens, usdPerMillion) => BigInt(Math.round(usdPerMillion * 1e6)) * BigInt(tokens);
