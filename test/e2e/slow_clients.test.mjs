// A hundred clients that read a byte a second; 5,000 of them, and what others feel of it, are measured by `make soak`.
import assert from "node:assert/strict";
import { run } from "../soak/slow_clients.mjs";
import { after, KEY, openStage, test } from "./stage.mjs";

const stage = await openStage({ env: { ASAN_OPTIONS: "detect_stack_use_after_return=1:quarantine_size_mb=1" } });
after(() => stage.close());

test("a hundred clients that read a byte a second: memory is bounded, and others are served", async () => {
  const { gateway } = stage;
  const port = Number(new URL(gateway.url).port);
  const told = await run({ port, pid: gateway.program.child.pid, key: KEY }, { clients: 100, seconds: 300, requests: 200 });
  assert.equal(told.open, 100, "all are still there");
  assert.ok(told.asked >= 200 && told.read >= 100);
  assert.ok(told.within, `${told.grew} bytes more`);
});
