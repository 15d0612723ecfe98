#!/usr/bin/env python3
"""Recommended fleet sizes beside a static peak, an autoscaler by requests in flight and an oracle, on public traces.

    eval/capacity.py --program build/release/equipoise --shared ../shared [--days] [--cold 30,120,420]

Attainment is the share of requests whose first token came within the limit, of those that an idle replica could have answered
in time. Replica-hours count from the wish for a replica until it is empty again. Every policy but the oracle begins with the
smallest static fleet that keeps 99 %, which nobody knows beforehand: a static fleet in this table is the best one in
hindsight. "At equal attainment" is the cheapest of a policy's runs that attains at least as much as the recommended sizes with
their standard setting.

The last column is the same recommendation as the gateway makes it of itself, while it serves the trace and its replicas come and
go: it has to fit its model first, and shares requests out by its policy.

Without --days only half an hour of azure_code and azure_conv and a day of ServeGen's deepseek-r1; with it two days each of its
language pools, of which the first is for learning (many minutes). Traffic of ServeGen is scaled to a few replicas; its lengths
are drawn. Everything is modelled, on Llama 3 70B on four A100, and played by `equipoise replay --scaling`. The exit status is 1 if the recommended sizes are not cheaper
than the autoscaler at equal attainment in every case; where the other aims do not hold, that is said.
"""

import argparse
import json
import pathlib
import subprocess
import sys

ENGINE = "a100-llama-3-70b-tp4"
GOAL, RATIO = 0.99, 1.25

# Name, trace, first token in ms, seconds that are not counted, options.
CASES = [
    ("azure_code", "azure_code.csv.gz", 3000, 0, []),
    ("azure_conv", "azure_conv.csv.gz", 1000, 0, []),
    ("deepseek-r1, a day", "servegen_pools.csv.gz", 3000, 21600,
     ["--pool", "reason/deepseek-r1", "--scale", "0.2", "--input-mean", "2000", "--output-mean", "1000"]),
]
DAYS = [
    ("m-small, 2nd day", "servegen_pools.csv.gz", 3000, 86400,
     ["--pool", "language/m-small", "--scale", "0.008", "--until", "48h", "--input-mean", "2000", "--output-mean", "500"]),
    ("m-mid, 2nd day", "servegen_pools.csv.gz", 3000, 86400,
     ["--pool", "language/m-mid", "--scale", "0.004", "--until", "48h", "--input-mean", "2000", "--output-mean", "500"]),
]


def play(program, data, case, cold):
    """Per policy: (knob, attainment, hours, p50, p99) of each run."""
    _, trace, limit_ms, learn, options = case
    out = subprocess.run([program, "replay", data / trace, "--engine", ENGINE, "--first-token", f"{limit_ms}ms", "--json",
                          "--scaling", "static,in_flight,capacity,oracle,gateway", "--cold-start", f"{cold}s",
                          *(["--learn", f"{learn}s"] if learn else []), *options], stdout=subprocess.PIPE, check=True).stdout
    runs = {}
    for run in json.loads(out)["variants"]:
        runs.setdefault(run["scaler"], []).append((run["knob"], run["attain_percent"] / 100, run["replica_hours"],
                                                   run["first_token_p50_s"], run["first_token_p99_s"]))
    return runs


def cheapest(runs, attainment):
    fit = [run for run in runs if run[1] >= attainment]
    return min(fit, key=lambda run: run[2]) if fit else None


def told(run):
    return f"{run[2]:8.2f} h at {100 * run[1]:6.2f} %" if run else "       never     "


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--shared", required=True)
    parser.add_argument("--cold", default="30,120,420")
    parser.add_argument("--days", action="store_true")
    options = parser.parse_args()
    data = pathlib.Path(options.shared) / "data"
    held = True

    print(f"{'traffic':20} {'cold':>5}  {'recommended':22} {'p99':>6}  {'static peak':22} {'in flight':22} {'oracle (99 %)':22} "
          f"{'through the gateway':22} {'p99':>6}")
    for case in CASES + (DAYS if options.days else []):
        if not (data / case[1]).exists():
            print(f"{case[0]:20} is absent; not judged")
            continue
        for cold in (int(text) for text in options.cold.split(",")):
            runs = play(options.program, data, case, cold)
            own = runs["capacity"][0]
            static, target = (cheapest(runs[name], own[1]) for name in ("static", "in_flight"))
            oracle = cheapest(runs["oracle"], GOAL)
            gateway = runs["gateway"][0]
            print(f"{case[0]:20} {cold:4}s  {told(own):22} {own[4]:5.1f}s  {told(static):22} {told(target):22} {told(oracle):22} "
                  f"{told(gateway):22} {gateway[4]:5.1f}s")
            for name, other in (("static peak", static), ("autoscaler", target)):
                if other and own[2] >= other[2]:
                    print(f"{'':28}does not hold: {own[2] / other[2]:.2f} x the {name} at equal attainment")
                    held = held and name != "autoscaler"
            if cold == 30 and (own[1] < GOAL or not oracle or own[2] > RATIO * oracle[2]):
                print(f"{'':28}does not hold: {100 * own[1]:.2f} % within limits at "
                      f"{own[2] / oracle[2] if oracle else float('nan'):.2f} x the oracle's cost")
            sys.stdout.flush()
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
