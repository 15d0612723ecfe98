// A real inference engine, if there is one: $REAL_ENGINE is a command that takes a port and serves OpenAI's and Anthropic's APIs on it.
import { Program, until } from "./harness.mjs";

export const command = process.env.REAL_ENGINE;
const FIRST_START_MS = 300_000; // the first start may have to fetch the engine; each later one takes a moment

export const programAt = (port) => new Program("engine", "/bin/sh", ["-c", `exec ${command} ${port}`]);

// Until it answers; throws if it ends, or does not in time.
export async function isReady(program, url) {
  let ended = false;
  program.ended.then(() => (ended = true));
  await until("the engine to be ready", () => ended || fetch(`${url}/health`).then(({ ok }) => ok, () => false), FIRST_START_MS);
  if (ended) throw new Error(`the engine ended at once: ${program.output.trim().split("\n").at(-1)}`);
}

// { program }; or { why }: there is none, or the one that run.sh found by itself cannot be started on this machine. One that the
// user named must start.
export async function start(port) {
  if (!command) return { why: "REAL_ENGINE is not set: no real engine to test against" };
  const program = programAt(port);
  try {
    await isReady(program, `http://127.0.0.1:${port}`);
    return { program };
  } catch (error) {
    if (process.env.REAL_ENGINE_FOUND !== "1") throw error;
    await program.stop("SIGKILL");
    return { why: `${command} cannot be started here: ${error.message}` };
  }
}
