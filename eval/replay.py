#!/usr/bin/env python3
"""Replays the public traces through the gateway over modelled engines: whether the same seed gives the same bytes, what
comes out, and how long it takes. Every figure of cost and latency is modelled.

    eval/replay.py --program build/release/equipoise --shared ../shared [--runs 5]

Exit status 1 if bytes differ, a request is lost, or the half hour of azure_conv takes 2 seconds of one core or more (best of
the runs, by processor time: it is one thread, and on a busy machine the wall clock tells of the others).
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time

LIMIT_S = {"azure_conv.csv.gz": 2.0}

# Trace, how many requests it must bring (None: drawn), options.
TRACES = [
    ("azure_conv.csv.gz", 10108, []),
    ("azure_code.csv.gz", 5740, ["--replicas", "2"]),
    ("mooncake_conversation.jsonl.gz", 5719, ["--replicas", "4"]),
    ("mooncake_synthetic.jsonl.gz", 1881, ["--replicas", "8"]),
    ("servegen_pools.csv.gz", None, ["--pool", "reason/deepseek-r1", "--until", "30m", "--scale", "0.1"]),
]


def run(program, trace, options, folder, name):
    """One replay: seconds by the wall, seconds of processor, a digest of all its bytes, and its JSON."""
    picture = os.path.join(folder, name + ".svg")
    before, start = os.times(), time.monotonic()
    out = subprocess.run([program, "replay", trace, "--json", "--svg", picture, "--seed", "1", *options],
                         stdout=subprocess.PIPE, check=True).stdout
    wall = time.monotonic() - start
    after = os.times()
    with open(picture, "rb") as file:
        digest = hashlib.sha256(out + file.read()).hexdigest()
    return wall, after.children_user + after.children_system - before.children_user - before.children_system, digest, \
        json.loads(out)


def judge(program, shared, runs, name, count, options, folder):
    path = os.path.join(shared, "data", name)
    if not os.path.exists(path):
        print(f"  {name:32} is not there: nothing was judged")
        return True
    results = [run(program, path, options, folder, f"{name}-{i}") for i in range(runs)]
    wall, processor = min(r[0] for r in results), min(r[1] for r in results)
    same = len({r[2] for r in results}) == 1
    told = results[0][3]
    whole = told["unidentified"] == 0 and (count is None or told["requests"] == count)
    fast = processor < LIMIT_S.get(name, float("inf"))
    print(f"  {name:32}{told['requests']:>9,}{told['output_tokens']:>12,}{wall:>9.2f}{processor:>9.2f}"
          f"{told['first_token_s'].get('p95', 0) * 1e3:>13.0f}{float(told['cost_usd']):>9.4f}"
          f"  {'same bytes' if same else 'BYTES DIFFER'}{'' if whole else ', REQUESTS LOST'}"
          f"{'' if fast else ', TOO SLOW'}")
    return same and whole and fast


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--shared", required=True)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    print(f"  {'trace':32}{'requests':>9}{'tokens out':>12}{'wall s':>9}{'cpu s':>9}{'ttft p95 ms':>13}{'cost $':>9}"
          f"  (times: best of {args.runs}; the rest is modelled)")
    with tempfile.TemporaryDirectory() as folder:
        fine = [judge(args.program, args.shared, args.runs, *trace, folder) for trace in TRACES]
    sys.exit(0 if all(fine) else 1)


main()
