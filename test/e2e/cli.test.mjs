// The command line over a ledger with something in it: exit statuses, and --json that parses.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { until } from "./harness.mjs";
import { ask, pico } from "./speak.mjs";
import { equipoise, openStage, test, after } from "./stage.mjs";

const stage = await openStage();
after(() => stage.close());
const { gateway } = stage;
const { id } = await ask(stage.clients(), "chat", { model: "assistant", prompt: "What is 17 + 25?" });
await ask(stage.clients(), "messages", { model: "helper", prompt: "What is 17 + 25?" });
await until("both rows in the report", async () => (await gateway.told("report")).all.rows === 2);

test("report: for a person, as JSON, as CSV, by anything", async () => {
  const { code, stdout } = await gateway.command("report");
  assert.equal(code, 0);
  assert.match(stdout, /\$/);
  assert.match(stdout, /modelled/i);
  for (const by of ["key", "route", "model", "tag", "owner", "backend", "tenant", "source", "hour", "day", "key,route"]) {
    const told = await gateway.told("report", "--by", by);
    assert.ok(told.lines.length >= 1, by);
  }
  const csv = await gateway.command("report", "--by", "route", "--csv");
  assert.equal(csv.code, 0);
  const [head, ...lines] = csv.stdout.trim().split("\n");
  for (const line of lines) assert.equal(line.split(",").length, head.split(",").length, line);
});

test("explain: for a person and as JSON; an id that is not there fails", async () => {
  const { code, stdout } = await gateway.command("explain", id);
  assert.equal(code, 0);
  assert.match(stdout, /twin\/twin-medium/);
  assert.equal((await gateway.told("explain", id)).id, id);
  const missing = await gateway.command("explain", "0000000000000");
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /\w+ \w+/);
});

test("export --focus is CSV with FOCUS's columns", async () => {
  const { code, stdout } = await gateway.command("export", "--focus");
  assert.equal(code, 0);
  const columns = stdout.split("\n")[0].split(",");
  for (const name of ["BilledCost", "ChargePeriodStart", "ConsumedUnit", "ServiceCategory"]) assert.ok(columns.includes(name), name);
  assert.match(stdout, /AI and Machine Learning/);
});

test("check: fine with this configuration", async () => {
  const { code, stderr } = await equipoise(["check", gateway.file], { cwd: gateway.folder, env: gateway.env });
  assert.equal(code, 0, stderr);
  const probed = await equipoise(["check", gateway.file, "--probe"], { cwd: gateway.folder, env: gateway.env });
  assert.equal(probed.code, 0, probed.stderr);
});

test("prices: list, quote, lint", async () => {
  const list = await equipoise(["prices", "list", "--json"]);
  assert.equal(list.code, 0, list.stderr);
  JSON.parse(list.stdout);
  const body = { model: "gpt-4o-mini", usage: { prompt_tokens: 1000, completion_tokens: 10, total_tokens: 1010 } };
  const quote = await equipoise(["prices", "quote", "--provider", "openai", "-"], { input: JSON.stringify(body) });
  assert.equal(quote.code, 0, quote.stderr);
  assert.match(JSON.parse(quote.stdout).total_usd, /^0\.\d+$/);
});

test("demo: what the levers saved adds up to baseline less cost, to the pico-dollar", async () => {
  const { code, stdout, stderr } = await equipoise(["demo", "--once"]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /in all +on +\$[\d.]+ += baseline - cost/);
  const data = stderr.match(/ledger in (\S+)\./)[1];
  try {
    const told = await equipoise(["report", "--json", "--data", data]);
    const { all, levers, modelled, choices, look_ups } = JSON.parse(told.stdout);
    assert.equal(all.rows, 12_000); // what the semantic cache serves has to be earned first
    assert.equal(modelled.rows, 12_000);
    const on = levers.filter((lever) => lever.mode === "on");
    const savedBy = (name) => pico(on.find(({ lever }) => lever === name)?.touched.saved_usd ?? "0");
    for (const name of ["exact_cache", "coalesce", "prompt_cache", "alternatives"]) assert.ok(savedBy(name) > 0n, name);
    // The semantic cache saves what it has earned by then; how soon that is, the lots of its audits say.
    const byMeaning = look_ups.find(({ lever, route }) => lever === "semantic_cache" && route === "helpdesk");
    assert.ok(byMeaning.evidence.audits > 100 && byMeaning.unearned > 0, JSON.stringify(byMeaning));
    assert.equal(savedBy("semantic_cache"), pico(byMeaning.saved_usd));
    assert.equal(byMeaning.hit > 0, pico(byMeaning.saved_usd) > 0n);
    const saved = on.reduce((sum, { touched }) => sum + pico(touched.saved_usd), 0n);
    assert.equal(saved, pico(all.baseline_usd) - pico(all.cost_usd));
    assert.equal(saved, pico(all.saved_usd));
    // Model choice is among them: audits are paid, and what was right is told beside what is promised.
    const audits = on.find(({ lever }) => lever === "audits");
    assert.ok(pico(audits.touched.saved_usd) < 0n && audits.touched.own_calls > 20);
    assert.deepEqual([...new Set(choices.map(({ route }) => route))], ["figures", "orders", "support"]);
    const paid = choices.reduce((sum, { audits_usd }) => sum + pico(audits_usd), 0n);
    const allAudits = -pico(audits.touched.saved_usd); // with those of the reference by itself, two in a hundred
    assert.ok(paid <= allAudits && paid * 2n > allAudits, `${paid} of ${allAudits}`);
    const truth = stdout.split("The truth: ")[1];
    assert.match(truth, /\(modelled\)/);
    for (const route of ["support", "orders", "figures"]) {
      const lines = truth.split(`\n  ${route}\n`)[1].split(/\n  \w/)[0].split("\n");
      assert.match(lines[0], /partner\/twin-medium .* (or more|missing at best|still gathered|reaches the floor)/);
      const checked = (name) => Number(lines.find((line) => line.startsWith(`    ${name}`)).slice(27).trim().split(" ")[0]);
      assert.ok(checked("the reference") > 50 && checked("in all") >= checked("the reference") + checked("copies"));
      assert.equal(checked("in all"), ["the reference", "copies", "partner/twin-medium", "partner/twin-small"]
        .reduce((sum, name) => sum + (lines.some((line) => line.startsWith(`    ${name}`)) ? checked(name) : 0), 0));
    }
  } finally {
    await rm(data, { recursive: true });
  }
});

test("usage errors are status 2 and say what to do; help is status 0", async () => {
  for (const args of [["no-such-command"], ["report", "--no-such-option"], ["explain"], ["twin", "--port"]]) {
    const { code, stderr, stdout } = await equipoise(args);
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, /--help|equipoise/);
    assert.equal(stdout, "");
  }
  for (const args of [["--help"], ["--version"], ["serve", "--help"], ["report", "--help"], ["twin", "--help"]])
    assert.equal((await equipoise(args)).code, 0, args.join(" "));
});
