#!/usr/bin/env python3
"""Judges model choice on public requests of which each model's answer is known, by `equipoise eval router`, and how soon a
worse version is noticed, by `equipoise eval guard`.

    eval/router.py --program build/release/equipoise --shared ../shared [--streams 200]

Every figure comes from five folds within a file, learned once in random order, unless it says online. Exit status 1 if the
guarantee is broken: an arm below the floor served in more than 17 of 200 streams drawn from the set (1 % of chance at alpha
5 %), or if false alarms, the delay after a fall or its growth with age are beyond their limits. The aims are printed beside
the other figures.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

WEAK, STRONG = "mixtral-8x7b", "gpt-4-1106"

# Dollars per million tokens: as the papers behind the data have them (RouteLLM; LLMRouter's list of candidates).
ROUTELLM_PRICES = {WEAK: 0.24, STRONG: 24.7}
ROUTER9_PRICES = {
    "qwen2.5-7b-instruct": 0.2, "codegemma-7b": 0.2, "gemma-2-9b-it": 0.1, "llama-3.1-8b-instruct": 0.2,
    "llama3-chatqa-1.5-8b": 0.2, "mistral-7b-instruct-v0.3": 0.2, "llama-3.3-nemotron-super-49b-v1": 0.9,
    "llama-3.1-nemotron-51b-instruct": 0.9, "llama3-chatqa-1.5-70b": 0.9,
}

# Name, deals of the folds (of which one may be lucky), aims for their mean: APGR at least, CPT50 at most.
SETS = [("routellm_mmlu", 5, .70, .25), ("routellm_gsm8k", 10, .64, None)]

# Of the best fixed threshold's share, served in the second half, scope route: by traffic and floor. And scope served.
SHARE_AIMS = {
    ("routellm_mmlu", "once", "route"): {.9: .60, .95: .45, .97: .35},
    ("routellm_mmlu", "passes", "route"): {.9: .75, .95: .65, .97: .55},
    ("routellm_mmlu", "passes", "served"): {.9: .40},
    ("routellm_gsm8k", "once", "route"): {.9: .25, .95: .25, .97: .10},
    ("routellm_gsm8k", "passes", "route"): {.9: .55, .95: .40, .97: .35},
}
SMALL_HINDSIGHT = .1  # where hindsight serves less than this, serving nothing is fine

# The best single model, and the cheapest there is.
ROUTER9_REFERENCE, ROUTER9_CANDIDATE = "llama-3.1-nemotron-51b-instruct", "gemma-2-9b-it"

ROUTER9_COST, ROUTER9_ACCURACY = .49, .61
BROKEN_MOST = 17 / 200
LABELS_MOST, FALSE_ALARMS_MOST, AGE_MATTERS_MOST = 40, .01, .25


class Judge:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def path(self, name):
        path = os.path.join(self.folder, name + ".jsonl.gz")
        if os.path.exists(path):
            return path
        print(f"  {name}: {path} is not there; nothing was judged")
        return None

    def ask(self, *arguments):
        command = [self.program, "eval", *[str(argument) for argument in arguments], "--json"]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)

    def router(self, path, prices, *arguments):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(prices, file)
            file.flush()
            return self.ask("router", "--train", path, "--prices", file.name, *arguments)


def percent(share):
    return "-" if share is None else f"{100 * share:.2f} %"


def verdict(holds):
    return "" if holds is None else "  reached" if holds else "  NOT REACHED"


def curves(judge, name, path, seeds, apgr_aim, cpt_aim):
    pair = ["--weak", WEAK, "--strong", STRONG, "--streams", 0]
    for words, options in [("words alone", []), ("told the task, as a tag", ["--tags"]), ("words alone, online", ["--online"])]:
        told = [judge.router(path, ROUTELLM_PRICES, *pair, *options, "--seed", seed + 1) for seed in range(seeds)]
        apgr = [one["curve"]["apgr"] for one in told]
        cpt50 = statistics.mean(one["curve"]["cpt50"] for one in told)
        spread = f" (of {seeds} deals of the folds: {min(apgr):.4f} to {max(apgr):.4f})" if seeds > 1 else ""
        apgr = statistics.mean(apgr)
        print(f"  {name}, {words}: APGR {apgr:.4f}{spread}, aim {apgr_aim}{verdict(apgr >= apgr_aim)};  CPT50 {percent(cpt50)}"
              + (f", aim {percent(cpt_aim)}{verdict(cpt50 <= cpt_aim)}" if cpt_aim else ""))


def share_line(name, traffic, one):
    of = one[traffic]
    ratio = of["later_share"] / of["hindsight"] if of["hindsight"] else 0
    aim = SHARE_AIMS.get((name, traffic, one["scope"]), {}).get(one["floor"])
    reached = None if aim is None else ratio >= aim or of["hindsight"] < SMALL_HINDSIGHT
    return (f"  {one['scope']:<9}{percent(one['floor']):>9}  {traffic:<7}{of['broken']:>7}{of['serving']:>9}{percent(of['hindsight']):>11}"
            f"{percent(of['later_share']):>11}{ratio:>8.2f}{'' if aim is None else f'{aim:>7.2f}':>7}{percent(of['accepted']):>11}"
            f"{percent(of['audits']):>10}{percent(of['saved']):>10}{verdict(reached)}")


def guarantee(judge, name, path, streams, warm):
    told = judge.router(path, ROUTELLM_PRICES, "--weak", WEAK, "--strong", STRONG, "--streams", streams, *(["--warm"] if warm else []))
    print(f"  {name}: {streams} streams of each kind, in medians: drawn from the set (ten times its size), once through it, ten times;"
          f" arms cut of {'scores seen before' if warm else 'the first 200 scores'}")
    print(f"  {'scope':<9}{'floor':>9}  {'traffic':<7}{'broken':>7}{'serving':>9}{'hindsight':>11}{'2nd half':>11}{'of best':>8}{'aim':>7}"
          f"{'accepted':>11}{'audits':>10}{'saved':>10}")
    fine = True
    for one in told["guarantees"]:
        for traffic in ("drawn", "once", "passes"):
            print(share_line(name, traffic, one))
        fine = fine and one["drawn"]["broken"] <= BROKEN_MOST * one["drawn"]["streams"]
    print(f"  the guarantee {'holds' if fine else 'IS BROKEN'}: at most {BROKEN_MOST * streams:.0f} of {streams} streams drawn may serve "
          "an arm below the floor")
    saved = [one["passes"]["saved"] for one in told["guarantees"] if one["scope"] == "route" and one["floor"] == .9]
    print(f"  net savings on ten passes, scope route, floor 90 %: {percent(saved[0])}, aim 70 %{verdict(saved[0] >= .7)}")
    return fine


def online(judge, name, path):
    told = judge.router(path, ROUTELLM_PRICES, "--weak", WEAK, "--strong", STRONG, "--streams", 1, "--passes", 1, "--online")
    for one in told["guarantees"]:
        of = one["online"]
        print(f"  {name}, a router that learns on the way, {one['scope']:<9}{percent(one['floor']):>9}: served of the second half "
              f"{percent(of['later_share'])}, of the best {percent(one['once']['hindsight'])}; "
              f"{'an arm below the floor served' if of['broken'] else 'kept'}")


def many_models(judge, path):
    for words, options in [("words alone", []), ("told the task", ["--tags"])]:
        told = judge.router(path, ROUTER9_PRICES, "--time", *options)
        best = max(told["models"], key=lambda model: model["accuracy"])
        points = [point for point in told["lambdas"] if point["cost"] <= ROUTER9_COST]
        chosen = max(points, key=lambda point: point["accuracy"])
        as_good = [point["cost"] for point in told["lambdas"] if point["accuracy"] >= best["accuracy"]]
        print(f"  llmrouter9, {words}: accuracy {chosen['accuracy']:.4f} at {chosen['cost']:.3f} $/Mtok, aim {ROUTER9_ACCURACY} at {ROUTER9_COST}"
              f"{verdict(chosen['accuracy'] >= ROUTER9_ACCURACY)}; the best single model has {best['accuracy']:.4f} at {best['price']}, which "
              + (f"takes {min(as_good):.3f}" if as_good else "is not reached"))
        print(f"  llmrouter9: a decision over nine models takes {told['decision_us']:.0f} us of processor time, aim 100"
              f"{verdict(told['decision_us'] < 100)}")


def net_of_audits(judge, path, streams):
    for words, options in [("words alone", []), ("told the task", ["--tags"])]:
        told = judge.router(path, ROUTER9_PRICES, "--strong", ROUTER9_REFERENCE, "--candidates", ROUTER9_CANDIDATE, "--streams", streams,
                            *options)
        alone = next(model for model in told["models"] if model["model"] == ROUTER9_REFERENCE)
        random = told["several"]["at_random"]
        print(f"  llmrouter9, {words}, audits paid, {streams} streams, medians: {ROUTER9_CANDIDATE} where evidence lets it, else {ROUTER9_REFERENCE},"
              f" which alone has {alone['accuracy']:.4f} at {alone['price']:.3f}; any model at random {random['accuracy']:.4f} at {random['cost']:.3f}")
        for floor in told["several"]["floors"]:
            for traffic in ("once", "passes"):
                of = floor[traffic]
                print(f"    floor {percent(floor['floor'])} of its accuracy, {traffic:<7} served {percent(of['share'])}, audited {percent(of['audits'])}: "
                      f"accuracy {of['accuracy']:.4f} at {of['cost']:.3f} $/Mtok, {percent(1 - of['cost'] / alone['price'])} saved, "
                      f"{percent(1 - of['later_cost'] / alone['price'])} in the second half; broken {of['broken']}")


def drift(judge, path, histories):
    told = judge.ask("guard", path, "--histories", histories, "--floor", "95%")
    fine = told["false_alarms"] <= FALSE_ALARMS_MOST * told["histories"]
    print(f"  floor 95 %: false alarms at the floor in {told['false_alarms']} of {told['histories']} histories of {told['false_alarm_audits']} audits")
    for change in told["changes"]:
        young, grown, old = change["after_100"], change["after_500"], change["after_8000"]
        named = change.get("to", "made up")
        large = change["after"] <= .6
        line = f"  {change['task']}, {named}: {change['before']:.3f} to {change['after']:.3f}: "
        if grown["median"] is None:
            print(line + "not noticed")
            continue
        age = abs(old["median"] - young["median"]) / young["median"]
        holds = age <= AGE_MATTERS_MOST
        soon = grown["p95"] is not None and grown["p95"] <= LABELS_MOST if large else None
        p95 = "more" if grown["p95"] is None else f"{grown['p95']:.0f}"
        print(line + f"median {young['median']:.0f}, {grown['median']:.0f}, {old['median']:.0f} audits after 100, 500, 8,000; p95 {p95}"
              f"{verdict(soon)}; exposed {grown['median'] / .1:,.0f} requests while a tenth is audited, {grown['median'] / .03:,.0f} at 3 %"
              f"{'' if holds else '; IT DEPENDS ON AGE'}")
        fine = fine and holds and soon is not False
    return fine


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--shared", required=True)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--histories", type=int, default=200)
    args = parser.parse_args()
    judge = Judge(args.program, os.path.join(args.shared, "data"))
    fine = True
    for name, seeds, apgr_aim, cpt_aim in SETS:
        path = judge.path(name)
        if path:
            curves(judge, name, path, seeds, apgr_aim, cpt_aim)
            fine = guarantee(judge, name, path, args.streams, False) and fine
            fine = guarantee(judge, name, path, max(1, args.streams // 4), True) and fine
            online(judge, name, path)
    path = judge.path("llmrouter9")
    if path:
        many_models(judge, path)
        net_of_audits(judge, path, min(20, args.streams))
    path = judge.path("llmdrift")
    if path:
        fine = drift(judge, path, args.histories) and fine
    sys.exit(0 if fine else 1)


main()
