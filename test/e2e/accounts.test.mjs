// Several accounts at one hosted provider, each with its own rate limits: which key goes out, over real sockets and by the
// official SDK. The provider here refuses whom it would really refuse, and counts how often it had to.
import assert from "node:assert/strict";
import { completion, error, Recorder } from "./recorder.mjs";
import { after, Gateway, test, usualConfig } from "./stage.mjs";

const keys = { KEY_ONE: "sk-account-one", KEY_TWO: "sk-account-two" };
const MINUTE_S = 60;

// A provider that allows each key so many requests, says in every answer what is left if `tells`, and refuses what is beyond.
async function provider(allowed, { tells }) {
  const recorder = await Recorder.start();
  recorder.sent = {};
  recorder.refused = 0;
  recorder.answer = ({ head }) => {
    const key = head.match(/^authorization: Bearer (\S+)/im)[1];
    const count = (recorder.sent[key] = (recorder.sent[key] ?? 0) + 1);
    if (count > allowed) return recorder.refused++, error("429 Too Many Requests", { error: { message: "slow down", type: "rate_limit_error" } });
    const told = `x-ratelimit-limit-requests: ${allowed}\r\nx-ratelimit-remaining-requests: ${allowed - count}\r\nx-ratelimit-reset-requests: ${MINUTE_S}s\r\n`;
    return tells ? completion().replace("\r\n", `\r\n${told}`) : completion();
  };
  return recorder;
}

async function open(hosted, limits, more = {}) {
  const account = (key) => ({ key, ...(limits && { limits }) });
  const price = { input: "$1/M", output: "$3/M" };
  const gateway = await Gateway.start({
    ...usualConfig("http://127.0.0.1:9"),
    backends: { hosted: { url: hosted.url, models: ["m"], accounts: { one: account("$KEY_ONE"), two: account("$KEY_TWO") } }, ...more.backends },
    routes: { assistant: { reference: "hosted/m", ...more.route } },
    prices: { override: { "hosted/m": price, ...(more.backends && { "spare/m": { input: "$2/M", output: "$6/M" } }) } },
  }, { env: keys });
  after(() => gateway.stop());
  return gateway;
}

// One request, and no help by the SDK's own retries.
async function ask(gateway) {
  try {
    const { data, response } = await gateway.clients(undefined, { maxRetries: 0 }).openai.chat.completions
      .create({ model: "assistant", messages: [{ role: "user", content: `Hello ${Math.random()}` }] }).withResponse();
    return { status: response.status, text: data.choices[0].message.content };
  } catch (failure) {
    return { status: failure.status, message: failure.message, retryAfter: Number(failure.headers?.get?.("retry-after")) };
  }
}

async function left(gateway, account) {
  const text = await (await fetch(`${gateway.admin}/metrics`)).text();
  return Number(text.match(new RegExp(`^equipoise_account_left\\{account="[^"]*${account}",unit="requests"\\} (\\S+)$`, "m"))?.[1]);
}

for (const [how, limits, tells] of [
  ["by its configuration", "3 requests/minute", false],
  ["by what the provider's answers tell", undefined, true],
])
  test(`an account at its limit, known ${how}: the other is used before the provider has to refuse`, async () => {
    const hosted = await provider(3, { tells });
    after(() => hosted.stop());
    const gateway = await open(hosted, limits);
    for (let i = 0; i < 6; i++) assert.equal((await ask(gateway)).status, 200, `request ${i}`);
    assert.deepEqual(hosted.sent, { [keys.KEY_ONE]: 3, [keys.KEY_TWO]: 3 });
    for (const account of ["one", "two"]) assert.equal(await left(gateway, account), 0);
    // Both are at their limit: the client is told when there is room, and the provider hears nothing of it.
    const refused = await ask(gateway);
    assert.equal(refused.status, 429);
    assert.ok(refused.retryAfter > MINUTE_S / 4 && refused.retryAfter <= MINUTE_S + 2, `retry-after: ${refused.retryAfter}`);
    assert.match(refused.message, /limit|later|again/i);
    assert.equal(hosted.refused, 0);
    assert.deepEqual(hosted.sent, { [keys.KEY_ONE]: 3, [keys.KEY_TWO]: 3 });
  });

test("both at their limit: another backend that is acceptable serves", async () => {
  const [hosted, spare] = [await provider(2, { tells: true }), await Recorder.start()];
  spare.answer = () => completion("spare");
  after(() => Promise.all([hosted.stop(), spare.stop()]));
  const gateway = await open(hosted, "2 requests/minute", {
    backends: { spare: { url: spare.url, models: ["m"] } },
    route: { candidates: ["spare/m"], levers: { alternatives: "on" } },
  });
  const texts = [];
  for (let i = 0; i < 6; i++) texts.push((await ask(gateway)).text);
  assert.deepEqual(texts, ["yes", "yes", "yes", "yes", "spare", "spare"]);
  assert.equal(hosted.refused, 0);
});
