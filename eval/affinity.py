#!/usr/bin/env python3
"""Shares public traces with real prefixes out over modelled engines, by each policy: how much of the prompts engines found in
their caches, beside one pooled cache of the same room, and how long first tokens took. Every figure is modelled.

    eval/affinity.py --program build/release/equipoise --shared ../shared [--quick] [--seeds 1,2] [--loads 0.7,0.9]

Load: the trace's rate over the rate at which the same engines, by `affinity`, get through the trace when there is always
something to do (half again more comes than they can take). Exit status 1 if affinity has less than 0.9 of the
pooled cache's hits, or another policy a better mean or 99th percentile, in any of the runs.
"""

import argparse
import json
import os
import subprocess
import sys

ENGINES = ["h100-llama-3.1-8b", "a100-llama-3-8b"]


def replay(program, path, engine, replicas, speed, policy, seed, limit=None):
    out = subprocess.run([program, "replay", path, "--engine", engine, "--replicas", str(replicas), "--speed", f"{speed:.4f}",
                          "--policy", policy, "--seed", str(seed), "--json", *(["--limit", str(limit)] if limit else [])],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    return json.loads(out)


def full_speed(program, path, engine, replicas):
    """The speed at which the engines are just full."""
    speed = 1.0
    for _ in range(4):
        told = replay(program, path, engine, replicas, speed, "affinity", 1)
        carried = speed * told["arrivals_s"] / told["span_s"]  # what they got through, as a speed
        if told["span_s"] > 1.3 * told["arrivals_s"]:
            return carried
        speed = max(1.6 * speed, 1.5 * carried)
    return carried


def judge(args, name, path, engine, replicas, load, seed, full):
    told = replay(args.program, path, engine, replicas, load * full, "all", seed)
    runs = {run["name"]: run for run in told["variants"]}
    ours = runs.pop("affinity")
    hits = ours["of_pooled"] >= 0.9
    mean = all(ours["first_token_mean_s"] < run["first_token_mean_s"] for run in runs.values())
    late = all(ours["first_token_p99_s"] < run["first_token_p99_s"] for run in runs.values())
    print(f"\n  {name}, {replicas} x {engine}, load {load:.2f} (speed {load * full:.2f}), seed {seed}; one pooled cache "
          f"would have {told['pooled_cached_percent']:.2f} %")
    for run in [*runs.values(), ours]:
        print(f"    {run['name']:16} cached {run['cached_percent']:6.2f} %  of pooled {run['of_pooled']:.3f}  "
              f"mean {run['first_token_mean_s']:8.3f} s  p99 {run['first_token_p99_s']:8.3f} s  "
              f"{run['per_output_token_mean_ms']:6.2f} ms/token")
    print(f"    hits >= 0.9: {'yes' if hits else 'NO'}; best mean: {'yes' if mean else 'NO'}; "
          f"best p99: {'yes' if late else 'NO'}", flush=True)
    return hits and mean and late


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--shared", required=True)
    parser.add_argument("--quick", action="store_true", help="one engine, one load, one seed")
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--loads", default="0.7,0.9")
    args = parser.parse_args()
    engines = ENGINES[:1] if args.quick else ENGINES
    loads = [0.8] if args.quick else [float(load) for load in args.loads.split(",")]
    held = judged = 0
    for name in ("conversation", "synthetic"):
        path = os.path.join(args.shared, "data", f"mooncake_{name}.jsonl.gz")
        if not os.path.exists(path):
            print(f"  {path} is not there: nothing was judged")
            continue
        for engine in engines:
            for replicas in (4, 16):
                full = full_speed(args.program, path, engine, replicas)
                for load in loads:
                    for seed in args.seeds.split(","):
                        judged += 1
                        held += judge(args, name, path, engine, replicas, load, int(seed), full)
    print(f"\n  {held} of {judged} hold in all three")
    sys.exit(0 if held == judged else 1)


main()
