// Secrets are planted wherever one may come from, and looked for wherever the program writes: nothing may hold one.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, equipoise, freePort, Gateway, scratch, sha256, test } from "./stage.mjs";
import { Origin, Wire } from "./wire.mjs";
import { good } from "./framing/answers.mjs";

const secret = (name) => `sk-planted-${name}-8f14e45fceea167a5a36dedd4bea2543`;
const planted = Object.fromEntries(["client", "stranger", "cookie", "query", "userinfo", "upstream", "command", "file", "inline", "health", "header", "path"]
  .map((name) => [name, secret(name)]));
const leaks = (text) => Object.entries(planted).filter(([, value]) => text.includes(value)).map(([name]) => name);
const clean = (what, text) => assert.deepEqual(leaks(text), [], `${what}: ${text}`);

// Echoes what it was asked with, in body and header, as some providers do with a part of it.
const echo = (status) => ({ headers }) => {
  const told = JSON.stringify({ error: { message: `Incorrect API key provided: ${headers.get("authorization")}. Find yours elsewhere.`, type: "invalid_request_error" } });
  return `HTTP/1.1 ${status} X\r\ncontent-type: application/json\r\nx-asked-with: ${headers.get("authorization")}\r\ncontent-length: ${told.length}\r\n\r\n${told}`;
};
const origin = await Origin.start(() => good);
const folder = scratch();
writeFileSync(join(folder, "secret"), `${planted.file}\n`);
const gateway = await Gateway.start({
  workers: 1,
  backends: {
    environment: { url: origin.url, key: "$PLANTED" },
    command: { url: origin.url, auth: { command: "echo $PLANTED_COMMAND" } },
    file: { url: origin.url, key: "file:secret" },
    inline: { url: origin.url, key: planted.inline },
    gone: { url: "http://127.0.0.1:9", key: "$PLANTED" },
  },
  routes: Object.fromEntries(["environment", "command", "file", "inline", "gone"].map((name) => [name, { reference: `${name}/m`, attempts: 1 }])),
  keys: { web: { sha256: sha256(planted.client) } },
  health: { listen: `127.0.0.1:${await freePort()}`, token: "$PLANTED_HEALTH" },
}, { folder, env: { PLANTED: planted.upstream, PLANTED_COMMAND: planted.command, PLANTED_HEALTH: planted.health } });
after(async () => {
  await gateway.stop();
  await origin.stop();
});

const auth = { authorization: `Bearer ${planted.client}` };
const ask = (model, headers = auth, path = "/v1/chat/completions", more = {}) =>
  fetch(gateway.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", cookie: `session=${planted.cookie}`, "x-api-token": planted.header, ...headers },
    body: JSON.stringify({ model, messages: [{ role: "user", content: "hello" }], ...more }),
  });
const heard = [];
const hear = async (what, answer) => {
  const text = `${answer.status} ${JSON.stringify([...answer.headers])} ${await answer.text()}`;
  heard.push([what, text]);
  return text;
};

test("requests of every ending", async () => {
  for (const model of ["environment", "command", "file", "inline", "gone", "unknown"])
    for (const [how, answer] of [["good", () => good], ["401", echo(401)], ["400", echo(400)], ["500", echo(500)], ["cut", (_, socket) => (socket.destroy(), undefined)]]) {
      origin.answer = answer;
      for (const stream of [false, true]) await hear(`${model}, ${how}`, await ask(model, auth, undefined, { stream }));
    }
  origin.answer = () => good;
  await hear("a stranger's key", await ask("environment", { authorization: `Bearer ${planted.stranger}` }));
  await hear("a stranger's key elsewhere", await ask("environment", { "x-api-key": planted.stranger }));
  await hear("no path", await ask("environment", auth, `/v1/${planted.path}`));
  await hear("a key in the query", await ask("environment", auth, `/v1/chat/completions?api_key=${planted.query}`));
  await hear("a pass-through with a key in the query", await ask("environment", auth, `/backend/environment/v1/x?key=${planted.query}`));
  await hear("a pass-through to nobody", await ask("environment", auth, `/backend/gone/v1/x?key=${planted.query}`));
  await hear("a model that is a secret", await ask("environment", { authorization: `Bearer ${planted.stranger}` }, `/v1/messages`));
  for (const bytes of [
    `GET http://u:${planted.userinfo}@x/ HTTP/1.1\r\nHost: x\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: u:${planted.userinfo}@x\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer ${planted.stranger}\r\n\r\n`,
    `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${planted.client}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n`,
  ]) {
    const wire = await Wire.open(new URL(gateway.url).port);
    await wire.write(bytes);
    heard.push([bytes, JSON.stringify((await wire.answer())?.body)]);
    wire.destroy();
  }
  assert.ok(origin.requests.some(({ headers }) => headers.get("authorization")?.join() === `Bearer ${planted.file}`), "they were used");
});

test("no answer holds a secret, whatever the backend echoes", () => {
  assert.ok(heard.length > 60);
  for (const [what, text] of heard) clean(what, text);
});

test("an echoed key is starred out, and the rest of the words is as it was", () => {
  const [, text] = heard.find(([what]) => what === "environment, 401");
  assert.match(text, /Incorrect API key provided: Bearer \*+\. Find yours elsewhere\./);
});

test("no admin page holds a secret", async () => {
  for (const page of ["/metrics", "/live", "/bypass", "/healthz", "/readyz"])
    clean(page, await (await fetch(gateway.admin + page)).text());
});

test("no command tells a secret", async () => {
  for (const command of [["report", "--by", "key"], ["report", "--json"], ["export", "--focus"]]) {
    const { stdout, stderr } = await gateway.command(...command);
    clean(command.join(" "), stdout + stderr);
  }
  const ids = heard.map(([, text]) => text.match(/"x-equipoise-id","(\w+)"/)?.[1]).filter(Boolean);
  assert.ok(ids.length > 30);
  for (const id of ids) clean(`request ${id}`, JSON.stringify(await gateway.row(id)));
  const { stdout } = await gateway.command("explain", ids.at(-1));
  clean("explain", stdout);
});

test("no file, no message and no command line holds a secret", async () => {
  const data = join(folder, "data");
  const files = readdirSync(data, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.ok(files.some(({ name }) => name === "ledger.db"));
  for (const { name, path } of files) assert.deepEqual(leaks(readFileSync(join(path, name), "latin1")), [], name);
  clean("standard output and error", gateway.program.output);
  clean("the command line", readFileSync(`/proc/${gateway.program.child.pid}/cmdline`, "latin1"));
});

for (const [what, text] of [
  ["an unknown key beside it", `backends: { b: { url: "${origin.url}", key: ${planted.inline}, nonsense: 1 } }`],
  ["a broken line", `backends:\n  b:\n    url: ${origin.url}\n    key: "${planted.inline}\n    x: [`],
  ["a user in the URL", `backends: { b: { url: "https://u:${planted.userinfo}@x.example" } }`],
  ["a blank within it", `backends: { b: { url: "${origin.url}", key: "${planted.inline} x" } }`],
  ["under another name", `backends: { b: { url: "${origin.url}", auth: { header: x, token: ${planted.inline} } } }`],
  ["a list of it", `backends: { b: { url: "${origin.url}", key: [${planted.inline}] } }`],
  ["a client's key where its hash belongs", `keys: { web: { sha256: ${planted.client} } }`],
  ["a token that is a map", `health: { listen: "127.0.0.1:1", token: { a: ${planted.health} } }`],
])
  test(`a configuration with a secret and ${what}: told without the secret`, async () => {
    const file = join(scratch(), "bad.yaml");
    writeFileSync(file, text);
    for (const command of [["check", file], ["check", file, "--probe"], ["serve", "--config", file]]) {
      const { code, stdout, stderr } = await equipoise(command);
      assert.notEqual(code, 0);
      clean(command.join(" "), stdout + stderr);
    }
  });

test("a probe of a backend that echoes the key tells nothing of it", async () => {
  origin.answer = echo(401);
  const file = join(scratch(), "probe.yaml");
  writeFileSync(file, `backends: { b: { url: "${origin.url}", key: $PLANTED } }\nroutes: { r: { reference: b/m } }\n`);
  const { stdout, stderr } = await equipoise(["check", file, "--probe"], { env: { PLANTED: planted.upstream } });
  clean("check --probe", stdout + stderr);
});
