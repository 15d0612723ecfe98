"""Makes the table of the built-in embedder.   python3 distil.py DATA [--waves N] [--out FOLDER] [--set name=value ...]

DATA holds texts/ (fetch.sh) and vectors/ (the teacher's, made when they are missing). Prints, on texts that were held out, how
near the table comes to the teacher; with --pairs FILE the teacher's own AUC and the table's on labelled pairs.
"""

import argparse
import gzip
import json
import sys
import time
import unicodedata
from pathlib import Path

import numpy as np

import static_table
import texts
from fit import Fit, Settings
from reference import Embedder
from teacher import CHUNK, Teacher
from wordpiece import WordPiece

UNKNOWN_SEED = 0x45515F756E6B
NEVER = ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]", "[unused")


def wanted(piece):
    """Not: pieces that no text can hold, and letters and digits outside of ASCII: the teacher knows no other script than Latin, and
    the inference gives each word that is unknown a direction of its own, which tells more."""
    foreign = any(not character.isascii() and unicodedata.category(character)[0] in "LMN" for character in piece)
    return not foreign and not piece.startswith(NEVER)


def say(line):
    print(f"distil: {line}", file=sys.stderr, flush=True)


def ranks(values):
    order = np.argsort(values)
    out = np.empty(len(values))
    out[order] = np.arange(len(values))
    return out


def held_out_quality(path, groups, vectors):
    """Cosines of texts of one group (hard pairs), and with the teacher's ten nearest: rank correlation with the teacher."""
    ours = Embedder(path).embed_all([text for group in groups for text in group])
    member = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    theirs_all, ours_all = vectors @ vectors.T, ours @ ours.T
    within = np.triu(member[:, None] == member[None, :], 1)
    near = np.zeros_like(within)
    np.fill_diagonal(theirs_all, -1)
    np.put_along_axis(near, np.argpartition(-theirs_all, 10, axis=1)[:, :10], True, axis=1)
    near &= ~(member[:, None] == member[None, :])
    result = {}
    for name, mask in (("within", within), ("near", near), ("both", within | near)):
        result[name] = round(float(np.corrcoef(ranks(theirs_all[mask]), ranks(ours_all[mask]))[0, 1]), 4)
    result["error"] = round(float(np.sqrt(((theirs_all - ours_all)[within | near] ** 2).mean())), 4)
    return result


def make_table(fit, vocabulary, path):
    """Quantises the rows of the pieces that are wanted."""
    rows, pieces = fit.rows(), len(vocabulary)
    keep = [i for i, piece in enumerate(vocabulary) if wanted(piece)]
    place = {i: n for n, i in enumerate(keep)}
    place[static_table.BEGIN] = static_table.BEGIN
    keys = sorted((place[key >> 32] << 32 | place[key & 0xFFFFFFFF], k) for k, key in enumerate(fit.keys)
                  if key >> 32 in place and key & 0xFFFFFFFF in place)
    chosen = keep + [pieces + k for _, k in keys] + [len(rows) - 1]
    scales, quantised = static_table.quantise(rows[chosen])
    # An unknown word weighs as much as a piece that is known, but rare.
    unknown_scale = float(np.median(np.linalg.norm(rows[20000:pieces], axis=1)) / np.sqrt(rows.shape[1]))
    static_table.write(path, static_table.StaticTable(
        [vocabulary[i] for i in keep], np.array([key for key, _ in keys], dtype=np.uint64), scales, quantised, unknown_scale, UNKNOWN_SEED))


def gather(data, vocabulary, teacher, waves, texts_most=None):
    """-> groups and the teacher's vectors of the waves, without texts of the held-out set."""
    groups, vectors = [], []
    held = set(texts.flat(texts.held_out(data, vocabulary)))
    for number in range(1, waves + 1):
        wave = texts.wave(data, vocabulary, number)
        flat = texts.flat(wave)
        if texts_most:
            flat = flat[:texts_most]
        found = teacher.embed(flat, say=f"wave {number}")
        at = 0
        for group in wave:
            rows = [at + i for i, text in enumerate(group) if text not in held]
            at += len(group)
            if at > len(found):
                break
            held.update(group)
            if rows:
                groups.append([flat[i] for i in rows])
                vectors.append(found[rows])
    return groups, np.concatenate(vectors)


def auc_of(path, embedders):
    from importlib import import_module
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "eval"))
    pair_auc = import_module("embed").pair_auc
    with (gzip.open if str(path).endswith(".gz") else open)(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return {who: round(pair_auc(rows, embed), 4) for who, embed in embedders.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--out", default=Path(__file__).resolve().parents[2] / "src/embed/static.table")
    parser.add_argument("--waves", type=int, default=4)
    parser.add_argument("--chunks", type=int, default=0, help="only the first chunks of each wave")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of fit.py")
    parser.add_argument("--pairs", action="append", default=[], help="JSONL, may be .gz: text_a, text_b, label")
    arguments = parser.parse_args()
    settings = Settings()
    for assignment in arguments.set:
        name, _, value = assignment.partition("=")
        setattr(settings, name, type(getattr(settings, name))(value))
    start = time.monotonic()
    teacher = Teacher(Path(arguments.data) / "vectors")
    vocabulary = teacher.vocabulary()
    pieces = teacher.embed_pieces(len(vocabulary))
    held = texts.held_out(arguments.data, vocabulary)
    held_vectors = teacher.embed(texts.flat(held))
    groups, vectors = gather(arguments.data, vocabulary, teacher, arguments.waves, arguments.chunks * CHUNK)
    say(f"{len(vectors)} texts in {len(groups)} groups; {time.monotonic() - start:.0f} s, {teacher.spent_s:.0f} s of them the teacher")
    fit = Fit(groups, vectors, pieces, WordPiece(vocabulary), settings)
    fit.run(say)
    make_table(fit, vocabulary, arguments.out)
    quality = held_out_quality(arguments.out, held, held_vectors)
    say(f"{settings}: held out {quality}; {Path(arguments.out).stat().st_size} bytes; {time.monotonic() - start:.0f} s in all")
    embedders = {"teacher": lambda found: teacher.embed(found, longest=128), "table": Embedder(arguments.out).embed_all}
    for path in arguments.pairs:
        say(f"{path}: AUC {auc_of(path, embedders)}")


if __name__ == "__main__":
    main()
