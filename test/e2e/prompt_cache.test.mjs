// Providers' prompt caches through the official SDKs: long conversations with tools are marked where it pays, and read again.
import assert from "node:assert/strict";
import { pico } from "./speak.mjs";
import { openStage, test, after } from "./stage.mjs";

const stage = await openStage({
  change: (config) => {
    config.routes.once = { reference: "claude/twin-medium" };
    for (const route of Object.values(config.routes)) route.levers = { prompt_cache: "on" };
    return config;
  },
});
after(() => stage.close());
const { anthropic, openai } = stage.clients();

const advice = (topic) => Array.from({ length: 250 }, (_, i) => `Rule ${i} of ${topic}: be exact.`).join(" ");
const tools = ["find", "read", "write", "run", "ask"].map((name) => ({
  name,
  description: `Tool to ${name}. ${"It has its habits. ".repeat(20)}`,
  input_schema: { type: "object", properties: { what: { type: "string" } }, required: ["what"] },
}));
const marksIn = (value) =>
  value && typeof value === "object" ? Object.entries(value).reduce((n, [name, inner]) => n + (name === "cache_control") + marksIn(inner), 0) : 0;

// As it would have come without marks: a block that is only a text was one.
const unmarked = ({ system, tools: told, messages, ...rest }) => {
  const plain = (block) => Object.fromEntries(Object.entries(block).filter(([name]) => name !== "cache_control"));
  const content = (it) => (Array.isArray(it) ? (it.length === 1 && it[0].type === "text" ? it[0].text : it.map(plain)) : it);
  return { ...rest, system: content(system), tools: told?.map(plain), messages: messages.map((m) => ({ ...m, content: content(m.content) })) };
};

// A conversation by way of tools; the usage of each turn.
async function works(turns, { system = advice("work"), stream = false } = {}) {
  const messages = [];
  const usages = [];
  for (let turn = 0; turn < turns; turn++) {
    if (turn % 2 === 0) messages.push({ role: "user", content: `Do step ${turn}. ${"More is said of it. ".repeat(30)}` });
    else messages.push({ role: "user", content: [{ type: "tool_result", tool_use_id: `t${turn}`, content: `result ${turn} `.repeat(60) }] });
    const body = { model: stage.messagesModel, max_tokens: 30, system, tools, tool_choice: { type: "none" }, messages };
    const answer = stream ? await anthropic.messages.stream(body).finalMessage() : await anthropic.messages.create(body);
    usages.push(answer.usage);
    const { body: sent } = await stage.twin.last();
    assert.ok(marksIn(JSON.parse(sent)) <= 4);
    assert.deepEqual(unmarked(JSON.parse(sent)), { ...JSON.parse(JSON.stringify(body)), model: "twin-medium", ...(stream ? { stream } : {}) });
    messages.push(
      turn % 2 === 0
        ? { role: "assistant", content: [{ type: "text", text: "I look." }, { type: "tool_use", id: `t${turn + 1}`, name: "read", input: { what: `${turn}` } }] }
        : { role: "assistant", content: `Done with ${turn}.` },
    );
  }
  return usages;
}

const readShare = (usages) => {
  const sum = (name) => usages.reduce((all, usage) => all + (usage[name] ?? 0), 0);
  const read = sum("cache_read_input_tokens");
  return read / (read + sum("input_tokens") + sum("cache_creation_input_tokens"));
};

test("a long conversation with tools is read from the cache, buffered and streamed", async (t) => {
  const first = await works(12);
  const second = await works(12, { stream: true });
  t.diagnostic(`read from the cache: ${(100 * readShare(first)).toFixed(1)} % of input in the first, ${(100 * readShare(second)).toFixed(1)} % in the second conversation`);
  assert.equal(first[0].cache_creation_input_tokens, 0);
  assert.ok(readShare(first.slice(5)) > 0.7, "the first conversation is read from where it was seen to go on");
  assert.ok(readShare(second) > 0.7, "the second from its first turn");
});

test("prompts that come once are not marked", async () => {
  for (let i = 0; i < 6; i++) {
    await anthropic.messages.create({ model: "once", max_tokens: 20, system: advice(`once ${i}`), messages: [{ role: "user", content: `Question ${i}?` }] });
    assert.equal(marksIn(JSON.parse((await stage.twin.last()).body)), 0);
  }
});

test("a client's own marks and key are left as they are", async () => {
  const system = [{ type: "text", text: advice("own"), cache_control: { type: "ephemeral" } }];
  await anthropic.messages.create({ model: stage.messagesModel, max_tokens: 20, system, tools, messages: [{ role: "user", content: "Q?" }] });
  assert.equal(marksIn(JSON.parse((await stage.twin.last()).body)), 1);
  const body = { model: stage.chatModel, prompt_cache_key: "mine", messages: [{ role: "user", content: advice("own") }] };
  await openai.chat.completions.create(body);
  assert.equal(JSON.parse((await stage.twin.last()).body).prompt_cache_key, "mine");
});

test("report and ledger tell what was saved and what was kept", async () => {
  const { all, levers } = await stage.gateway.told("report");
  const lever = levers.find(({ lever: name }) => name === "prompt_cache");
  assert.ok(pico(lever.touched.saved_usd) > 0n);
  assert.equal(pico(all.baseline_usd) - pico(all.cost_usd), pico(all.saved_usd));
  assert.ok(pico(all.cache_discount_usd) > pico(all.cache_surcharge_usd));
  assert.ok(pico(all.cache_surcharge_usd) > 0n);
});
