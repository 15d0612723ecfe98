#!/usr/bin/env python3
"""Judges the semantic cache on public pairs of texts, by `equipoise eval cache`: how well the built-in embedder tells them
apart, and whether evidence keeps its word.

    eval/pairs.py --program build/release/equipoise --shared ../shared [--orders 100]

Exit status 1 if at a limit of 5, 10 or 20 % some arm beyond the limit served in more than 5 of 100 random orders, or if
mrpc is not served in most of them, at 10 % in one pass and at 5 % in ten.
"""

import argparse
import json
import os
import subprocess
import sys

SETS = ["qqp", "mqp", "mrpc"]
KEPT_AT = [0.05, 0.1, 0.2]
KEPT_LEAST = 0.95

# Set, passes, limit.
MUST_SERVE = [("mrpc", 1, 0.1), ("mrpc", 10, 0.05)]


def percent(share):
    return "-" if share is None else f"{100 * share:.2f} %"


def missing(evidence):
    if evidence["serving"] == evidence["orders"]:
        return ""
    if evidence["missing_requests"] is not None:
        return f"{evidence['missing_labels']:,} labels, {evidence['missing_requests']:,} requests"
    if 2 * evidence["below_floor"] >= evidence["orders"] - evidence["serving"]:
        return "no number will do: the safest arm is beyond the limit"
    if evidence["missing_labels_at_best"] is not None:
        return f"{evidence['missing_labels_at_best']:,} labels at best; so far it is beyond the limit"
    return "more scores"


def judge(program, path, name, passes, orders):
    out = subprocess.run([program, "eval", "cache", "--pairs", path, "--orders", str(orders), "--passes", str(passes),
                          "--json"], stdout=subprocess.PIPE, check=True).stdout
    told = json.loads(out)
    print(f"  {name}, {told['count']:,} pairs, AUC {told['auc']:.4f}, {passes} pass{'es' if passes > 1 else ''}")
    fine = True
    for limit in told["limits"]:
        evidence = limit["evidence"]
        kept = evidence["kept"] / evidence["orders"]
        broken = limit["limit"] in KEPT_AT and kept < KEPT_LEAST
        silent = (name, passes, limit["limit"]) in MUST_SERVE and 2 * evidence["serving"] <= evidence["orders"]
        fine = fine and not broken and not silent
        print(f"  {percent(limit['limit']):>10}{percent(limit['hindsight']['hit_rate']):>10}{evidence['serving']:>8}"
              f"{percent(evidence['hit_rate']):>10}{percent(evidence['false_hit_rate']):>10}"
              f"{percent(evidence['chosen_share']):>10}{percent(evidence['chosen_false_hit_rate']):>10}"
              f"{evidence['kept']:>7}  {missing(evidence)}"
              f"{'LIMIT NOT KEPT' if broken else ''}{'  SERVES TOO RARELY' if silent else ''}")
    return fine


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--shared", required=True)
    parser.add_argument("--orders", type=int, default=100)
    args = parser.parse_args()
    print(f"  {'limit':>10}{'best hits':>10}{'serving':>8}{'hits':>10}{'false':>10}{'arm':>10}{'false':>10}{'kept':>7}"
          f"  missing, where nothing is served  ({args.orders} orders; medians)")
    fine = True
    for name in SETS:
        path = os.path.join(args.shared, "data", name + "_pairs.jsonl.gz")
        if not os.path.exists(path):
            print(f"  {name}: {path} is not there; nothing was judged")
            continue
        for passes in (1, 10):
            fine = judge(args.program, path, name, passes, args.orders) and fine
    sys.exit(0 if fine else 1)


main()
