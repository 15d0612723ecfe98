// Starting: with nothing at all, and with what is not right.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { symlinkSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import OpenAI from "openai";
import { Program } from "./harness.mjs";
import { equipoise, freePort, scratch, test } from "./stage.mjs";

test("with no configuration and a clean environment, the built-in modelled backend serves, and says so", async (t) => {
  const folder = scratch();
  const port = await freePort();
  const args = ["serve", "--listen", `127.0.0.1:${port}`, "--admin", `127.0.0.1:${await freePort()}`];
  const program = new Program("serve", process.env.EQUIPOISE, args, { cwd: folder, cleanEnvironment: true });
  try {
    await program.prints(new RegExp(`http://127\\.0\\.0\\.1:${port}`));
    if (/found:/.test(program.output)) return t.skip("an inference engine runs on this machine, and was found");
    await program.prints(/modelled/i);
    await program.prints(/OPENAI_BASE_URL=\S+/);
    const baseURL = program.output.match(/OPENAI_BASE_URL=["']?([^\s"']+)/)[1];
    const openai = new OpenAI({ apiKey: "any", baseURL, maxRetries: 0 });
    const [first] = (await openai.models.list()).data;
    const messages = [{ role: "user", content: "What is 17 + 25?" }];
    const answer = await openai.chat.completions.create({ model: first.id, messages });
    assert.match(answer.choices[0].message.content, /\S/);
  } finally {
    assert.equal((await program.stop()).code, 0);
  }
});

test("the configuration that stands here is meant by every command, with its addresses and its folder", async () => {
  const folder = scratch();
  const [port, admin] = [await freePort(), await freePort()];
  const here = (...args) => equipoise(args, { cwd: folder });
  writeFileSync(join(folder, "equipoise.yaml"), `listen: 127.0.0.1:${port}\nadmin: 127.0.0.1:${admin}\ndata: books\n` +
    'backends: { a: { url: "http://127.0.0.1:9" } }\nroutes: { r: { reference: a/m } }\nbudget: $5/day\n');
  const gateway = new Program("serve", process.env.EQUIPOISE, ["serve"], { cwd: folder });
  try {
    await gateway.prints(/Serves as equipoise\.yaml/);
    await gateway.prints(new RegExp(`serves on http://127\\.0\\.0\\.1:${port} \\(admin http://127\\.0\\.0\\.1:${admin}, ledger in books`));
    const set = await here("lever", "r", "alternatives", "shadow");
    assert.equal(set.code, 0, set.stderr);
    assert.match((await here("budget")).stdout, /everything +\$5\/day/);
    assert.match((await here("changes")).stdout, /lever at run time r alternatives/);
    assert.equal((await here("reload")).code, 0);
    assert.equal((await here("report")).code, 0);
    // Options stand above it.
    const elsewhere = await here("lever", "--admin", "127.0.0.1:9");
    assert.equal(elsewhere.code, 1);
    assert.match(elsewhere.stderr, /127\.0\.0\.1:9:/);
    assert.match((await here("report", "--data", "nowhere")).stderr, /nowhere/);
  } finally {
    await gateway.stop();
  }
  assert.match((await here("budget")).stderr, new RegExp(`No gateway answers on 127\\.0\\.0\\.1:${admin} `));
});

// The file is a pipe: the start waits for it, and what comes meanwhile comes too early for anybody to listen.
test("a SIGHUP while it starts is a reload as soon as it serves, not the end", async () => {
  const folder = scratch();
  const [port, admin] = [await freePort(), await freePort()];
  execFileSync("mkfifo", [join(folder, "pipe.yaml")]);
  const gateway = new Program("serve", process.env.EQUIPOISE, ["serve", "--config", "pipe.yaml"], { cwd: folder });
  try {
    const pipe = await open(join(folder, "pipe.yaml"), "w"); // once it reads
    gateway.child.kill("SIGHUP");
    await pipe.write(`listen: 127.0.0.1:${port}\nadmin: 127.0.0.1:${admin}\nbackends: { a: { url: "http://127.0.0.1:9" } }\n`);
    await pipe.close();
    await gateway.prints(/pipe\.yaml cannot be read/); // again: it is no file
    assert.equal((await fetch(`http://127.0.0.1:${admin}/healthz`)).status, 200);
  } finally {
    assert.equal((await gateway.stop()).code, 0);
  }
});

test("a SIGHUP while it ends comes too late, and ends nothing early", async () => {
  const folder = scratch();
  const [port, admin] = [await freePort(), await freePort()];
  writeFileSync(join(folder, "c.yaml"), `listen: 127.0.0.1:${port}\nadmin: 127.0.0.1:${admin}\nbackends: { a: { url: "http://127.0.0.1:9" } }\n`);
  const gateway = new Program("serve", process.env.EQUIPOISE, ["serve", "--config", "c.yaml"], { cwd: folder });
  await gateway.prints(new RegExp(`:${port}`));
  assert.equal((await fetch(`http://127.0.0.1:${admin}/healthz`)).status, 200);
  const ends = once(gateway.child, "exit");
  gateway.child.kill("SIGTERM");
  while (gateway.child.exitCode === null && gateway.child.signalCode === null) {
    gateway.child.kill("SIGHUP");
    await new Promise(setImmediate);
  }
  assert.deepEqual(await ends, [0, null]);
});

test("an equipoise.yaml that leads nowhere is no reason to serve without it", async () => {
  const folder = scratch();
  symlinkSync("not-there-yet.yaml", join(folder, "equipoise.yaml"));
  const { code, stderr } = await equipoise(["serve"], { cwd: folder });
  assert.equal(code, 3);
  assert.match(stderr, /equipoise\.yaml/);
});

test("an address that is taken is named", async () => {
  const folder = scratch();
  const [port, admin] = [await freePort(), await freePort()];
  writeFileSync(join(folder, "c.yaml"), `listen: 127.0.0.1:${port}\nadmin: 127.0.0.1:${admin}\nbackends: { a: { url: "http://127.0.0.1:9" } }\n`);
  const first = new Program("serve", process.env.EQUIPOISE, ["serve", "--config", "c.yaml"], { cwd: folder });
  try {
    await first.prints(new RegExp(`:${port}`));
    const second = await equipoise(["serve", "--config", "c.yaml"], { cwd: folder });
    assert.equal(second.code, 1);
    assert.match(second.stderr, /in use|already|another/i);
  } finally {
    await first.stop();
  }
});

test("open to the network without keys: refused, with the lines to add", async () => {
  const folder = scratch();
  writeFileSync(join(folder, "c.yaml"), `listen: 0.0.0.0:${await freePort()}\nbackends: { a: { url: "http://127.0.0.1:9" } }\n`);
  const { code, stderr } = await equipoise(["serve", "--config", "c.yaml"], { cwd: folder });
  assert.equal(code, 3);
  assert.match(stderr, /keys:/);
});

test("a wrong configuration: status 3, every error at once with its line and a suggestion", async () => {
  const folder = scratch();
  writeFileSync(join(folder, "c.yaml"), "listne: 127.0.0.1:8080\nbackends: { a: { url: 7x } }\nworkers: many\n");
  for (const command of [["serve", "--config", "c.yaml"], ["check", "c.yaml"]]) {
    const { code, stderr } = await equipoise(command, { cwd: folder });
    assert.equal(code, 3, stderr);
    for (const words of [/c\.yaml:1/, /listen/, /c\.yaml:2/, /c\.yaml:3/]) assert.match(stderr, words);
  }
});
