// Alerts to a real webhook and a real command; budgets over kill -9; `equipoise budget` with and without a gateway.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./harness.mjs";
import { after, equipoise, freePort, Gateway, KEY, scratch, spendsInOneMonth, test, Twin, usualConfig } from "./stage.mjs";

await spendsInOneMonth();
const twin = await Twin.start();
after(() => twin.stop());

// A webhook that writes down what it is sent, and answers by `statuses`, the last of them from then on.
async function startWebhook(statuses = [204]) {
  const posts = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    posts.push({ url: request.url, headers: request.headers, body: JSON.parse(body) });
    response.writeHead(statuses[Math.min(posts.length, statuses.length) - 1]).end();
  });
  const port = await freePort();
  await new Promise((done) => server.listen(port, "127.0.0.1", done));
  after(() => server.close());
  return { posts, port };
}

const start = (more) => Gateway.start({ ...usualConfig(twin.url), ...more });

// One request that is answered; its row's cost, exactly.
async function ask(gateway, words = 12) {
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "assistant", max_tokens: 100, messages: [{ role: "user", content: `Tell me a story of ${words} words.` }] }),
  });
  await response.text();
  return response;
}

// At its end the gateway compares rows, sums, counters and budgets: all must come out even.
async function stopEven(gateway) {
  assert.equal((await gateway.stop()).code, 0);
  assert.doesNotMatch(gateway.program.stderr, /do not agree/);
}

const budgets = async (gateway) => (await (await fetch(`${gateway.admin}/budgets`)).json()).budgets;
const budget = async (gateway, name) => (await budgets(gateway)).find((one) => one.budget === name);

test("a share of a budget reaches the webhook and the command, once, without anything secret", async () => {
  const webhook = await startWebhook();
  const gateway = await start({
    budget: "$1000/month",
    keys: { ...usualConfig(twin.url).keys },
    alerts: { webhook: `http://127.0.0.1:${webhook.port}/services/T0KEN?x=1`, private: true, command: "cat >> alerts.json; echo >> alerts.json", shares: ["0.0001%"] },
  });
  try {
    for (let i = 0; i < 20; i++) assert.equal((await ask(gateway)).status, 200);
    await until("the webhook to be called", () => webhook.posts.length > 0);
    const file = join(gateway.folder, "alerts.json");
    await until("the command to have run", () => existsSync(file) && readFileSync(file, "utf8").endsWith("\n"));
    assert.equal((await gateway.stop()).code, 0);
    assert.equal(webhook.posts.length, 1);
    const [{ url, headers, body }] = webhook.posts;
    assert.equal(url, "/services/T0KEN?x=1");
    assert.equal(headers["content-type"], "application/json");
    assert.equal(body.kind, "budget_share");
    assert.equal(body.budget, "everything usd/month");
    assert.equal(body.limit_usd, "1000");
    assert.ok(Number(body.spent_usd) >= 0.001, body.spent_usd);
    assert.match(body.text, /^Budget \$1000\/month of everything: 0\.0001% is reached/);
    assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), body);
    assert.doesNotMatch(JSON.stringify(body), /story|sk-/);
    assert.doesNotMatch(gateway.program.stderr, /T0KEN/);
  } finally {
    await gateway.stop();
  }
});

test("a webhook that fails is tried again", async () => {
  const webhook = await startWebhook([503, 204]);
  const gateway = await start({ budget: "$1000/month", alerts: { webhook: `http://127.0.0.1:${webhook.port}/`, private: true, shares: ["0.0001%"] } });
  try {
    const trial = await equipoise(["alert", "test", "--admin", gateway.admin.replace("http://", "")]);
    assert.equal(trial.code, 0, trial.stderr);
    assert.match(trial.stdout, /the webhook at 127\.0\.0\.1:\d+/);
    await until("the second try", () => webhook.posts.length === 2);
    assert.equal(webhook.posts[0].body.kind, "test");
    assert.deepEqual(webhook.posts[0].body, webhook.posts[1].body);
    await until("it to be counted", async () => /equipoise_alerts_total\{way="webhook",result="sent"\} 1/.test(await (await fetch(`${gateway.admin}/metrics`)).text()));
  } finally {
    await gateway.stop();
  }
});

// A name that resolves to such an address is refused when the call is made: test/unit/live_client_test.c.
test("a webhook at a private, loopback or link-local address is refused unless that is said to be meant", async () => {
  const folder = scratch();
  for (const host of ["127.0.0.1", "10.0.0.8", "169.254.169.254", "[::1]", "[fd00::1]", "localhost", "hooks.internal"]) {
    writeFileSync(join(folder, "f.yaml"), `alerts: { webhook: "http://${host}:9000/T0KEN" }\n`);
    const { code, stderr, stdout } = await equipoise(["check", "f.yaml"], { cwd: folder });
    assert.equal(code, 3, host);
    assert.match(stdout + stderr, /private: yes/, host);
    assert.doesNotMatch(stdout + stderr, /T0KEN/, host);
    writeFileSync(join(folder, "f.yaml"), `alerts: { private: yes, webhook: "http://${host}:9000/T0KEN" }\n`);
    assert.equal((await equipoise(["check", "f.yaml"], { cwd: folder })).code, 0, host);
  }
});

test("after kill -9 and a restart a budget's count is what it was, and what is spent stays spent", async () => {
  const gateway = await start({
    budget: ["$1000/month", "100000 tokens/week"],
    keys: { web: { ...usualConfig(twin.url).keys.web, budget: "5 requests/month", exposure: "strict" } },
  });
  try {
    for (let i = 0; i < 5; i++) assert.equal((await ask(gateway, 10 + i)).status, 200);
    assert.equal((await ask(gateway)).status, 429);
    const before = Object.fromEntries((await budgets(gateway)).map(({ budget, spent }) => [budget, spent]));
    assert.equal(before["key web requests/month"], 5);
    assert.ok(before["everything tokens/week"] > 100);
    assert.ok(Number(before["everything usd/month"]) > 0);

    gateway.program.child.kill("SIGKILL");
    await gateway.program.end();
    await gateway.launch();
    const now = await budgets(gateway);
    assert.deepEqual(Object.fromEntries(now.map(({ budget, spent }) => [budget, spent])), before);
    assert.ok(now.every(({ reserved }) => Number(reserved) === 0));
    assert.equal((await ask(gateway)).status, 429);
    assert.equal((await budget(gateway, "key web requests/month")).refusals, 1);
    await stopEven(gateway);
  } finally {
    await gateway.stop();
  }
});

test("`equipoise budget` shows the running gateway's budgets, and without one what the ledger says", async () => {
  const prices = { override: { "twin/twin-medium": { input: "$100/M", output: "$900/M" } } };
  const gateway = await start({ prices, budget: "$1000/month", keys: { web: { ...usualConfig(twin.url).keys.web, budget: ["50 requests/month", "$0.50/month"], on_exceed: "degrade" } } });
  const admin = gateway.admin.replace("http://", "");
  try {
    for (let i = 0; i < 3; i++) await ask(gateway);
    const live = await equipoise(["budget", "--admin", admin]);
    assert.equal(live.code, 0, live.stderr);
    assert.match(live.stdout, /^whose +budget +spent +reserved +left +used +resets in +forecast +refused +if exceeded\n/);
    assert.match(live.stdout, /^key web +50 requests\/month +3 +0 +47 +6% .* 0 +degrade, expected$/m);
    assert.match(live.stdout, /^key web +\$0\.50\/month +\$0\.\d{6} /m); // where a cent is much, it is told exactly
    assert.equal(live.stderr, "");
    const json = JSON.parse((await equipoise(["budget", "--json", "--admin", admin])).stdout);
    const spent = json.budgets.find((one) => one.scope === "everything").spent;

    await gateway.stop();
    const offline = await equipoise(["budget", "--json", "--admin", admin], { cwd: gateway.folder });
    assert.equal(offline.code, 0, offline.stderr);
    assert.match(offline.stderr, /No gateway answers on/);
    assert.equal(JSON.parse(offline.stdout).budgets.find((one) => one.scope === "everything").spent, spent);
    const named = await equipoise(["budget", "--config", gateway.file]);
    assert.equal(named.code, 0, named.stderr);
    assert.match(named.stdout, /^key web +50 requests\/month +3 /m);
  } finally {
    await gateway.stop();
  }
});

test("a budget that comes with a reload knows what was spent before it", async () => {
  const gateway = await start({ budget: "$1000/month" });
  try {
    for (let i = 0; i < 4; i++) await ask(gateway, 10 + i);
    const spent = (await budget(gateway, "everything usd/month")).spent;
    const file = JSON.parse(readFileSync(gateway.file, "utf8"));
    file.keys.web.budget = ["$500/month", "5 requests/month"];
    writeFileSync(gateway.file, JSON.stringify(file));
    const reload = await equipoise(["reload", "--admin", gateway.admin.replace("http://", "")]);
    assert.equal(reload.code, 0, reload.stderr);
    assert.equal((await budget(gateway, "key web usd/month")).spent, spent);
    assert.equal((await budget(gateway, "key web requests/month")).spent, 4);
    assert.equal((await ask(gateway)).status, 200);
    assert.equal((await ask(gateway)).status, 429);
  } finally {
    await gateway.stop();
  }
});

// The ledger's own rows are held against the budgets to the pico-dollar.
test("what budgets count is what the ledger's rows add up to", async () => {
  const gateway = await start({ budget: "$1000/month" });
  try {
    const costs = [];
    for (let i = 0; i < 10; i++) costs.push((await ask(gateway, 5 + i)).headers.get("x-equipoise-cost-usd"));
    const pico = (text) => BigInt(text.split(".")[0] + (text.split(".")[1] ?? "").padEnd(12, "0"));
    assert.equal(pico((await budget(gateway, "everything usd/month")).spent), costs.reduce((sum, cost) => sum + pico(cost), 0n));
    await stopEven(gateway);
  } finally {
    await gateway.stop();
  }
});
