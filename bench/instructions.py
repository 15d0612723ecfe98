"""How many instructions a request takes in each of the program's threads, by callgrind: see bench/README.md."""

import argparse
import re
import subprocess
import sys
import time
from collections import Counter

from rig.contenders import RigError, contenders, upstreams
from rig.suites import SUITES
from run import FOLDER, PROGRAMS, load_command, prepare_folder

START_SECONDS = 60  # the program runs some fifty times slower
# By a function that only this thread calls.
THREADS = {"worker_main": "worker", "writer_main": "ledger"}


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/instructions.sh", description="Counts instructions per request by callgrind.")
    names = [suite.name for suite in SUITES if not suite.tokens]
    parser.add_argument("--suite", choices=names, default="closed-16")
    parser.add_argument("--requests", type=int, default=2000, help="that are counted; a quarter as many go before")
    parser.add_argument("--top", type=int, default=25, help="functions to show of each thread")
    return parser.parse_args()


def load(suite, contender, requests):
    command = load_command(suite, contender, 3600)
    done = subprocess.run([*command, "--requests", str(requests)], stdout=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise RigError("Some answers were wrong or missing.")


def control(option, contender):
    subprocess.run(["callgrind_control", option, str(contender.server.process.pid)], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True)


def own_instructions(profile):
    """{function: instructions} of one thread's profile, without what it called (the format is in callgrind's manual)."""
    names, own, function, of_call = {}, Counter(), None, False
    for line in profile.read_text(errors="replace").splitlines():
        named = re.match(r"c?fn=\((\d+)\)(?: (.*))?$", line)
        if named:
            names.setdefault(named[1], (named[2] or "").split(".lto_priv")[0])
            function = names[named[1]] if line.startswith("fn=") else function
        elif line.startswith("calls="):
            of_call = True  # the next line is what the call took
        elif line[:1] and line[0] in "0123456789+-*":
            if not of_call and function is not None:
                own[function] += int(line.split()[1])
            of_call = False
    return own, names


def show(profile, requests, top):
    own, names = own_instructions(profile)
    thread = next((title for function, title in THREADS.items() if function in names.values()), None)
    if thread is None:
        return
    total = sum(own.values())
    print(f"\n{thread}: {total / requests:,.0f} instructions per request")
    for function, count in own.most_common(top):
        print(f"{count / requests:10,.0f}  {count / total:5.1%}  {function}")


def count(suite, contender, arguments):
    load(suite, contender, arguments.requests // 4)
    contender.catch_up()
    control("-z", contender)
    load(suite, contender, arguments.requests)
    time.sleep(1)  # a page of metrics is work of the worker, too: it is asked as seldom as can be
    contender.catch_up()
    control("-d", contender)


def main():
    arguments = parse_arguments()
    suite = next(one for one in SUITES if one.name == arguments.suite)
    prepare_folder()
    for old in FOLDER.glob("callgrind.out*"):
        old.unlink()
    contender = next(one for one in contenders(PROGRAMS, FOLDER) if one.name == "equipoise")
    contender.server.command = ["valgrind", "--tool=callgrind", "--separate-threads=yes", "--fair-sched=yes",
                                f"--callgrind-out-file={FOLDER}/callgrind.out", *contender.server.command]
    contender.server.start_seconds = START_SECONDS
    started = []
    try:
        for server in [*upstreams(PROGRAMS, FOLDER), contender.server]:
            server.start(FOLDER)
            started.append(server)
        count(suite, contender, arguments)
    finally:
        for server in reversed(started):
            server.stop()
    for profile in sorted(FOLDER.glob("callgrind.out.1-*")):
        show(profile, arguments.requests, arguments.top)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RigError as error:
        sys.exit(f"bench: {error}")
