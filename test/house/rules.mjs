// The rules of the house, as data and small functions over a source file's text. check.mjs runs them over the tree;
// rules.test.mjs shows that each of them can fail.

// A room may include itself and the rooms on lower floors. Rooms on one floor do not know each other.
export const FLOORS = [
  ["base"],
  ["dialect", "embed"],
  ["money"],
  ["config"],
  ["quality", "fleet", "cache"],
  ["levers"],
  ["gateway", "twin"],
  ["admin", "alerts"],
  ["live", "virtual"],
  ["cmd"],
];

// world.h is the one door between decisions and the outside: any room above base may include it, and it stands on base
// alone. version.h is written by the build.
const DOOR = /^world\.[ch]$/;
const GENERATED = ["version.h"];

// Who may include which headers of the system and of libraries: rooms, or single files by their path below src/.
const SOCKETS = /^(sys\/(socket|un|epoll|poll|select|eventfd|timerfd)|netinet\/.*|arpa\/inet|netdb|poll|ifaddrs)\.h$/;
export const OUTSIDE = [
  { header: /^uv(\/.*)?\.h$/, may: ["live", "cmd"] },
  { header: /^llhttp\.h$/, may: ["live", "cmd"] },
  { header: /^ares.*\.h$/, may: ["live"] },
  { header: SOCKETS, may: ["live", "cmd"] },
  { header: /^openssl\//, may: ["live", "cmd", "base/hash.c"] },
  { header: /^(pthread|threads|semaphore)\.h$/, may: ["live", "cmd", "base/lock.h", "base/lock.c"] },
  { header: /^yaml\.h$/, may: ["config"] },
  { header: /^sqlite3\.h$/, may: ["money"] },
];

// What only the world may ask: the time, chance, a pause.
const CALLS = "time|gettimeofday|clock_gettime|clock|localtime|localtime_r|rand|rand_r|srand|random|srandom|drand48|" +
  "arc4random|getrandom|getentropy|sleep|usleep|nanosleep|clock_nanosleep";
const FORBIDDEN_CALL = new RegExp(`(?<![\\w.>*])(${CALLS})\\s*\\(`);
const MAY_CALL = ["live", "cmd", "base/clock.c", "base/clock.h", "main.c"];

const LEFT_OVER = /\b(TODO|FIXME|XXX|HACK)\b|\bnot (yet )?implemented\b|\bstub(s|bed)?\b/i;

export const LIMITS = { source: 650, header: 300, function: 80 };

const roomOf = (path) => (path.includes("/") ? path.split("/")[0] : path);
const floorOf = (room) => FLOORS.findIndex((rooms) => rooms.includes(room));
const isAllowed = (path, may) => may.includes(path) || may.includes(roomOf(path));

// The text with comments, and strings if asked, blanked out; lines keep their numbers.
export function withoutComments(text, { strings = false } = {}) {
  const blank = (s) => s.replace(/[^\n]/g, " ");
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'/g, (s) =>
    s.startsWith("/") || strings ? blank(s) : s);
}

// All lines that match, as { line, match }.
function* matches(text, pattern) {
  for (const [index, words] of text.split("\n").entries()) {
    const match = words.match(pattern);
    if (match) yield { line: index + 1, match };
  }
}

function whyNotInclude(path, included) {
  const from = roomOf(path);
  const to = roomOf(included);
  if (from === "main.c" || GENERATED.includes(included)) return null;
  if (DOOR.test(to)) return from === "base" ? "base/ stands below world.h" : null;
  if (DOOR.test(from)) return to === "base" ? null : `${from} may include base/ only`;
  if (from === to) return null;
  if (floorOf(to) < 0) return `${to} is no room of the house (FLOORS in test/house/rules.mjs)`;
  return floorOf(to) < floorOf(from) ? null : `imports run downwards, and ${to}/ is not below ${from}/`;
}

// Every rule takes a path below src/ and the file's text, and yields { line, what }.

export function* includesRunDownwards(path, text) {
  const room = roomOf(path);
  if (room !== "main.c" && !DOOR.test(room) && floorOf(room) < 0)
    yield { line: 1, what: `${room} is no room of the house (FLOORS in test/house/rules.mjs)` };
  for (const { line, match } of matches(withoutComments(text), /^\s*#\s*include\s*"([^"]+)"/)) {
    const why = whyNotInclude(path, match[1]);
    if (why) yield { line, what: `#include "${match[1]}": ${why}` };
  }
}

export function* outsideStaysOutside(path, text) {
  for (const { line, match } of matches(withoutComments(text), /^\s*#\s*include\s*["<]([^">]+)[">]/)) {
    const rule = OUTSIDE.find(({ header }) => header.test(match[1]));
    if (rule && !isAllowed(path, rule.may))
      yield { line, what: `<${match[1]}> belongs to ${rule.may.join(", ")} only; go through world.h` };
  }
}

export function* noClockNoChance(path, text) {
  if (isAllowed(path, MAY_CALL)) return;
  for (const { line, match } of matches(withoutComments(text, { strings: true }), FORBIDDEN_CALL))
    yield { line, what: `${match[1]}() belongs to the world: take time and random numbers from world.h` };
}

export function* nothingLeftOver(path, text) {
  for (const { line, match } of matches(text, LEFT_OVER))
    yield { line, what: `"${match[0]}": finish it, or leave it out` };
}

export function* filesStaySmall(path, text) {
  const lines = text.split("\n").length - 1;
  const limit = path.endsWith(".h") ? LIMITS.header : LIMITS.source;
  if (lines > limit) yield { line: limit, what: `${lines} lines, at most ${limit}: split it by what it knows` };

  let name = null;
  let start = 0;
  for (const [index, words] of text.split("\n").entries()) {
    if (/^\w+\(/.test(words)) [name, start] = [words.match(/^\w+/)[0], index + 1];
    if (words === "}" && name) {
      const length = index + 2 - start;
      if (length > LIMITS.function)
        yield { line: start, what: `${name}() has ${length} lines, at most ${LIMITS.function}: a screenful` };
      name = null;
    }
  }
}

// Machine paths, a registry's host in a lockfile.
export function* namesNoMachine(path, text) {
  if (/package-lock\.json$/.test(path))
    for (const { line } of matches(text, /"resolved":\s*"https?:/))
      yield { line, what: "names a registry's host; set omit-lockfile-registry-resolved=true in .npmrc" };
  for (const { line, match } of matches(text, /(?<![\w.}])\/(work|root|home\/\w+)\/[\w.]/))
    yield { line, what: `${match[0]}...: a path of one machine` };
}

// Every place that opens a call to the outside, and why it may. What a user wrote, or a model answered, goes out only in
// the first two, each behind destination_allowed: FORBIDDEN_WAYS and GATES see to it.
export const CALL_OPENERS = {
  "gateway/flight/flight.c": "requests, on the plan that the balance chose",
  "gateway/judging/outside_judge.c": "two answers, to the judge of the route, if the tenant's rules let them",
  "gateway/judging/validation.c": "answers, to the validator of the route, if the tenant's rules let them",
  "alerts/sender.c": "alerts, to the user's webhook: names and numbers, no text of any request",
  "gateway/watch/question.c": "asks a backend about itself (models, metrics, health): nothing of any user",
  "cmd/probe/probe_backends.c": "`check` asks a backend whether it is there: nothing of any user",
  "cmd/eval/judge_asking.c": "`eval judge` asks a judge about the comparisons of a file that the user gives it: nothing of any client",
  "twin/customers.c": "the demo's modelled customers call the gateway itself",
};

// The way of a request: the balance chooses the plan, only attempt.c sends it, only send.c opens its flight.
const FORBIDDEN_WAYS = [
  { way: /->\s*call_open\s*\(/, may: Object.keys(CALL_OPENERS), what: "opens a call: name it and its reason in CALL_OPENERS" },
  { way: /(?<!\*)\bflight_open\s*\(/, may: ["gateway/attempt/send.c", "gateway/flight/flight.c"], what: "opens a flight: send.c does, on the chosen plan" },
  { way: /(?<!void )\bsend_flight\s*\(/, may: ["gateway/attempt/attempt.c", "gateway/attempt/send.c"], what: "sends a request: attempt.c does, on the chosen plan" },
  { way: /\bsend_together\s*\(/, may: ["gateway/attempt/batch_call.c", "gateway/attempt/send.c", "gateway/attempt/send.h"], what: "sends requests together: batch_call.c does, those that attempt.c gave it" },
  { way: /->plan = (?!chosen;)/, may: ["gateway/own_model.c"], // the built-in model's, which is sent nowhere
    what: "a plan that was not chosen on the balance" },
  { way: /\bchosen = (?!attempt_next\(exchange,|choose\(exchange\);)/, may: [], what: "chosen otherwise than by attempt_next" },
];

// What must stand in these files, in this order.
const GATES = {
  "gateway/balance.c": [/^plan_fits\(/m, /if \(!destination_allowed\(request->tenant, plan->target->backend\)\)\s+return VERDICT_NOT_ALLOWED;/,
    /^plan_acceptable\([\s\S]*?verdict = plan_fits\(plan, request\);\s+if \(verdict != VERDICT_ACCEPTABLE/m,
    /^plan_verdict\([\s\S]*?plan_acceptable\(plan, request,[\s\S]*?return verdict == VERDICT_ACCEPTABLE && plan->away != VERDICT_NONE \? plan->away : verdict;/m,
    /^balance_last_resort\([\s\S]*?if \(plan->verdict != VERDICT_EJECTED && plan->verdict != VERDICT_SPENT\)\s+continue;/m],
  "gateway/attempt/attempt.c": [/^attempt_next\([\s\S]*?plan = balance_choose\(plans,/m, /return plan != NULL \|\| \*wait_us > 0 \? plan : balance_last_resort\(plans\);/],
  "gateway/attempt/reach.c": [/^reach_pick\([\s\S]*?backend = exchange->plan->target->backend;[\s\S]*?return &backend->endpoints\[/m],
  "gateway/attempt/send.c": [/\.endpoint = reach_pick\(exchange\)/,
    /^send_together\([\s\S]*?for \(size_t i = 0; i < count; i\+\+\) \{\s+ENSURE\(destination_allowed\(exchanges\[i\]->identity\.tenant, first->plan->target->backend\)\);/m,
    /ENSURE\(destination_allowed\(exchange->identity\.tenant, exchange->plan->target->backend\)\);/,
    /flight_open\(worker_world\(exchange->worker\), &exchange->worker->flights, exchange->plan->target,/],
  "gateway/judging/outside_judge.c": [/^outside_judge_allowed\([\s\S]*?destination_allowed\(tenant, &states_nothing\);/m,
    /^outside_judge_ask\([\s\S]*?!outside_judge_allowed\(route, tenant\)\) \{[\s\S]*?return false;\s+\}/m],
  "gateway/judging/validation.c": [/^may_leave\([\s\S]*?return destination_allowed\(validation->tenant,/m,
    /^ask_http\([\s\S]*?if \(!may_leave\(validation\)\) \{[\s\S]*?return;\s+\}/m, /->call_open\(/],
};

export function* nothingGoesRoundTheBalance(path, text) {
  const code = withoutComments(text);
  for (const { way, may, what } of FORBIDDEN_WAYS)
    for (const { line } of may.includes(path) ? [] : matches(code, way)) yield { line, what };
  if (path in CALL_OPENERS && code.split(/->\s*call_open\s*\(/).length > 2)
    yield { line: 1, what: "opens calls in several places: one is named in CALL_OPENERS" };
  let rest = code;
  for (const gate of GATES[path] ?? []) {
    const at = rest.search(gate);
    if (at < 0) yield { line: 1, what: `${gate} is not where it was: may something now be sent that destination_allowed did not see?` };
    rest = at < 0 ? rest : rest.slice(at);
  }
}

export const SOURCE_RULES = [includesRunDownwards, outsideStaysOutside, noClockNoChance, nothingLeftOver, filesStaySmall,
  nothingGoesRoundTheBalance];
