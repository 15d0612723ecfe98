#!/usr/bin/env python3
"""Holds the engine's step time (src/fleet/engine/step_time.h) against measured times: for each pair of a model and what it ran
on it is fitted to half of the measurements, and its median error told on the other half.

    eval/engine.py [--program build/release/eval_engine_fit] [--shared ../shared] [--seed 1] [--json]

Two kinds of data. SageServe: a real server, for each prompt size, batch size and length of answers five times or more. The
prompts of a batch are one step; the mean time of a token is a step in the middle of the answers, whose length is in the
times (they may end before the limit). Vidur: the times on one device of what does not look at the context (matrix products
and what stands between them) for each number of tokens. A layer's sum times the model's layers is the part of a step that
alpha and beta tell, so only that part of the formula is judged there; with tensor parallelism without what it takes to
bring the devices together.

No row is left out, though some cannot be what they say: on two devices a batch of 64 had no room in their memory, and its
"prompt time" is that of a part of it. The halves are drawn by lot from all rows; as most rows are repetitions, the error is
also told for halves that share no configuration. Nothing is set by hand, it is the same fit for all. The exit status is 1
if a pair's median error, with halves by rows, is above 10 %.
"""

import argparse
import csv
import gzip
import json
import pathlib
import subprocess
import sys

MOST = 0.10
LAYERS = {"Llama-2-7b-hf": 32, "Llama-2-70b-hf": 80}
PARTS = ("input_layernorm", "attn_pre_proj", "attn_rope", "attn_post_proj", "post_attention_layernorm", "mlp_up_proj",
         "mlp_act", "mlp_down_proj", "add", "add")


def attended(before, fresh):
    return fresh * before + fresh * (fresh + 1) // 2


class Lines:
    """Lines for eval_engine_fit: pair, kind, row, configuration, then what is in the step and how long it took."""

    def __init__(self):
        self.by_pair = {}
        self.numbers = {}

    def add(self, pair, kind, row, configuration, step, time_us):
        number = self.numbers.setdefault((pair, configuration), len(self.numbers))
        self.by_pair.setdefault(pair, []).append(
            ",".join([pair, kind, str(row), str(number), *(str(round(part)) for part in step), f"{time_us:.3f}"]))

    def text(self):
        return "\n".join(line for lines in self.by_pair.values() for line in lines) + "\n"


def read_sageserve(path, lines):
    for number, row in enumerate(csv.DictReader(path.open())):
        prompt, batch = int(row["prompt_size"]), int(row["batch_size"])
        prompt_ms, token_ms, all_ms = (float(row[name]) for name in ("prompt_time", "token_time", "e2e_time"))
        pair = f"{row['model']} {row['hardware']} TP{row['tensor_parallel']}"
        configuration = (prompt, batch, row["token_size"])
        lines.add(pair, "prompt", number, configuration, (prompt * batch, 0, batch * attended(0, prompt), batch), prompt_ms * 1000)
        # Answers may end before the limit: how long they were is in the times.
        tokens = (all_ms - prompt_ms) / token_ms
        lines.add(pair, "token", number, configuration, (batch, batch * (prompt + tokens / 2), 0, batch), token_ms * 1000)


def read_vidur(path, lines):
    _, hardware, model, _ = path.name.split("_")
    for number, row in enumerate(csv.DictReader(gzip.open(path, "rt"))):
        tokens = int(row["num_tokens"])
        layer_ms = sum(float(row[f"time_stats.{part}.median"]) for part in PARTS)
        pair = f"{model} {hardware} TP{row['num_tensor_parallel_workers']}"
        lines.add(pair, "products", number, tokens, (tokens, 0, 0, 0), layer_ms * LAYERS[model] * 1000)


def judge(program, seed, lines):
    done = subprocess.run([program, str(seed)], input=lines.text(), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"`{program}` failed: {done.stderr}")
    judged = {}
    for line in done.stdout.splitlines():
        found = json.loads(line)
        judged.setdefault(found["pair"], {})[found["split"]] = found
    return judged


def show(title, judged):
    print(title)
    print(f"  {'pair':34} {'rows':>5} {'error':>7} {'other conf.':>12}  by kind")
    for pair, splits in judged.items():
        rows, other = splits["rows"], splits["configurations"]
        kinds = ", ".join(f"{kind} {error:.1%}" for kind, error in rows["by_kind"].items())
        print(f"  {pair:34} {rows['judged']:5} {rows['median_error']:7.1%} {other['median_error']:12.1%}  {kinds}"
              f"{'' if rows['median_error'] <= MOST else '   above 10 %'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/eval_engine_fit")
    parser.add_argument("--shared", default="../shared")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="all that was found, with the parameters")
    options = parser.parse_args()

    folder = pathlib.Path(options.shared) / "data/capacity"
    if not folder.is_dir():
        print(f"engine: skipped, {folder} is not here")
        return 0
    served, products = Lines(), Lines()
    read_sageserve(folder / "sageserve_perf_model.csv", served)
    for path in sorted(folder.glob("vidur_*_mlp.csv.gz")):
        read_vidur(path, products)
    judged = [("SageServe: prompts and tokens", judge(options.program, options.seed, served)),
              ("Vidur: matrix products of all layers", judge(options.program, options.seed, products))]
    if options.json:
        print(json.dumps(dict(judged), indent=1))
    else:
        for title, found in judged:
            show(title, found)
    errors = [splits["rows"]["median_error"] for _, found in judged for splits in found.values()]
    above = sum(error > MOST for error in errors)
    print(f"engine: {len(errors)} pairs, {len(errors) - above} with a median error of at most {MOST:.0%}, "
          f"worst {max(errors):.1%}", file=sys.stderr if options.json else sys.stdout)
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
