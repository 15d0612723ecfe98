"""BERT's BasicTokenizer for uncased models and WordPiece, in plain Python: the reference for src/embed/."""

import unicodedata
from functools import lru_cache

UNKNOWN = -1
WORD_MOST = 100


def _is_punctuation(character):
    code = ord(character)
    ascii_mark = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_mark or unicodedata.category(character).startswith("P")


def _is_cjk(character):
    code = ord(character)
    return (0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0x20000 <= code <= 0x2A6DF
            or 0x2A700 <= code <= 0x2B73F or 0x2B740 <= code <= 0x2B81F or 0x2B820 <= code <= 0x2CEAF
            or 0xF900 <= code <= 0xFAFF or 0x2F800 <= code <= 0x2FA1F)


def _is_dropped(character):
    if character in "\t\n\r":
        return False
    category = unicodedata.category(character)
    return ord(character) in (0, 0xFFFD) or category.startswith("C") and category != "Cn" or category == "Mn"


def _is_space(character):
    return character in " \t\n\r" or unicodedata.category(character).startswith("Z")


@lru_cache(maxsize=65536)
def _fold(character):
    """What stands for a character: "" dropped, " " a space, " x " a word of its own, else letters."""
    if _is_space(character):
        return " "
    if _is_dropped(character):
        return ""
    if _is_cjk(character):
        return f" {character} "
    out = ""
    for folded in unicodedata.normalize("NFD", unicodedata.normalize("NFD", character).lower()):
        if unicodedata.category(folded) != "Mn":
            out += f" {folded} " if _is_punctuation(folded) else folded
    return out


def words(text):
    return "".join(map(_fold, text)).split()


class WordPiece:
    def __init__(self, pieces):
        self.ids = {piece: i for i, piece in enumerate(pieces)}
        self.longest = max(len(piece) for piece in pieces)
        self.known = {}

    def _cut(self, word):
        if len(word) > WORD_MOST:
            return None
        ids, start = [], 0
        while start < len(word):
            front = "##" if start else ""
            for end in range(min(len(word), start + self.longest), start, -1):
                i = self.ids.get(front + word[start:end])
                if i is not None:
                    break
            else:
                return None
            ids.append(i)
            start = end
        return ids

    def cut(self, text):
        """-> [(id, "")] of the pieces in order; (UNKNOWN, word) for a word that pieces cannot make up."""
        out = []
        for word in words(text):
            ids = self.known.get(word)
            if ids is None:
                found = self._cut(word)
                ids = [(UNKNOWN, word[:WORD_MOST])] if found is None else [(i, "") for i in found]
                self.known[word] = ids
            out += ids
        return out
