// The stage of a test file: modelled backends, the gateway in front of them, and clients.
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test as nodeTest } from "node:test";
import { Program, run, until } from "./harness.mjs";
import { clientsOf, speakers } from "./speak.mjs";

export { after };
export const DIRECT = process.env.E2E_DIRECT === "1";
// Each suite asks a route on which a cheaper backend speaks the other dialect: what can be translated is.
export const CROSSED = process.env.E2E_CROSSED === "1";
export const KEY = "sk-e2e-0123456789abcdefghijklmnop";
const UPSTREAM_KEY = "sk-upstream-only-the-gateway-knows";
const program = process.env.EQUIPOISE;

// The usual configuration's route for an API.
export const routeFor = (name) => (speakers[name].sdk === "anthropic" ? "helper" : "assistant");

// A test that cannot hang for ever; on a machine with much else to do it may take ten times as long as usual.
const HANGS_MS = 600_000;
export const test = (name, options, body) =>
  body ? nodeTest(name, { timeout: HANGS_MS, ...options }, body) : nodeTest(name, { timeout: HANGS_MS }, options);

export const sha256 = (text) => createHash("sha256").update(text).digest("hex");

const listensOn = (server, port) =>
  new Promise((done) => server.once("error", () => done(false)).listen(port, "127.0.0.1", () => done(true)));

// A port that nobody listens on, below those that the kernel hands out by itself; never the same twice. Of a row of ports that
// belongs to this process, as long as it holds the first of them: what another test file starts meanwhile takes none of them.
const [PORTS_FROM, PORTS_TO, ROW] = [18_000, 32_000, 50];
let row, given = ROW;
export async function freePort() {
  for (;;) {
    while (given === ROW) {
      const first = PORTS_FROM + ROW * Math.floor(Math.random() * ((PORTS_TO - PORTS_FROM) / ROW));
      const holder = createServer().unref();
      if (await listensOn(holder, first)) [row, given] = [first, 1];
    }
    const port = row + given++;
    const server = createServer();
    const isFree = await listensOn(server, port);
    await new Promise((done) => (isFree ? server.close(done) : done()));
    if (isFree) return port;
  }
}

// A budget of a week or month begins anew at midnight (UTC). Before such a midnight this waits until it is over: what a test spends
// is then spent within one.
export async function spendsInOneMonth() {
  const SPENDS_MS = 180_000;
  for (;;) {
    const soon = new Date(Date.now() + SPENDS_MS);
    const isNew = soon.getUTCDate() === 1 || soon.getUTCDay() === 1;
    if (!isNew || soon.getUTCDate() === new Date().getUTCDate()) return;
    await new Promise((done) => setTimeout(done, 1000));
  }
}

export function scratch() {
  const folder = mkdtempSync(join(tmpdir(), "equipoise-e2e-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

// The program's command line: run to its end.
export const equipoise = (args, options) => run(program, args, options);

export class Twin {
  static async start(args = []) {
    const twin = new Twin();
    twin.program = new Program("twin", program, ["twin", "--port", "0", ...(args.includes("--engine") ? [] : ["--instant"]), ...args]);
    [twin.url, twin.port] = await twin.program.prints(/http:\/\/127\.0\.0\.1:(\d+)/);
    return twin;
  }

  async #get(path) {
    const response = await fetch(this.url + path);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  // Counters: { models: { NAME: {...} }, total: { requests, stop, client_gone, running, ... } }.
  seen = () => this.#get("/twin/seen");

  // The last request exactly as it came: { method, target, headers, body }.
  async last() {
    const last = await this.#get("/twin/last");
    return last && { ...last, body: Buffer.from(last.body_base64, "base64") };
  }

  // Faults for all requests from now on, as ["status=503*1"].
  async commit(faults) {
    const response = await fetch(`${this.url}/twin/faults`, { method: "POST", body: JSON.stringify({ faults }) });
    if (!response.ok) throw new Error(await response.text());
  }

  stop = () => this.program.stop();
}

// What most tests need: one modelled backend under both dialects, two routes, one key, prices.
export function usualConfig(twinUrl) {
  const price = { input: "$2.00/M", output: "$8.00/M", cache_read: "$0.50/M", cache_write: "$2.50/M" };
  return {
    workers: 2,
    backends: {
      twin: { url: twinUrl, key: "$UPSTREAM_KEY", engine: "twin" },
      claude: { url: twinUrl, key: "$UPSTREAM_KEY", engine: "twin", dialect: "anthropic" },
    },
    routes: {
      assistant: { reference: "twin/twin-medium", owner: "search-team" },
      helper: { reference: "claude/twin-medium" },
      vectors: { reference: "twin/twin-embed" },
    },
    keys: { web: { sha256: sha256(KEY), tenant: "acme", tags: { feature: "search" } } },
    prices: { override: { "twin/twin-medium": price, "claude/twin-medium": price, "twin/twin-embed": { input: "$0.10/M" } } },
  };
}

// The same, with a cheaper backend of the other dialect beside each.
function crossedConfig(config) {
  const other = (backend, dialect) => ({ ...config.backends[backend], dialect });
  const mixed = (route, candidate) => ({ ...config.routes[route], candidates: `${candidate}/twin-medium`, levers: { ...config.routes[route].levers, alternatives: "on" } });
  const cheap = { input: "$0.02/M", output: "$0.08/M" };
  return {
    ...config,
    backends: { ...config.backends, cheapclaude: other("twin", "anthropic"), cheaptwin: other("claude", "openai") },
    routes: { ...config.routes, assistant: mixed("assistant", "cheapclaude"), helper: mixed("helper", "cheaptwin") },
    prices: { ...config.prices, override: { ...config.prices.override, "cheapclaude/twin-medium": cheap, "cheaptwin/twin-medium": cheap } },
  };
}

// On a machine with much else to do a client is slow without meaning it: where a test does not say otherwise, it has time.
const patient = (limits) => ({ header_timeout: "10m", body_timeout: "10m", keep_alive: "10m", write_timeout: "10m", ...limits });

export class Gateway {
  // `config`: an object (JSON is YAML) or a function of { listen, admin } that returns the file's text.
  static async start(config, { folder = scratch(), env = {}, args = [], scheme = "http" } = {}) {
    const gateway = new Gateway();
    gateway.folder = folder;
    const [listen, admin] = [await freePort(), await freePort()].map((port) => `127.0.0.1:${port}`);
    gateway.url = `${scheme}://${listen}`;
    gateway.admin = `http://${admin}`;
    gateway.file = join(folder, "equipoise.yaml");
    gateway.env = { UPSTREAM_KEY, ...env };
    const text = typeof config === "function" ? config({ listen, admin })
      : JSON.stringify({ listen, admin, data: "data", ...config, limits: patient(config.limits) }, null, 2);
    writeFileSync(gateway.file, text);
    gateway.args = ["serve", "--config", gateway.file, ...args];
    await gateway.launch();
    return gateway;
  }

  async launch() {
    this.program = new Program("gateway", program, this.args, { cwd: this.folder, env: this.env });
    await this.program.prints(new RegExp(this.url.replaceAll(".", "\\.")));
  }

  clients = (key = KEY, options) => clientsOf(this.url, key, options);

  // A command that reads this gateway's ledger.
  command = (name, ...args) => equipoise([name, "--data", join(this.folder, "data"), ...args]);

  // What it says with --json, parsed.
  async told(name, ...args) {
    const { code, stdout, stderr } = await this.command(name, ...args, "--json");
    if (code !== 0) throw new Error(`${name} ${args.join(" ")}: status ${code}\n${stderr}`);
    return JSON.parse(stdout);
  }

  // Resolves when nothing is under way: no client's request, and no audit that came of one. What is counted then stays as it is.
  still = () => until("all to be still", async () => {
    const page = await (await fetch(`${this.admin}/metrics`)).text();
    const value = (name) => page.match(new RegExp(`^equipoise_${name} (\\d+)$`, "m"))[1];
    return value("requests_in_flight") === "0" && value("audits_begun_total") === value("audits_ended_total");
  });

  // How many requests ended so, by the gateway's own counters.
  async ended(state) {
    const text = await (await fetch(`${this.admin}/metrics`)).text();
    return Number(text.match(new RegExp(`^equipoise_requests_ended_total\\{state="${state}"\\} (\\d+)$`, "m"))[1]);
  }

  // A request's row, once it has ended.
  row = (id) => until(`request ${id} to be settled`, async () => {
    const response = await fetch(`${this.admin}/requests/${id}`);
    const row = response.ok ? await response.json() : null;
    return row && row.state !== "open" ? row : null;
  });

  stop = (signal) => this.program.stop(signal);
}

// Twin and gateway with the usual configuration, changed by `change`; or the twin alone when E2E_DIRECT=1.
export async function openStage({ change = (config) => config, twinArgs = [], env } = {}) {
  const twin = await Twin.start(["--key", UPSTREAM_KEY, ...twinArgs]);
  const stage = { twin, chatModel: "twin-medium", messagesModel: "twin-medium", embeddingModel: "twin-embed" };
  if (DIRECT) {
    const clients = (key, options) => clientsOf(twin.url, UPSTREAM_KEY, options);
    return { ...stage, clients, close: () => twin.stop() };
  }
  const config = change(usualConfig(twin.url));
  const gateway = await Gateway.start(CROSSED ? crossedConfig(config) : config, { env });
  const close = async () => {
    const sent = CROSSED && (await (await fetch(`${gateway.admin}/metrics`)).text()).match(/^equipoise_translated_total\{result="sent"\} (\d+)$/m);
    await gateway.stop();
    await twin.stop();
    if (CROSSED) console.log(`calls in another API: ${sent?.[1]}`);
    if (CROSSED && !(Number(sent?.[1]) > 0)) throw new Error("nothing was translated");
  };
  return { ...stage, gateway, clients: gateway.clients, chatModel: "assistant", messagesModel: "helper", embeddingModel: "vectors", close };
}
