// A judge that is asked, on labelled comparisons: a model of either dialect in both orders, and a service.
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, equipoise, scratch, test } from "./stage.mjs";

const KEY = "sk-of-the-judge";
const seen = [];
const number = (text) => text.match(/\d+/)?.[0];
const answerIn = (content, which) => content.split(`<answer ${which} `)[1].split("\n").slice(1).join("\n").split("</answer")[0];
// Fair: the same number is equal, and the answer that begins as the reference's do is the better one. Leaning: always for the first.
const verdicts = {
  fair: (a, b) => (number(a) === number(b) ? "EQUAL" : a.startsWith("It is") ? "A" : "B"),
  leaning: () => "A",
  talkative: () => "I think that both are fine.",
};
let failuresLeft = 0;

async function serve(request, response) {
  let body = "";
  for await (const piece of request) body += piece;
  let asked;
  try {
    asked = JSON.parse(body);
  } catch (error) {
    return response.writeHead(400).end(String(error));
  }
  seen.push({ url: request.url, headers: request.headers, asked });
  if (failuresLeft > 0) {
    failuresLeft--;
    return response.writeHead(503).end("{}");
  }
  response.setHeader("content-type", "application/json");
  if (request.url === "/judge") return response.end(JSON.stringify({ acceptable: number(asked.reference) === number(asked.candidate) }));
  const content = asked.messages.at(-1).content;
  const text = typeof content === "string" ? content : content.map((part) => part.text).join("");
  const word = verdicts[asked.model](answerIn(text, "A"), answerIn(text, "B"));
  response.end(JSON.stringify(request.url === "/v1/messages"
    ? { id: "m", type: "message", role: "assistant", model: asked.model, content: [{ type: "text", text: word }], stop_reason: "end_turn", usage: { input_tokens: 9, output_tokens: 1 } }
    : { id: "c", object: "chat.completion", created: 1, model: asked.model, usage: { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 },
      choices: [{ index: 0, message: { role: "assistant", content: word }, finish_reason: "stop" }] }));
}

const server = createServer(serve).listen(0, "127.0.0.1");
await once(server, "listening");
after(() => server.close());
const url = `http://127.0.0.1:${server.address().port}`;
const folder = scratch();
const file = join(folder, "compared.jsonl"), config = join(folder, "equipoise.yaml");
// 40 comparisons: three of four say the same number; each has another answer of the reference.
writeFileSync(file, Array.from({ length: 40 }, (_, i) => JSON.stringify({
  request: `What is ${i} + 0?`, reference: `It is ${i}.`, candidate: `I get ${i % 4 === 0 ? i + 100 : i}`, acceptable: i % 4 !== 0, again: `so: ${i}` })).join("\n"));
const judges = { chat: "model: openai/fair", messages: "model: claude/fair", leaning: "model: openai/leaning", talkative: "model: openai/talkative",
  service: `http: "${url}/judge"` };
writeFileSync(config, `backends:
  openai: { url: "${url}", key: "$JUDGE_KEY" }
  claude: { url: "${url}", dialect: anthropic, key: "$JUDGE_KEY" }
routes:
${Object.entries(judges).map(([name, judge]) => `  ${name}: { reference: openai/large, candidates: openai/small, acceptable: { quality: 80% }, judge: { ${judge} }, levers: { router: shadow } }`).join("\n")}
`);
const env = { ...process.env, JUDGE_KEY: KEY };

// One whose backend is not there is asked again and again for some seconds: meanwhile the others are judged.
const gone = join(folder, "gone.yaml");
writeFileSync(gone, `backends: { a: { url: "http://127.0.0.1:1" } }\nroutes: { r: { reference: a/m, candidates: a/n, acceptable: { quality: 80% }, judge: { model: a/j }, levers: { router: shadow } } }\n`);
const ofNobody = equipoise(["eval", "judge", file, "--config", gone, "--most", "1", "--attacks", "0"], { env });
ofNobody.catch(() => {}); // whoever awaits it hears of it

async function evaluate(route, ...more) {
  seen.length = 0;
  const { code, stdout, stderr } = await equipoise(["eval", "judge", file, "--config", config, "--route", route, "--json", ...more], { env });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

for (const route of ["chat", "messages"])
  test(`a model is asked in both orders, in its backend's own words: ${route}`, async () => {
    const told = await evaluate(route, "--attacks", "0");
    assert.equal(told.calls, 40 * 2 + 40 * 2); // the candidates, and the reference's own other answers
    assert.equal(seen.length, told.calls);
    for (const { url: path, headers, asked } of seen) {
      assert.equal(path, route === "chat" ? "/v1/chat/completions" : "/v1/messages");
      assert.equal(route === "chat" ? headers.authorization : headers["x-api-key"], route === "chat" ? `Bearer ${KEY}` : KEY);
      assert.equal(asked.model, "fair");
      assert.equal(asked.stream ?? false, false);
    }
    assert.equal(told.agreement.share, 1);
    assert.equal(told.order_consistency.share, 1);
    assert.equal(told.order_consistency.of, 40);
    assert.equal(told.ceiling.share, 1);
    assert.equal(told.not_told, 0);
    assert.deepEqual([told.calibration.acceptable.at(-1), told.calibration.not_acceptable[0]], [30, 10]);
  });

test("one that leans to the first answer is found out: it is of two minds about each", async () => {
  const told = await evaluate("leaning", "--attacks", "10");
  assert.equal(told.order_consistency.share, 0);
  assert.equal(told.leans_first.share, 1);
  assert.equal(told.sensitivity.share, 0.5);
  assert.equal(told.attacks.flattering.alone.share, 0.5);
  assert.equal(told.attacks.empty.gateway.share, 0);
});

test("one whose words are none accepts nothing, and the report says so", async () => {
  const told = await evaluate("talkative", "--attacks", "0", "--most", "5");
  assert.equal(told.not_told, 5);
  assert.equal(told.sensitivity.share, 0);
});

test("a service is asked with the answers' parts exchanged too; what fails for a moment is asked again", async () => {
  failuresLeft = 1;
  const told = await evaluate("service", "--attacks", "3", "--most", "8");
  assert.equal(told.calls, seen.length);
  assert.equal(told.calls, 8 + 8 + 8 + 3 * 4 - 1 + 1); // the first comparison's reference says what the constant answer is; one was asked again
  assert.equal(told.agreement.share, 1);
  assert.equal(told.order_consistency.share, 0.75); // it finds each of two different numbers worse than the other
  assert.ok(seen.every(({ asked }) => asked.route === "service" && asked.request.messages.length === 1));
});

test("a backend that is not there is a judge that could not tell", async () => {
  const { code, stdout } = await ofNobody;
  assert.equal(code, 0);
  assert.match(stdout, /It could not tell 1 times: .*(refused|127\.0\.0\.1)/);
});
