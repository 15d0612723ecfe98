"""The inference of src/embed/FORMAT.md in Python.   python3 reference.py TABLE TEXT...   prints the texts' cosines."""

import sys

import numpy as np
import xxhash

import static_table
from wordpiece import UNKNOWN, WordPiece

MASK = (1 << 64) - 1


def mix(z):
    z = (z + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
    return z ^ z >> 31


def unknown_signs(word, seed, dims):
    h = xxhash.xxh64_intdigest(word.encode(), seed)
    bits = np.array([mix((h + k) & MASK) for k in range((dims + 63) // 64)], dtype="<u8").view(np.uint8)
    return np.unpackbits(bits, bitorder="little")[:dims].astype(np.float32) * 2 - 1


class Embedder:
    def __init__(self, path):
        self.table = static_table.read(path)
        self.cutter = WordPiece(self.table.pieces)
        self.rows = self.table.rows.astype(np.float32) * self.table.scales[:, None]
        self.dims = self.rows.shape[1]
        self.pairs = {int(key): len(self.table.pieces) + k for k, key in enumerate(self.table.pairs)}

    def embed(self, text):
        """A unit vector; zeros for a text without any word."""
        pieces = self.cutter.cut(text)
        if not pieces:
            return np.zeros(self.dims, dtype=np.float32)
        total = self.rows[-1].copy()
        before = static_table.BEGIN
        for i, word in pieces:
            if i == UNKNOWN:
                total += self.table.unknown_scale * unknown_signs(word, self.table.unknown_seed, self.dims)
                before = None
                continue
            total += self.rows[i]
            pair = self.pairs.get(before << 32 | i) if before is not None else None
            if pair is not None:
                total += self.rows[pair]
            before = i
        length = np.linalg.norm(total)
        return total / length if length > 0 else total

    def embed_all(self, texts):
        return np.stack([self.embed(text) for text in texts])


if __name__ == "__main__":
    vectors = Embedder(sys.argv[1]).embed_all(sys.argv[2:])
    print(np.round(vectors @ vectors.T, 3))
