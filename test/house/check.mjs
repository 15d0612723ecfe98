// Checks the tree against the rules of the house:   node test/house/check.mjs [TREE [BUILD-FOLDER]]
// With a configured build folder, also that each header compiles on its own and that no module has a mutable global.
import { execFile, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join, relative, resolve } from "node:path";
import { promisify } from "node:util";
import { namesNoMachine, SOURCE_RULES } from "./rules.mjs";

const run = promisify(execFile);
const SKIPPED = ["node_modules", "build", ".git"];

// All files below `folder` whose names match; none if there is no such folder.
function filesBelow(folder, pattern) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => !SKIPPED.includes(name)).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return filesBelow(path, pattern);
    return pattern.test(name) ? [path] : [];
  });
}

export function checkSources(tree) {
  const src = join(tree, "src");
  return filesBelow(src, /\.(c|h|def)$/).flatMap((path) => {
    const text = readFileSync(path, "utf8");
    return SOURCE_RULES.flatMap((rule) => [...rule(relative(src, path), text)])
      .map(({ line, what }) => `${relative(tree, path)}:${line}: ${what}`);
  });
}

export function checkNames(tree) {
  const text = /(\.(c|h|def|mjs|js|json|md|sh|cmake|ya?ml|txt|1)|^Makefile|^run)$/;
  return filesBelow(tree, text).flatMap((path) =>
    [...namesNoMachine(path, readFileSync(path, "utf8"))].map(({ line, what }) => `${relative(tree, path)}:${line}: ${what}`));
}

// test/README.md names tests as `FILE: NAME`, the file below test/: they must be there.
export function checkNamedTests(tree) {
  const page = join(tree, "test", "README.md");
  if (!existsSync(page)) return [];
  return [...readFileSync(page, "utf8").matchAll(/`([\w./]+\.(?:c|mjs)): ([^`]+)`/g)].flatMap(([, file, name]) => {
    const path = join(tree, "test", file);
    return existsSync(path) && readFileSync(path, "utf8").includes(name) ? [] : [`test/README.md: test/${file} has no '${name}'`];
  });
}

// The -I, -isystem, -D and -std arguments with which the build compiles src/.
function compileFlags(tree, build) {
  const commands = JSON.parse(readFileSync(join(build, "compile_commands.json"), "utf8"));
  const ours = commands.find(({ file }) => relative(tree, file).startsWith("src/"));
  const words = ours ? ours.command.split(/\s+/) : [];
  return words.flatMap((word, i) => (word === "-isystem" ? [word, words[i + 1]] : /^-(I|D|std|W)/.test(word) ? [word] : []));
}

// Compiles each header as if it were a program's only line.
export async function checkHeadersAlone(tree, flags) {
  const src = join(tree, "src");
  const headers = filesBelow(src, /\.h$/);
  const problems = [];
  const next = async () => {
    for (let path = headers.pop(); path; path = headers.pop()) {
      const include = ["-include", path, "-fsyntax-only", "-x", "c", "/dev/null"];
      await run("gcc", ["-I", src, ...flags, ...include]).catch((error) =>
        problems.push(`${relative(tree, path)}: does not compile on its own\n${error.stderr ?? error.message}`));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism?.() ?? cpus().length }, next));
  return problems;
}

// Objects in writable sections of the program's own files: what a module needs is handed to it. Tables of pointers to constants lie
// in .data.rel.ro, which the loader makes read-only.
export function checkGlobals(files) {
  if (files.length === 0) return ["no object file was found: nothing is known of mutable globals"];
  const { stdout, stderr, status } = spawnSync("objdump", ["-t", ...files], { encoding: "utf8", maxBuffer: 1 << 28 });
  if (status !== 0) return [`objdump cannot read the object files: ${stderr}`];
  // Address, seven flags, section, size, name. Thread-local objects lack the flag O; sections themselves have no name.
  const object = /^[0-9a-f]+ (?:.{6}O|.{7}) (\.data|\.bss|\.data\.rel(?:\.local)?|\.tbss|\.tdata|\*COM\*)\t[0-9a-f]+ +([^.\s].*)$/gm;
  return [...stdout.matchAll(object)]
    .filter(([, , name]) => !/^__(odr_)?[au]b?san/.test(name))
    .map(([, section, name]) => `${name} is a mutable global (${section}): hand it in instead`);
}

// The layout is what clang-format 14 makes of .clang-format. Later versions differ in a handful of places, so theirs is
// an opinion: a note, not a broken rule.
export function checkLayout(tree) {
  const version = spawnSync("clang-format", ["--version"], { encoding: "utf8" });
  if (version.error) return { problems: [], note: "clang-format is not installed: layout not checked (tools/setup.sh format)" };
  const files = ["src", "test", "fuzz", "bench", "eval"].flatMap((folder) => filesBelow(join(tree, folder), /\.[ch]$/));
  const { stderr } = spawnSync("clang-format", ["--dry-run", "--style=file", ...files], { encoding: "utf8", maxBuffer: 1 << 28 });
  const problems = stderr.split("\n").filter((line) => line.includes("-Wclang-format-violations"))
    .map((line) => `${relative(tree, line.split(": ")[0])}: layout; run \`make format\``);
  if (/version 14\./.test(version.stdout)) return { problems };
  const note = `${version.stdout.trim()} is not version 14, which decides: it would change ${problems.length} lines`;
  return { problems: [], note };
}

async function main(tree, build) {
  const layout = checkLayout(tree);
  const problems = [...checkSources(tree), ...checkNames(tree), ...checkNamedTests(tree), ...layout.problems];
  if (build) {
    problems.push(...(await checkHeadersAlone(tree, compileFlags(tree, build))));
    problems.push(...checkGlobals(filesBelow(join(build, "CMakeFiles/equipoise_inside.dir"), /\.o$/)));
  }
  if (layout.note) console.log(layout.note);
  problems.forEach((problem) => console.log(problem));
  const files = filesBelow(join(tree, "src"), /\.[ch]$/).length;
  console.log(`result: ${files} files, ${problems.length} broken rules${layout.note ? " (layout not judged)" : ""}`);
  process.exitCode = problems.length > 0 || files === 0 ? 1 : 0;
}

if (process.argv[1] === new URL(import.meta.url).pathname)
  await main(resolve(process.argv[2] ?? "."), process.argv[3] && resolve(process.argv[3]));
