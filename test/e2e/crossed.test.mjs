// The SDKs' own suites once more, on routes where a cheaper backend speaks the other dialect: what can be translated is, and
// what cannot goes to the backend that has a place for it. The suites cannot tell.
import assert from "node:assert/strict";
import { run } from "./harness.mjs";
import { DIRECT, test } from "./stage.mjs";

const suites = { chat: 8, messages: 8, responses: 4, aborts: 4, money: 10, errors: 1, keys: 4 }; // with so many calls at least
for (const [suite, least] of Object.entries(suites))
  test(`${suite}: its suite passes on routes that cross dialects`, { skip: DIRECT }, async () => {
    const env = { ...process.env, E2E_CROSSED: "1" };
    delete env.NODE_TEST_CONTEXT; // a run of its own
    const { code, stdout, stderr } = await run(process.execPath, ["--test", "--test-reporter=tap", `${suite}.test.mjs`],
      { env, cleanEnvironment: true });
    assert.equal(code, 0, stdout + stderr);
    const translated = Number(stdout.match(/calls in another API: (\d+)/)?.[1]);
    assert.ok(translated >= least, `only ${translated} calls were translated`);
  });
