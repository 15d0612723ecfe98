#!/usr/bin/env python3
"""Writes src/embed/unicode_class.def and unicode_fold.def: what a text is made of before it is cut into word pieces.

    tools/embed/unicode_tables.py src/embed

The properties are those of the Unicode Character Database as Python carries it (its version stands in the first line).
The rules are BERT's for its uncased vocabularies (Devlin et al., 2018; BasicTokenizer): canonical decomposition, marks
dropped, lower case. Hangul syllables decompose by arithmetic (The Unicode Standard, 3.12) and are not in the table.
"""
import pathlib
import sys
import unicodedata

CJK = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
       (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]
HANGUL = range(0xAC00, 0xD7A4)
ALL = range(0x80, 0x110000)  # ASCII has a table of its own, in unicode.c


def character_class(code):
    category = unicodedata.category(chr(code))
    if category == "Mn" or category in ("Cc", "Cf", "Co", "Cs") or code == 0xFFFD:
        return "DROPPED"
    if any(first <= code <= last for first, last in CJK):
        return "CJK"
    if category.startswith("Z"):
        return "SPACE"
    return "PUNCTUATION" if category.startswith("P") else None


def folded(code):
    marks_gone = [c for c in unicodedata.normalize("NFD", chr(code)) if unicodedata.category(c) != "Mn"]
    return [ord(c) for c in "".join(c.lower() for c in marks_gone)]


def class_ranges():
    ranges = []
    for code in ALL:
        name = character_class(code)
        if ranges and name == ranges[-1][2] and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        elif name:
            ranges.append([code, code, name])
    return ranges


def folds():
    for code in ALL:
        if code in HANGUL or character_class(code) == "DROPPED" or unicodedata.category(chr(code)) == "Cn":
            continue
        to = folded(code)
        upper = unicodedata.category(chr(code)) in ("Lu", "Lt")
        if to != [code]:
            yield code, to, int(upper)


# Runs of characters `step` apart that all fold by the same distance.
def fold_runs(singles):
    at = 0
    while at < len(singles):
        best = (1, 1)
        for step in (1, 2):
            end = at
            while end + 1 < len(singles) and singles[end + 1] == (
                    singles[end][0] + step, singles[end][1] + step, singles[at][2]):
                end += 1
            if end - at + 1 > best[0]:
                best = (end - at + 1, step)
        (code, to, upper), (count, step) = singles[at], best
        yield code, singles[at + count - 1][0], step, to, upper
        at += count


def write(path, comment, words):
    lines = [f"/* Written by tools/embed/unicode_tables.py from Unicode {unicodedata.unidata_version}: code points above"
             " ASCII, rising.", f" * {comment} */", ""]
    for word in words:
        room = len(lines[-1]) + 1 + len(word) <= 120
        lines[-1:] = [f"{lines[-1]} {word}".strip()] if room else [lines[-1], word]
    path.write_text("\n".join(lines) + "\n")


def fold_words(known):
    singles = [(code, to[0], upper) for code, to, upper in known if len(to) == 1]
    for first, last, step, to, upper in fold_runs(singles):
        if first == last:
            yield f"ONE({first:#x}, {to:#x}, {upper})"
        else:
            yield f"RUN({first:#x}, {last:#x}, {step}, {to:#x}, {upper})"
    for code, to, _ in known:
        if len(to) > 1:
            yield f"MANY({code:#x}, " + ", ".join(f"{c:#x}" for c in (to + [0])[:3]) + ")"


def main(folder):
    write(folder / "unicode_class.def", "First, last, class. What is in none is a character like a letter.",
          (f"CLASS({first:#x}, {last:#x}, {name})" for first, last, name in class_ranges()))
    write(folder / "unicode_fold.def", "RUN: first, last, step, what the first becomes, is it upper case. ONE: of one."
          " MANY: what it becomes.", fold_words(list(folds())))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
