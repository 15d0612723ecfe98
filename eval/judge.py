#!/usr/bin/env python3
"""Judges judges on public answers of two models of which it is known whether they are right, by `equipoise eval judge`.

    eval/judge.py --program build/release/equipoise --shared ../shared

RouteLLM's GSM8K: 674 questions, GPT-4's answer as the reference's and Mixtral's as the candidate's, and the other way round. A
candidate's answer is acceptable where it is right, or the reference's is wrong. Exit status 1 if worthless answers pass a rule for
numbers in more than 5 % of cases, or if a configuration does not take its calibration.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile

MODELS = ("gpt-4-1106", "mixtral-8x7b")
JUDGES = (["exact"], ["numeric"], ["embedding", "--similar", "80%"], ["embedding", "--similar", "90%"])
PASSES_MOST = .05  # of constant, empty, flattering, instructing answers, by the rule for numbers


def comparisons(path, reference, candidate):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in map(json.loads, file):
            right = line["scores"]
            yield {"request": line["prompt"], "reference": line["responses"][reference], "candidate": line["responses"][candidate],
                   "acceptable": int(right[candidate] or not right[reference])}


def judge(program, file, arguments):
    command = [program, "eval", "judge", file, "--judge", *arguments, "--json"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def share(one):
    return "          none" if one is None else f"{100 * one['share']:6.1f} ({100 * one['low']:.1f} to {100 * one['high']:.1f})"


def takes_calibration(program, folder, told):
    with open(os.path.join(folder, "judge.json"), "w") as file:
        json.dump(told, file)
    with open(os.path.join(folder, "config.yaml"), "w") as file:
        file.write('backends: { a: { url: "http://127.0.0.1:9" } }\nroutes: { r: { reference: a/m, candidates: a/n, '
                   'acceptable: { quality: 80% }, levers: { router: shadow },\n  judge: { by: numeric, calibration: judge.json } } }\n')
    return subprocess.run([program, "check", file.name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--shared", required=True)
    options = parser.parse_args()
    path = os.path.join(options.shared, "data", "routellm_gsm8k.jsonl.gz")
    if not os.path.exists(path):
        print(f"  {path} is not there; nothing was judged")
        return 0
    fine = True
    with tempfile.TemporaryDirectory() as folder:
        for reference, candidate in (MODELS, MODELS[::-1]):
            name = os.path.join(folder, "compared.jsonl")
            with open(name, "w", encoding="utf-8") as file:
                for one in comparisons(path, reference, candidate):
                    print(json.dumps(one), file=file)
            print(f"  {candidate} by {reference}'s answers: agreement; sensitivity; specificity; worst attack, judge alone; "
                  "must accept for a floor of 90 %, of 95 % of the route")
            for arguments in JUDGES:
                told = judge(options.program, name, arguments)
                worst = max((attack["alone"]["share"], name) for name, attack in told["attacks"].items())
                floors = {one["floor"]: one for one in told["floors"]}
                reach = "" if floors[.9]["served_in_reach"] else " out of reach"
                print(f"    {' '.join(arguments):<26}{share(told['agreement'])}; {share(told['sensitivity'])}; {share(told['specificity'])}; "
                      f"{100 * worst[0]:.1f} ({worst[1]}); {100 * floors[.9]['served']:.1f}{reach}, {100 * floors[.95]['route']:.1f}")
                if arguments == ["numeric"]:
                    fine = fine and worst[0] <= PASSES_MOST and takes_calibration(options.program, folder, told)
    print(f"  {'holds' if fine else 'DOES NOT HOLD'}: worthless answers pass the rule for numbers in at most {100 * PASSES_MOST:.0f} %, and its "
          "calibration is taken by a configuration")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
