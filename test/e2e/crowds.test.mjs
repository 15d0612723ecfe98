// More clients than there may be files: the rest waits, nothing spins, and those who are in are served.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, scratch, test, after } from "./stage.mjs";
import { Program, until } from "./harness.mjs";
import { Origin, Wire } from "./wire.mjs";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const origin = await Origin.start(() => OK);
const folder = scratch();
const [port, admin] = [await freePort(), await freePort()];
writeFileSync(join(folder, "equipoise.yaml"), JSON.stringify({
  listen: `127.0.0.1:${port}`, admin: `127.0.0.1:${admin}`, workers: 1, backends: { rec: { url: origin.url } },
}));
const FILES = 128;
const gateway = new Program("gateway", "sh", ["-c", `ulimit -n ${FILES}; exec "$0" serve --config equipoise.yaml`, process.env.EQUIPOISE], { cwd: folder });
await gateway.prints(new RegExp(`serves on http://127\\.0\\.0\\.1:${port}`));
after(async () => {
  await gateway.stop();
  await origin.stop();
});

const request = "GET /backend/rec/p HTTP/1.1\r\nHost: x\r\n\r\n";
const statusOf = async (wire) => {
  await wire.write(request);
  return (await wire.answer())?.status;
};
// Of the processor so far, in clock ticks.
const ticks = () => readFileSync(`/proc/${gateway.child.pid}/stat`, "latin1").split(") ")[1].split(" ").slice(11, 13).reduce((sum, part) => sum + Number(part), 0);

test("it says that it can take few", () => assert.match(gateway.stderr, new RegExp(`only ${FILES} files may be open here`)));

test("300 clients where there are files for 24: all are served in turn, none is let in and then dropped", async () => {
  const wires = await Promise.all(Array.from({ length: 300 }, () => Wire.open(port)));
  const served = wires.map(async (wire) => {
    const status = await statusOf(wire);
    wire.destroy(); // makes room for the next
    return status;
  });
  assert.deepEqual(new Set(await Promise.all(served)), new Set([200]));
});

test("while others wait, who is in is served, and the processor rests", async () => {
  const wires = [];
  for (let i = 0; i < 60; i++) wires.push(await Wire.open(port));
  assert.equal(await statusOf(wires[0]), 200);
  const before = ticks();
  await new Promise((done) => setTimeout(done, 500));
  assert.ok(ticks() - before < 25, "half of a second's half is no rest");
  assert.equal(await statusOf(wires[0]), 200);
  wires.forEach((wire) => wire.destroy());
  await until("room again", async () => {
    const wire = await Wire.open(port);
    const status = await statusOf(wire);
    wire.destroy();
    return status === 200;
  });
});

test("a crash leaves no core file", () => {
  assert.match(readFileSync(`/proc/${gateway.child.pid}/limits`, "latin1"), /^Max core file size +0 +0 /m);
});
