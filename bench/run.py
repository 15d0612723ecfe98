"""The speed comparison: see bench/README.md, and --help."""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from rig import summary
from rig.contenders import RigError, contenders, find, paced, settle, split_cpus, upstreams
from rig.suites import SUITES

SOURCE = Path(__file__).resolve().parent
ROOT = SOURCE.parent
PROGRAMS = ROOT / "build/release"
FOLDER = ROOT / "build/bench"
BUSY_BOX = 0.05  # share of the machine's CPU time that others may take before we speak of it


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/run.sh", description="Measures Equipoise against nginx and HAProxy.")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 1 second: a look, not a measurement")
    parser.add_argument("--suite", action="append", choices=[suite.name for suite in SUITES], help="only this one (repeatable)")
    parser.add_argument("--only", action="append", metavar="CONTENDER", help="only these, next to direct and nginx")
    parser.add_argument("--rounds", type=int, help="of every suite")
    parser.add_argument("--seconds", type=float, help="of every round")
    parser.add_argument("--real-time", action="store_true",
                        help="load and upstreams at real-time priority, for a machine that is not quiet; needs root")
    parser.add_argument("--out", type=Path, help="where the JSON goes (default: bench/results/ if everything was measured)")
    parser.add_argument("--markdown", nargs="?", const="", metavar="RESULT", help="print a result (the newest) as Markdown")
    arguments = parser.parse_args()
    if arguments.real_time and os.geteuid() != 0:
        parser.error("--real-time needs root")
    return arguments


def request_file(suite, model):
    """The request's body for a suite, made from conf/request.json."""
    words = "Which balance should we buy, and how do we look after it? We also have this list of what is there already: "
    prompt = (words + "beaker, burette, clamp, crucible, desiccator, flask, funnel, " * (suite.prompt_bytes // 50))
    text = (SOURCE / "conf/request.json").read_text().strip()
    for name, value in (("MODEL", model), ("PROMPT", prompt[:suite.prompt_bytes]), ("TOKENS", str(suite.tokens or 250)),
                        ("STREAM", 'true,"stream_options":{"include_usage":true}' if suite.tokens else "false")):
        text = text.replace(name, value, 1)
    if suite.same:
        text = text.replace("0" * 16, "one", 1)
    json.loads(text)
    path = FOLDER / f"request-{suite.name}.json"
    path.write_text(text)
    return path


def load_command(suite, contender, seconds):
    command = [PROGRAMS / "bench_load", "--port", contender.ports[suite.upstream],
               "--body", request_file(suite, f"bench-{suite.upstream}"), *suite.load, "--seconds", seconds]
    if suite.tokens:
        command += ["--stream-tokens", suite.tokens]
    else:
        command += ["--expect", SOURCE / "conf/answer.json"]
    if contender.header:
        command += ["--header", contender.header]
    return [str(part) for part in command]


def machine_busy_seconds():
    """CPU seconds that all processors together have spent on anything but waiting, since boot."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return (sum(ticks[:8]) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def run_load(suite, contender, seconds, real_time=False):
    _, cpus = split_cpus()
    done = subprocess.run(load_command(suite, contender, seconds), stdout=subprocess.PIPE, text=True,
                          preexec_fn=lambda: settle(cpus, real_time))
    if done.returncode not in (0, 1):
        raise RigError("bench_load could not run.")
    return json.loads(done.stdout)


def flatten(result):
    """bench_load's JSON as one round's figures: {"latency_us": {"p99": 1}} becomes {"p99_us": 1}."""
    flat = {}
    for key, value in result.items():
        if key.endswith("_us"):
            stem = "" if key == "latency_us" else key.removesuffix("us")
            flat |= {f"{stem}{point}_us": figure for point, figure in value.items()}
        else:
            flat[key] = value
    return flat


def measure(suite, contender, servers, seconds):
    """One round: the load, then until everything is booked; CPU over both."""
    everybody = servers + ([contender.server] if contender.server else [])
    busy, own = machine_busy_seconds(), sum(sum(server.cpu_seconds()) for server in everybody)
    user, system = contender.server.cpu_seconds() if contender.server else (0, 0)
    started = time.monotonic()
    one = flatten(run_load(suite, contender, seconds, servers[0].real_time))
    one["catch_up_seconds"] = contender.catch_up()
    elapsed = time.monotonic() - started
    own = sum(sum(server.cpu_seconds()) for server in everybody) - own + one["load_cpu_seconds"]
    others = (machine_busy_seconds() - busy - own) / elapsed / os.cpu_count()
    one |= {"contender": contender.name, "asked_seconds": seconds, "others_cpu_share": max(0.0, round(others, 4))}
    if one["seconds"] > 0:
        one["rps"] = one["answers"] / (one["seconds"] + one["catch_up_seconds"])
    if contender.server and one["answers_all"]:
        user_after, system_after = contender.server.cpu_seconds()
        one["cpu_user_us"] = (user_after - user) / one["answers_all"] * 1e6
        one["cpu_us"] = one["cpu_user_us"] + (system_after - system) / one["answers_all"] * 1e6
        one["cpu_per_token_us"] = one["cpu_us"] / max(1, suite.tokens)
        one["memory_mib"] = contender.server.memory_mib()
    return one


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def run_suite(suite, taking_part, servers, arguments):
    """All rounds of a suite. Who begins moves on by one each round, so that no one always follows the same."""
    rounds = []
    count = arguments.rounds or (3 if arguments.quick else suite.rounds)
    seconds = arguments.seconds or (1 if arguments.quick else suite.seconds)
    taking_part = [one for one in taking_part if one.name not in suite.without and suite.upstream in one.ports]
    for contender in taking_part:
        progress(f"{suite.name}: warming up {contender.name}")
        run_load(suite, contender, min(1, seconds))
        contender.catch_up()
    for number in range(count):
        for place in range(len(taking_part)):
            contender = taking_part[(place + number) % len(taking_part)]
            progress(f"{suite.name}: round {number + 1} of {count}, {contender.name}")
            rounds.append({"round": number + 1, "place": taking_part.index(contender),
                           **measure(suite, contender, servers, seconds)})
    progress("")
    return rounds


def command_line_of(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, check=False)
        return done.stdout.strip().splitlines()[0] if done.stdout.strip() else ""
    except OSError:
        return ""


def facts():
    cpu = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": command_line_of("git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"),
        "cpu": cpu[0] if cpu else platform.machine(),
        "cpus": os.cpu_count(),
        "kernel": platform.release().split("-")[0],
        "system": command_line_of("sh", "-c", ". /etc/os-release && echo $PRETTY_NAME"),
        "nginx": command_line_of(find("nginx"), "-v").removeprefix("nginx version: "),
        "haproxy": " ".join(command_line_of(find("haproxy"), "-v").split()[:3]),
    }


def prepare_folder():
    """Where the servers run: their configurations stand beside the certificate that these name. The ledger and the caches begin empty."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for made in ("equipoise-data", "nginx-cache"):
        shutil.rmtree(FOLDER / made, ignore_errors=True)
    for file in (SOURCE / "conf").iterdir():
        shutil.copy(file, FOLDER)
    if not (FOLDER / "server.pem").exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                        "3650", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", "server.key", "-out", "server.pem"], cwd=FOLDER, check=True, capture_output=True)


def problems_of(suite, rounds):
    """What went wrong, and what makes the figures doubtful: (failed, lines)."""
    failures = [f"{suite.name}, round {one['round']}, {one['contender']}: {one['failed']} failed, first: {one['first_failure']}"
                for one in rounds if one["failed"]]
    shares = [one["others_cpu_share"] for one in rounds]
    busy = [f"{suite.name}: other programs took up to {max(shares):.0%} of this machine's CPU time meanwhile."] \
        if max(shares) > BUSY_BOX else []
    return bool(failures), failures + busy


def run_all(arguments, result):
    """Runs the suites asked for; fills in `result`. Returns whether every answer was right."""
    servers = upstreams(PROGRAMS, FOLDER)
    for server in servers:
        server.real_time = arguments.real_time
    taking_part = [one for one in contenders(PROGRAMS, FOLDER)
                   if not arguments.only or one.name in ("direct", "nginx", *arguments.only)]
    started, fine = [], True
    try:
        for server in servers + list({id(one.server): one.server for one in taking_part if one.server}.values()):
            server.start(FOLDER)
            started.append(server)
        for suite in SUITES:
            if arguments.suite and suite.name not in arguments.suite:
                continue
            if suite.pace:
                servers[-1].stop()
                servers[-1].command = paced(PROGRAMS, FOLDER, suite.pace)
                servers[-1].start(FOLDER)
            rounds = run_suite(suite, taking_part, servers, arguments)
            summed = summary.summarise(suite, rounds)
            result["suites"][suite.name] = {"summary": summed, "rounds": rounds}
            failed, lines = problems_of(suite, rounds)
            fine = fine and not failed
            print(f"\n{summary.heading_of(suite, rounds)}\n{summary.as_text(summary.rows_of(suite, summed))}", flush=True)
            for line in lines:
                print(f"  {line}", flush=True)
    finally:
        for server in reversed(started):
            server.stop()
    return fine


def write_result(arguments, result):
    name = f"{result['facts']['date'][:10]}-{result['facts']['commit'] or 'unknown'}.json"
    whole = not (arguments.quick or arguments.suite or arguments.only or arguments.rounds or arguments.seconds)
    path = arguments.out or (SOURCE / "results" / name if whole else FOLDER / "last.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(f"\nEverything measured: {os.path.relpath(path)}", file=sys.stderr)


def print_markdown(name):
    results = sorted((SOURCE / "results").glob("*.json"))
    if not name and not results:
        raise RigError("bench/results/ has no result. Run `make bench` first.")
    result = json.loads(Path(name or results[-1]).read_text())
    known = result["facts"]
    print(f"Measured {known['date'][:10]} at {known['commit']} on {known['cpus']} × {known['cpu']}, {known['system']}, "
          f"Linux {known['kernel']}, {known['nginx']}, {known['haproxy']}.")
    for suite in SUITES:
        measured = result["suites"].get(suite.name)
        if measured:
            rows = summary.rows_of(suite, measured["summary"])
            print(f"\n**{summary.heading_of(suite, measured['rounds'])}**\n\n{summary.as_markdown(rows)}")


def main():
    arguments = parse_arguments()
    if arguments.markdown is not None:
        print_markdown(arguments.markdown)
        return 0
    prepare_folder()
    result = {"facts": facts(), "suites": {}}
    fine = run_all(arguments, result)
    write_result(arguments, result)
    return 0 if fine else 1


def stop(*_):
    """However it is ended, the servers that it started end with it."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    try:
        sys.exit(main())
    except RigError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit("bench: stopped; nothing was written.")
