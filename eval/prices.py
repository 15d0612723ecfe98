#!/usr/bin/env python3
"""Holds `equipoise prices quote` against real answers of providers whose usage and price are known.

    eval/prices.py [--program build/release/equipoise] [--shared ../shared] [--single 100] [--seed 1]

Every answer is quoted for every provider and flavor that the data lists, all of them by the batch form and a random
sample by the single form. Usage, input, output and total must be equal as decimals; what the data does not price must be
null. The data's prices were computed before some of its price book's own changes: an answer whose model changed its price
in between is quoted again as of the day before that change, and counted apart.
"""

import argparse
import datetime
import gzip
import json
import pathlib
import random
import subprocess
import sys
from decimal import Decimal

AT = "2026-08-21T12:00:00Z"


def cases_of(bodies):
    for number, entry in enumerate(bodies):
        for group in entry["extracted"]:
            usage = {kind: count for kind, count in group["usage"].items() if count}
            for extractor in group["extractors"]:
                yield {
                    "number": number,
                    "provider": extractor["provider_id"],
                    "flavor": extractor["api_flavor"],
                    "body": entry["body"],
                    "usage": usage,
                    "expected": expected_amounts(extractor),
                }


def expected_amounts(extractor):
    def amount(name):
        return Decimal(extractor[name]) if name in extractor else None

    given, out, total = amount("input_price"), amount("output_price"), amount("total_price")
    if total is None and given is not None:
        total = given + out
    return given, out, total


def quoted_amounts(quoted):
    return tuple(None if quoted[name] is None else Decimal(quoted[name])
                 for name in ("input_usd", "output_usd", "total_usd"))


def run(program, arguments, text):
    done = subprocess.run([program, "prices", "quote", *arguments, "-"], input=text.encode(), capture_output=True)
    if done.returncode != 0:
        sys.exit(f"`prices quote {' '.join(arguments)}` failed: {done.stderr.decode()}")
    return done.stdout.decode()


def quote_all(program, prices, at, cases):
    lines = "".join(json.dumps({name: case[name] for name in ("provider", "flavor", "body")}) + "\n" for case in cases)
    answers = run(program, ["--batch", "--prices", prices, "--at", at], lines).splitlines()
    if len(answers) != len(cases):
        sys.exit(f"{len(cases)} answers were quoted, {len(answers)} came back")
    return [json.loads(answer, parse_float=Decimal) for answer in answers]


def quote_one(program, prices, at, case):
    arguments = ["--provider", case["provider"], "--flavor", case["flavor"], "--prices", prices, "--at", at]
    return json.loads(run(program, arguments, json.dumps(case["body"])), parse_float=Decimal)


def is_right(case, quoted):
    return quoted["usage"] == case["usage"] and quoted_amounts(quoted) == case["expected"]


def days_before_changes(price_file, provider, model):
    """The noons before the model's price changed, latest first."""
    for entry in json.loads(pathlib.Path(price_file).read_text()):
        for priced in entry["models"] if entry["id"] == provider else []:
            if priced["id"] == model and isinstance(priced["prices"], list):
                starts = [p.get("constraint", {}).get("start_date") for p in priced["prices"]]
                days = sorted((datetime.date.fromisoformat(s) for s in starts if s and s <= AT), reverse=True)
                return [f"{day - datetime.timedelta(days=1)}T12:00:00Z" for day in days]
    return []


def right_before_a_change(program, prices, case, quoted):
    for at in days_before_changes(prices, case["provider"], quoted["priced_as"]):
        if is_right(case, quote_one(program, prices, at, case)):
            return at
    return None


def show(case, quoted):
    print(f"  answer {case['number']}, {case['provider']}/{case['flavor']}: expected "
          f"{[str(a) for a in case['expected']]} for {case['usage']}, quoted {json.dumps(quoted, default=str)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/equipoise")
    parser.add_argument("--shared", default="../shared")
    parser.add_argument("--single", type=int, default=100, help="how many to quote by the single form too")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    payloads = pathlib.Path(options.shared) / "data/usage_payloads.json.gz"
    prices = str(pathlib.Path(options.shared) / "data/prices/genai_prices_v2_data.json")
    if not payloads.exists() or not pathlib.Path(prices).exists():
        print(f"prices: skipped, {payloads} or {prices} is not here")
        return 0

    bodies = json.loads(gzip.open(payloads).read())
    cases = list(cases_of(bodies))
    answers = quote_all(options.program, prices, AT, cases)
    wrong, dated = [], []
    for case, quoted in zip(cases, answers):
        if is_right(case, quoted):
            continue
        at = right_before_a_change(options.program, prices, case, quoted)
        (dated if at else wrong).append((case, quoted, at))

    single = random.Random(options.seed).sample(range(len(cases)), min(options.single, len(cases)))
    differing = [i for i in single if quote_one(options.program, prices, AT, cases[i]) != answers[i]]

    priced = sum(case["expected"][0] is not None for case in cases)
    right = len(cases) - len(wrong) - len(dated)
    print(f"prices: {len(bodies)} answers, {len(cases)} quotes ({priced} priced, {len(cases) - priced} null): "
          f"{right} exact at {AT}, {len(dated)} exact as of before a price change, {len(wrong)} wrong")
    print(f"prices: {len(single)} quoted by the single form too, {len(differing)} differ")
    for case, quoted, at in dated:
        print(f"  answer {case['number']}, {case['provider']}/{case['flavor']}: {quoted['priced_as']} changed its price; "
              f"the data's figure is exact at {at}")
    for case, quoted, _ in wrong[:20]:
        show(case, quoted)
    for i in differing[:5]:
        print(f"  answer {cases[i]['number']} differs between batch and single form")
    return 1 if wrong or differing else 0


if __name__ == "__main__":
    sys.exit(main())
