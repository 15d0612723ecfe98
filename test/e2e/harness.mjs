// Starts programs and ends them, always; and looks whether a sanitizer complained.
import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { once } from "node:events";

const PATIENCE_MS = Number(process.env.E2E_PATIENCE_MS ?? 240_000); // until a test gives up; nothing waits for it in a good run

const COMPLAINT = /AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|runtime error:|ENSURE/;

const running = new Set();
process.on("exit", () => running.forEach((program) => program.child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(130));

export class Program {
  constructor(name, command, args, { env = {}, cwd, cleanEnvironment = false } = {}) {
    this.name = name;
    this.stdout = this.stderr = "";
    this.listeners = new Set();
    const inherited = cleanEnvironment ? { PATH: process.env.PATH } : process.env;
    this.child = spawn(command, args, { cwd, env: { ...inherited, ...sanitizers(), ...env } });
    if (process.env.E2E_PIDS && this.child.pid) appendFileSync(process.env.E2E_PIDS, `${this.child.pid}\n`);
    running.add(this);
    // What still runs when the tests are over does not keep them from ending: it is killed at the exit.
    for (const handle of [this.child, this.child.stdin, this.child.stdout, this.child.stderr]) handle?.unref?.();
    for (const stream of ["stdout", "stderr"])
      this.child[stream].setEncoding("utf8").on("data", (text) => this.hear(stream, text));
    this.ended = this.follow();
    this.ended.then(() => this.listeners.forEach((listener) => listener()));
  }

  async follow() {
    try {
      const [code, signal] = await once(this.child, "close");
      return { code, signal };
    } catch (error) {
      return { code: -1, signal: null, error };
    } finally {
      this.over = true;
      running.delete(this);
    }
  }

  hear(stream, text) {
    this[stream] += text;
    this.listeners.forEach((listener) => listener());
  }

  get output() {
    return this.stdout + this.stderr;
  }

  // Resolves to the match as soon as the program has printed it; fails if it ends before.
  async prints(pattern) {
    return within(`${this.name} to print ${pattern}`, () => this.output, (done, fail) => {
      const look = () => {
        const match = this.output.match(pattern);
        if (match) done(match);
        else if (this.over) fail(new Error(`${this.name} ended without printing ${pattern}:\n${this.output}`));
      };
      this.listeners.add(look);
      look();
    });
  }

  // How it ended, once it has: { code, signal }.
  end = () => within(`${this.name} to end`, () => this.output, (done) => this.ended.then(done));

  async stop(signal = "SIGTERM") {
    this.child.kill(signal);
    try {
      return await this.end();
    } finally {
      this.child.kill("SIGKILL"); // in vain if it has ended
      this.check();
    }
  }

  check() {
    if (COMPLAINT.test(this.stderr)) throw new Error(`${this.name}: a sanitizer or an assertion complained:\n${this.stderr}`);
  }
}

function sanitizers() {
  return { ASAN_OPTIONS: "detect_stack_use_after_return=1", UBSAN_OPTIONS: "print_stacktrace=1", NO_COLOR: "1" };
}

function within(what, story, start) {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error(`waited in vain for ${what}\n${story()}`)), PATIENCE_MS);
    start((value) => (clearTimeout(timer), done(value)), (error) => (clearTimeout(timer), fail(error)));
  });
}

// Asks again until the answer is truthy: for what can only be asked, as the ledger, which runs a little behind.
export async function until(what, ask, patience_ms = PATIENCE_MS) {
  const giveUp = Date.now() + patience_ms;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > giveUp) throw new Error(`waited in vain for ${what}`);
    await new Promise((done) => setTimeout(done, 10));
  }
}

// Runs a command to its end.
export async function run(command, args, { input, ...options } = {}) {
  const program = new Program(`${command} ${args.join(" ")}`, command, args, options);
  program.child.stdin.on("error", () => {}).end(input);
  const { code } = await within(program.name, () => program.output, (done) => program.ended.then(done));
  program.check();
  return { code, stdout: program.stdout, stderr: program.stderr };
}
