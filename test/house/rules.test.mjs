// Each rule of the house, shown to fail on a tree made bad in one way, and to pass on the same tree made good.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { checkGlobals, checkHeadersAlone, checkLayout, checkNamedTests, checkNames, checkSources } from "./check.mjs";
import { LIMITS } from "./rules.mjs";

// A tree with these files, gone after the test.
function tree(t, files) {
  const root = mkdtempSync(join(tmpdir(), "house-"));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const sources = (t, path, text) => checkSources(tree(t, { [path]: text }));

function refuses(t, path, text, pattern) {
  const problems = sources(t, path, text);
  assert.equal(problems.length, 1, `${path} with ${JSON.stringify(text.slice(0, 60))}: ${problems.join("\n") || "passed"}`);
  assert.match(problems[0], pattern);
}

const accepts = (t, path, text) => assert.deepEqual(sources(t, path, text), []);

test("imports run downwards", (t) => {
  refuses(t, "src/base/map.c", '#include "money/usd.h"\n', /^src\/base\/map\.c:1: .*downwards/);
  refuses(t, "src/money/usd.h", '\n#include "config/config.h"\n', /^src\/money\/usd\.h:2: /);
  refuses(t, "src/levers/exact.c", '#  include "gateway/exchange.h"\n', /downwards/);
  refuses(t, "src/quality/audit.c", '#include "fleet/health/health.h"\n', /not below quality/);
  refuses(t, "src/gateway/exchange.c", '#include "twin/twin.h"\n', /not below gateway/);
  refuses(t, "src/virtual/world.c", '#include "live/loop.h"\n', /not below virtual/);
  accepts(t, "src/cmd/serve/serve.c", '#include "live/loop.h"\n#include "base/map.h"\n#include "cmd/options.h"\n');
  accepts(t, "src/money/usd.c", '/* #include "cmd/serve.h" */\n');
  accepts(t, "src/main.c", '#include "cmd/serve.h"\n#include "version.h"\n');
});

test("world.h is open to every room above base, and stands on base alone", (t) => {
  accepts(t, "src/money/ledger/journal.c", '#include "world.h"\n');
  accepts(t, "src/world.h", '#include "base/slice.h"\n');
  refuses(t, "src/base/log.c", '#include "world.h"\n', /below world\.h/);
  refuses(t, "src/world.h", '#include "money/usd.h"\n', /base\/ only/);
});

test("a room that the house does not know", (t) => {
  refuses(t, "src/utils/helper.c", "int x;\n", /no room of the house/);
  refuses(t, "src/cmd/serve/serve.c", '#include "utils/helper.h"\n', /no room of the house/);
});

test("sockets, loop, TLS, threads, YAML and SQLite stay in their rooms", (t) => {
  for (const header of ["uv.h", "llhttp.h", "sys/socket.h", "netdb.h", "openssl/ssl.h", "pthread.h"]) {
    refuses(t, "src/gateway/flight/flight.c", `#include <${header}>\n`, /go through world\.h/);
    accepts(t, "src/live/server.c", `#include <${header}>\n`);
  }
  refuses(t, "src/money/price.c", "#include <yaml.h>\n", /belongs to config/);
  refuses(t, "src/config/load.c", "#include <sqlite3.h>\n", /belongs to money/);
  refuses(t, "src/base/map.c", "#include <openssl/evp.h>\n", /belongs to/);
  accepts(t, "src/base/hash.c", "#include <openssl/evp.h>\n");
  accepts(t, "src/base/lock.h", "#include <pthread.h>\n");
});

test("no clock and no chance outside the world", (t) => {
  for (const call of ["time(NULL)", "clock_gettime (CLOCK_REALTIME, &now)", "rand()", "gettimeofday(&now, NULL)", "sleep(1)"]) {
    refuses(t, "src/money/usd.c", `x = ${call};\n`, /belongs to the world/);
    accepts(t, "src/live/clock.c", `x = ${call};\n`);
  }
  accepts(t, "src/fleet/health/health.c", 'x = world->ops->random(world); total_time(2); say("time(NULL)"); /* rand() */\n');
  accepts(t, "src/world.h", "uint64_t (*random)(struct world *);\n");
});

test("nothing is sent round the balance", (t) => {
  const open = "x(void)\n{\n    world->ops->call_open(world, &call, &request);\n}\n";
  const read = (path) => readFileSync(new URL(`../../src/${path}`, import.meta.url), "utf8");
  refuses(t, "src/levers/judge.c", open, /CALL_OPENERS/);
  refuses(t, "src/gateway/judge.c", "worker_world(a)\n        ->ops->call_open(w, c, r);\n", /CALL_OPENERS/);
  refuses(t, "src/gateway/watch/question.c", open + open, /several places/);
  refuses(t, "src/gateway/exchange.c", "flight = flight_open(world, target, api, &request);\n", /send\.c does/);
  refuses(t, "src/gateway/outcome2.c", "send_flight(exchange, on_wake);\n", /attempt\.c does/);
  refuses(t, "src/gateway/exchange.c", "exchange->plan = &exchange->plans.all[1];\n", /not chosen on the balance/);
  accepts(t, "src/gateway/exchange.c", "struct plan *chosen = attempt_next(exchange, plans, &wait);\nexchange->plan = chosen;\n");
  refuses(t, "src/gateway/exchange.c", "chosen = &exchange->plans.all[1];\nexchange->plan = chosen;\n", /otherwise than by attempt_next/);
  accepts(t, "src/virtual/world.c", ".call_open = vcall_open, /* ->call_open( */\n");
  for (const [path, gate] of [
    ["gateway/balance.c", "destination_allowed(request->tenant, plan->target->backend)"],
    ["gateway/balance.c", "verdict = plan_fits(plan, request);"],
    ["gateway/attempt/send.c", "flight_open(worker_world(exchange->worker), &exchange->worker->flights, exchange->plan->target,"],
    ["gateway/balance.c", "verdict = plan_acceptable(plan, request, bypass, reference_failed);"],
    ["gateway/balance.c", "plan->verdict != VERDICT_EJECTED && plan->verdict != VERDICT_SPENT"],
    ["gateway/attempt/attempt.c", "plan = balance_choose(plans, &exchange->request, exchange->bypass);"],
    ["gateway/attempt/reach.c", "return &backend->endpoints[exchange->seat];"],
    ["gateway/attempt/send.c", ".endpoint = reach_pick(exchange)"],
    ["gateway/attempt/send.c", "ENSURE(destination_allowed(exchange->identity.tenant, exchange->plan->target->backend));"],
    ["gateway/judging/validation.c", "if (!may_leave(validation)) {"],
    ["gateway/judging/validation.c", "return destination_allowed(validation->tenant,"],
  ]) {
    assert.ok(read(path).includes(gate), `${path} no longer says ${gate}`);
    accepts(t, `src/${path}`, read(path));
    assert.match(sources(t, `src/${path}`, read(path).replace(gate, "true")).join("\n"), /is not where it was/);
  }
});

test("nothing is left over", (t) => {
  refuses(t, "src/money/usd.c", "/* TODO: round */\n", /finish it/);
  refuses(t, "src/money/usd.c", "/* a stub */\n", /finish it/);
  refuses(t, "src/money/usd.c", "return ERR; /* not implemented */\n", /finish it/);
  accepts(t, "src/money/usd.c", "/* stubborn hacks_of_todos */\n");
});

test("files and functions stay small", (t) => {
  const lines = (count) => "int x;\n".repeat(count);
  const definition = (count) => `int\nlong_one(void)\n{\n${"    x();\n".repeat(count)}}\n`;
  refuses(t, "src/base/map.c", lines(LIMITS.source + 1), /split it/);
  refuses(t, "src/base/map.h", lines(LIMITS.header + 1), /split it/);
  refuses(t, "src/base/map.c", definition(LIMITS.function), /long_one\(\) has/);
  accepts(t, "src/base/map.c", definition(LIMITS.function - 4));
});

test("no registry's host in a lockfile, no path of one machine", (t) => {
  const host = '{ "resolved": "https://example.com/a.tgz" }\n';
  assert.match(checkNames(tree(t, { "test/e2e/package-lock.json": host }))[0], /registry/);
  assert.match(checkNames(tree(t, { "doc/a.md": ["see", "/home", "/ann/x\n"].join("").replace("see", "see ") }))[0], /one machine/);
  assert.deepEqual(checkNames(tree(t, { "doc/a.md": "POST /v1/chat and ${ROOT}/work/x\n" })), []);
});

test("tests that the page on them names are there", (t) => {
  const check = (name) => checkNamedTests(tree(t, { "test/README.md": `| 1 | \`unit/a_test.c: ${name}\` |\n`, "test/unit/a_test.c": "it_works(void)\n" }));
  assert.deepEqual(check("it_works"), []);
  assert.match(check("it_flies")[0], /a_test\.c has no 'it_flies'/);
});

test("a header compiles on its own", async (t) => {
  const bad = await checkHeadersAlone(tree(t, { "src/base/a.h": "size_t a(void);\n" }), []);
  assert.match(bad[0], /src\/base\/a\.h: does not compile on its own/);
  assert.deepEqual(await checkHeadersAlone(tree(t, { "src/base/a.h": "#include <stddef.h>\nsize_t a(void);\n" }), []), []);
});

test("no mutable globals", (t) => {
  const objects = (text) => {
    const root = tree(t, { "a.c": text });
    execFileSync("gcc", ["-fPIC", "-c", "a.c", "-o", "a.o"], { cwd: root });
    return checkGlobals([join(root, "a.o")]);
  };
  assert.match(checkGlobals([])[0], /no object file/);
  assert.match(objects("int count = 1;\n")[0], /^count is a mutable global/);
  assert.match(objects("int next(void) { static int seen; return ++seen; }\n")[0], /^seen.* is a mutable global/);
  assert.match(objects("_Thread_local int mine;\n")[0] ?? "", /^mine is a mutable global/);
  assert.deepEqual(objects('static const char *const names[] = {"a", "b"};\nconst char *f(int i) { return names[i]; }\n'), []);
});

test("layout", (t) => {
  const style = "BasedOnStyle: LLVM\nIndentWidth: 4\n";
  const { problems, note } = checkLayout(tree(t, { ".clang-format": style, "src/base/a.c": "int  x;\n" }));
  if (note) return t.skip(note);
  assert.match(problems[0], /^src\/base\/a\.c:1:4: layout/);
  assert.deepEqual(checkLayout(tree(t, { ".clang-format": style, "src/base/a.c": "int x;\n" })).problems, []);
});
