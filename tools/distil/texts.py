"""What is learned from: waves of texts of equal kind, so that a few already make a table; and the held-out set.

    python3 texts.py DATA [WAVES]     asks the teacher for all vectors; DATA/vectors keeps them, so that it may be stopped at any time
"""

import hashlib
import json
import random
import sys
from pathlib import Path

import corpus
import questions
from teacher import Teacher

BOTH = ("templates.txt", "more_templates.txt")
# (from corpus.py, how many groups from questions.py); waves beyond the last are like the last.
WAVES = [({"templates": 3500, "glosses": 2800, "sentences": 3000}, 0),
         ({"templates": 1200, "glosses": 1200, "sentences": 900}, 5000),
         ({"templates": 3000, "glosses": 1000, "sentences": 700, "words": 3000, "files": BOTH}, 2500)]
HELD_OUT = {"templates": 500, "glosses": 350, "sentences": 300}
HELD_OUT_SEED = 9901


def _kept(make, data, vocabulary, **arguments):
    """make(...), once: its groups are kept beside the vectors, under a hash of all that they are made from."""
    here = Path(__file__).parent
    sources = [(here / name).read_bytes() for name in (f"{make.__module__}.py", "corpus.py", "templates.txt", "more_templates.txt", "slots.txt")]
    key = hashlib.sha256(repr((sources, arguments)).encode()).hexdigest()[:32]
    path = Path(data) / "vectors" / f"{key}.json"
    if not path.exists():
        groups = make(Path(data) / "texts", vocabulary, **arguments)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(groups), encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def wave(data, vocabulary, number):
    seed = 1000 * number
    arguments, asked = WAVES[min(number, len(WAVES)) - 1]
    groups = _kept(corpus.build, data, vocabulary, **arguments, seed=seed)
    if asked:
        groups = groups + _kept(questions.build, data, vocabulary, count=asked, seed=seed)
        random.Random(seed).shuffle(groups)
    return groups


def held_out(data, vocabulary):
    return _kept(corpus.build, data, vocabulary, **HELD_OUT, seed=HELD_OUT_SEED, held_out=True)


def flat(groups):
    return [text for group in groups for text in group]


def main():
    data, waves = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 4
    teacher = Teacher(Path(data) / "vectors")
    vocabulary = teacher.vocabulary()
    teacher.embed_pieces(len(vocabulary))
    teacher.embed(flat(held_out(data, vocabulary)), say="held out")
    for number in range(1, waves + 1):
        teacher.embed(flat(wave(data, vocabulary, number)), say=f"wave {number}")
    print(f"teacher: {teacher.spent_s:.0f} s in the model", file=sys.stderr)


if __name__ == "__main__":
    main()
