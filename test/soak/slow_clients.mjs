// Many clients that read a byte a second, and others that must not notice.
//
//   EQUIPOISE=build/release/equipoise node test/soak/slow_clients.mjs [--clients 5000] [--seconds 20] [--runs 5]
//
// The gateway stands before the modelled backend. First the others are measured alone, then beside the slow ones, which
// all have a long stream under way. Fails if the gateway's memory grows by more than BYTES_EACH for each slow client, or
// the others' p99 (median of the runs) beyond 1.5 of what it was. `run` is for the tests, with few clients.
import net from "node:net";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

const MiB = 1024 * 1024;
const BYTES_EACH = 96 * 1024; // a connection, an exchange, what is left unsent of a short answer
const BYTES_FREE = 64 * MiB;  // what a worker may leave unsent in all

const request = (stream, tokens) => {
  const body = JSON.stringify({ model: "assistant", stream, max_completion_tokens: tokens, messages: [{ role: "user", content: `Write ${tokens} words.` }] });
  return `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
};

// In a thread of its own, so that it does not slow what is measured: sockets whose buffer is one byte long.
function beSlow({ port, clients, key }) {
  const bytes = request(true, 2000).replace("KEY", key);
  const sockets = [];
  let read = 0;
  let open = 0;
  let begun = 0;
  const tick = setInterval(() => sockets.forEach((socket) => socket.resume()), 1000);
  const add = () => {
    let first = true;
    const socket = net.connect({ port, host: "127.0.0.1", onread: { buffer: Buffer.alloc(1), callback: () => {
      read++;
      if (first && ++begun === clients) parentPort.postMessage("reading");
      first = false;
      return false; // until the next second
    } } });
    socket.on("connect", () => (open++, socket.write(bytes))).on("error", () => {}).on("close", () => open--);
    sockets.push(socket);
  };
  const grow = setInterval(() => {
    for (let i = 0; i < 100 && sockets.length < clients; i++) add();
    if (sockets.length === clients) clearInterval(grow);
  }, 10);
  parentPort.on("message", () => {
    clearInterval(tick);
    parentPort.postMessage({ open, read });
    sockets.forEach((socket) => socket.destroy());
    parentPort.close();
  });
}

// One short request after another on some connections; resolves to the times in milliseconds, sorted.
async function measure(port, key, { seconds, requests }) {
  const bytes = request(false, 20).replace("KEY", key);
  const times = [];
  const until = performance.now() + seconds * 1000;
  const one = () => new Promise((done, fail) => {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    let got = "";
    let begun;
    const ask = () => ((got = ""), (begun = performance.now()), socket.write(bytes));
    socket.on("connect", ask).on("error", fail).on("close", done);
    socket.on("data", (data) => {
      got += data;
      const head = got.indexOf("\r\n\r\n");
      if (head < 0 || got.length < head + 4 + Number(got.match(/content-length: (\d+)/i)[1])) return;
      if (!got.startsWith("HTTP/1.1 200")) return socket.destroy(new Error(got.slice(0, 300)));
      times.push(performance.now() - begun);
      if (performance.now() < until && times.length < requests) ask();
      else socket.destroy();
    });
  });
  await Promise.all(Array.from({ length: 4 }, one));
  return times.sort((a, b) => a - b);
}

const share = (times, part) => times[Math.min(times.length - 1, Math.floor(times.length * part))];
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

// `gateway`: { port, pid, key }, serving a route `assistant`.
export async function run(gateway, { clients, seconds, requests = Infinity }) {
  const resident = () => 1024 * Number(readFileSync(`/proc/${gateway.pid}/status`, "latin1").match(/^VmRSS:\s+(\d+)/m)[1]);
  const alone = await measure(gateway.port, gateway.key, { seconds, requests });
  const before = resident();
  const slow = new Worker(fileURLToPath(import.meta.url), { workerData: { port: gateway.port, clients, key: gateway.key } });
  const says = () => new Promise((done, fail) => slow.once("message", done).once("error", fail));
  await says();
  const beside = await measure(gateway.port, gateway.key, { seconds, requests });
  const grew = resident() - before;
  const asked = says();
  slow.postMessage("stop");
  const { open, read } = await asked;
  await slow.terminate();
  return { clients, open, read, grew, bytes_each: Math.round(grew / clients), asked: beside.length,
    p99_alone_ms: share(alone, 0.99), p99_beside_ms: share(beside, 0.99), within: grew <= BYTES_FREE + clients * BYTES_EACH };
}

async function main() {
  const given = Object.fromEntries([...process.argv.slice(2).join(" ").matchAll(/--(\w+) (\d+)/g)].map(([, name, value]) => [name, Number(value)]));
  const { clients = 5000, seconds = 20, runs = 5 } = given;
  const { Gateway, KEY, Twin, usualConfig } = await import("../e2e/stage.mjs");
  const twin = await Twin.start(["--key", "sk-upstream-only-the-gateway-knows", "--concurrency", "0"]);
  const gateway = await Gateway.start(usualConfig(twin.url));
  const at = { port: Number(new URL(gateway.url).port), pid: gateway.program.child.pid, key: KEY };
  const all = [];
  for (let i = 0; i < runs; i++) {
    all.push(await run(at, { clients, seconds }));
    console.log(JSON.stringify(all.at(-1)));
  }
  await gateway.stop();
  await twin.stop();
  const [alone, beside] = ["p99_alone_ms", "p99_beside_ms"].map((name) => median(all.map((one) => one[name])));
  const fine = all.every(({ within }) => within) && beside <= 1.5 * alone;
  console.log(`result: ${clients} slow clients: ${Math.max(...all.map(({ bytes_each }) => bytes_each))} bytes each at most, ` +
    `p99 of others ${alone.toFixed(2)} ms alone, ${beside.toFixed(2)} ms beside them (median of ${runs})${fine ? "" : ": NOT within the bounds"}`);
  process.exit(fine ? 0 : 1);
}

if (!isMainThread) beSlow(workerData);
else if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
