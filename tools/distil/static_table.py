"""Reads and writes the table that src/embed/FORMAT.md describes."""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xxhash

MAGIC = b"EQSTATIC"
VERSION = 1
HEADER = struct.Struct("<8sIIIIIfQ24x")
BEGIN = 0xFFFFFFFF  # stands before the first piece of a text


@dataclass
class StaticTable:
    pieces: list  # text of each piece
    pairs: np.ndarray  # uint64, rising: first << 32 | second
    scales: np.ndarray  # float32, one of each row: pieces, pairs, the constant row
    rows: np.ndarray  # int8
    unknown_scale: float
    unknown_seed: int
    checksum: int = 0


def quantise(vectors):
    """float rows -> (scales float32, rows int8), so that scale * row is near the vector."""
    scales = (np.abs(vectors).max(axis=1) / 127).astype(np.float32)
    safe = np.where(scales > 0, scales, 1)
    return scales, np.clip(np.rint(vectors / safe[:, None]), -127, 127).astype(np.int8)


def _padded(data):
    return data + b"\0" * (-len(data) % 64)


def write(path, table):
    words = "".join(piece + "\n" for piece in table.pieces).encode()
    header = HEADER.pack(MAGIC, VERSION, table.rows.shape[1], len(table.pieces), len(table.pairs), len(words),
                         table.unknown_scale, table.unknown_seed)
    assert len(table.rows) == len(table.scales) == len(table.pieces) + len(table.pairs) + 1
    body = b"".join(map(_padded, (header, words, table.pairs.astype("<u8").tobytes(),
                                  table.scales.astype("<f4").tobytes(), table.rows.tobytes())))
    Path(path).write_bytes(body + struct.pack("<Q", xxhash.xxh64_intdigest(body)))


def read(path):
    data = Path(path).read_bytes()
    magic, version, dims, pieces, pairs, words, unknown_scale, unknown_seed = HEADER.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        raise ValueError(f"{path}: not a table of version {VERSION}")
    checksum, = struct.unpack("<Q", data[-8:])
    if xxhash.xxh64_intdigest(data[:-8]) != checksum:
        raise ValueError(f"{path}: the checksum does not hold: the file is damaged")
    at = 64
    parts = []
    for size in (words, 8 * pairs, 4 * (pieces + pairs + 1), dims * (pieces + pairs + 1)):
        parts.append(data[at:at + size])
        at += size + -size % 64
    return StaticTable(pieces=parts[0].decode().split("\n")[:-1], pairs=np.frombuffer(parts[1], "<u8"),
                       scales=np.frombuffer(parts[2], "<f4"), rows=np.frombuffer(parts[3], np.int8).reshape(-1, dims),
                       unknown_scale=unknown_scale, unknown_seed=unknown_seed, checksum=checksum)
