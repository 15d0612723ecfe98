#!/usr/bin/env python3
"""How well the built-in embedder's cosine tells pairs of equal meaning from others, and what a cache would make of it.

    eval/embed.py [--table FILE] [--data FOLDER] [--teacher FOLDER] [--limit ROWS]

Per pair set the AUC; per stream of requests with intents the best hit rate of a cache that answers with the nearest earlier
request, while at most 1, 2, 5, 10 % of its hits have another intent. --teacher also asks the model that the table was
distilled from, on --limit rows, and keeps its vectors in FOLDER. The packages are those of tools/distil/requirements.txt.
"""

import argparse
import gzip
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools/distil"))
try:
    import numpy as np
    from reference import Embedder
except ModuleNotFoundError as missing:
    sys.exit(f"embed.py: the Python package {missing.name} is not installed: pip install -r tools/distil/requirements.txt")

PAIRS = ["qqp", "mqp", "mrpc"]
STREAMS = ["clinc150", "banking77"]
ERRORS = [0.01, 0.02, 0.05, 0.10]
SEED = 11


def read(path, limit):
    if not path.exists():
        sys.exit(f"embed.py: {path} is absent: this measurement needs that data set (--data says where it lies)")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return rows[:limit] if limit else rows


def auc(scores, labels):
    """The chance that a pair of label 1 scores above one of label 0; ties count half."""
    scores, labels = np.asarray(scores), np.asarray(labels)
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    ones = int(labels.sum())
    return float((ranks[labels == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(labels) - ones)))


def pair_auc(rows, embed):
    first, second = embed([row["text_a"] for row in rows]), embed([row["text_b"] for row in rows])
    return auc((first * second).sum(1), [int(row["label"]) for row in rows])


def nearest_earlier(vectors):
    """-> for each but the first: the greatest cosine with an earlier one, and with which."""
    best, which = np.zeros(len(vectors)), np.zeros(len(vectors), dtype=int)
    for start in range(0, len(vectors), 512):
        stop = min(start + 512, len(vectors))
        cosines = vectors[start:stop] @ vectors[:stop].T
        cosines[np.arange(stop)[None, :] >= np.arange(start, stop)[:, None]] = -2
        best[start:stop], which[start:stop] = cosines.max(1), cosines.argmax(1)
    return best[1:], which[1:]


def stream_hits(rows, embed):
    """-> the greatest hit rate for each limit of wrong hits among the hits, every earlier request being in the cache."""
    order = np.random.default_rng(SEED).permutation(len(rows))
    rows = [rows[i] for i in order]
    intents = np.array([row["intent"] for row in rows])
    best, which = nearest_earlier(embed([row["text"] for row in rows]))
    wrong = intents[1:] != intents[which]
    by_score = np.argsort(-best, kind="stable")
    last_of_tie = np.append(np.diff(best[by_score]) != 0, True)
    hits = np.arange(1, len(wrong) + 1)
    errors = np.cumsum(wrong[by_score])
    return [float((hits * (last_of_tie & (errors <= limit * hits))).max() / len(rows)) for limit in ERRORS]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default=HERE.parent / "src/embed/static.table")
    parser.add_argument("--data", default=HERE.parent.parent / "shared/data")
    parser.add_argument("--teacher", help="folder for the teacher's vectors")
    parser.add_argument("--limit", type=int, default=0, help="rows of each set, the first ones")
    parser.add_argument("--sets", default=",".join(PAIRS + STREAMS))
    arguments = parser.parse_args()
    embedders = {"table": Embedder(arguments.table).embed_all}
    if arguments.teacher:
        from teacher import Teacher
        teacher = Teacher(arguments.teacher)
        embedders["teacher"] = lambda texts: teacher.embed(texts, longest=128)
    result = {}
    for name in arguments.sets.split(","):
        rows = read(Path(arguments.data) / (f"{name}_pairs.jsonl.gz" if name in PAIRS else f"{name}.jsonl.gz"), arguments.limit)
        for who, embed in embedders.items():
            found = {"auc": round(pair_auc(rows, embed), 4)} if name in PAIRS else {
                f"hit rate at {limit:.0%} wrong": round(rate, 4) for limit, rate in zip(ERRORS, stream_hits(rows, embed))}
            result.setdefault(name, {"rows": len(rows)})[who] = found
            print(f"{name:10} {who:8} {len(rows):6} rows  {found}", file=sys.stderr, flush=True)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
