"""Writes vectors.json, which pins for the C side what a table makes of some texts.   python3 vectors.py TABLE OUT"""

import json
import sys

import numpy as np

from reference import Embedder

# Written for this purpose. SAME and OTHER are indices: pairs that mean the same, pairs that do not.
TEXTS = [
    "How do I reset the password of my account?",                                  # 0
    "I forgot my password, how can I set a new one?",                              # 1
    "How do I close my account?",                                                  # 2
    "What is the best way to cook rice?",                                          # 3
    "How should rice be cooked?",                                                  # 4
    "What is the best way to store rice?",                                         # 5
    "Please summarise this article in three sentences.",                           # 6
    "Give me a three sentence summary of the article.",                            # 7
    "Translate this article into French, please.",                                 # 8
    "Why is the sky blue during the day?",                                         # 9
    "What makes the sky look blue?",                                               # 10
    "Why does the sky turn red at sunset?",                                        # 11
    "write a python function that reverses a list",                                # 12
    "In Python, how can I reverse a list with a function?",                        # 13
    "write a sql query that counts the rows of a table",                           # 14
    "NAÏVE Café, déjà-vu!  (e-mail: bob@example.org)",                             # 15
    "Ünïcödé \u4e2d\u6587 \u0438 \u043a\u0438\u0440\u0438\u043b\u043b\u0438\u0446\u0430 \u200bx\u00ady",  # 16
    "\u1f600 grinning \U0001f600 face \u2260 <|im_end|>",                          # 17
    "zzzzqxqx" + "w" * 120,                                                        # 18
    "not",                                                                         # 19
]
SAME = [[0, 1], [3, 4], [6, 7], [9, 10], [12, 13]]
OTHER = [[0, 3], [0, 9], [2, 4], [6, 12], [7, 14], [8, 13], [9, 14], [10, 3], [11, 1], [12, 5], [13, 0]]


def main():
    embedder = Embedder(sys.argv[1])
    vectors = embedder.embed_all(TEXTS)
    cosines = vectors @ vectors.T
    same = min(cosines[i, j] for i, j in SAME)
    other = max(cosines[i, j] for i, j in OTHER)
    print(f"vectors: least cosine of the same {same:.3f}, greatest of others {other:.3f}", file=sys.stderr)
    out = {"table": f"{embedder.table.checksum:016x}", "dims": embedder.dims,
           "texts": [{"text": text, "ids": [i for i, _ in embedder.cutter.cut(text)],
                      "head": [round(float(x), 6) for x in vector[:8]]} for text, vector in zip(TEXTS, vectors)],
           "cosines": np.round(cosines.astype(float), 5).tolist(), "pairs": {"same": SAME, "other": OTHER}}
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        texts = ",\n  ".join(json.dumps(entry) for entry in out.pop("texts"))
        rows = ",\n  ".join(json.dumps(row) for row in out.pop("cosines"))
        rest = json.dumps(out)[1:-1]
        file.write(f'{{{rest},\n "texts": [\n  {texts}],\n "cosines": [\n  {rows}]}}\n')
    if same <= other:
        sys.exit("vectors: a pair that means the same is further apart than one that does not: this table is not good enough")


if __name__ == "__main__":
    main()
