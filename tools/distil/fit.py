"""Fits the rows of the table so that a text's normalised sum is near the teacher's vector of that text.

A row is   exp(weight) * (features of the piece) @ map + correction.   The map is shared by all pieces, so pieces that no text
held learn from those that texts did; the correction is a piece's own and is left out at random, so that the map
stays good without it. Pairs of neighbouring pieces have corrections only.
"""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from static_table import BEGIN
from wordpiece import UNKNOWN

NO_PAIR = -1


@dataclass
class Settings:
    dims: int = 192
    pairs: int = 0
    features: int = 256
    hidden: int = 0
    epochs: int = 4
    batch: int = 768
    rate: float = 0.004
    cosine: float = 1.0
    relation: float = 4.0
    contrast: float = 0.15
    temperature: float = 0.05
    left_out: float = 0.05
    shrink: float = 3e-3
    shrink_pairs: float = 3e-2
    seed: int = 7


class Bags:
    """Texts as rows of the table: all ids one after the other, and where each text begins."""

    def __init__(self, texts, cutter, pairs, pieces):
        """pairs: key -> row."""
        self.ids, self.starts = [], [0]
        for text in texts:
            before = BEGIN
            for i, _ in cutter.cut(text):
                if i == UNKNOWN:
                    before = None
                    continue
                self.ids.append(i)
                if before is not None and (before << 32 | i) in pairs:
                    self.ids.append(pairs[before << 32 | i])
                before = i
            self.starts.append(len(self.ids))
        self.ids = torch.tensor(self.ids)
        self.starts = torch.tensor(self.starts)

    def batch(self, first, last):
        return self.ids[self.starts[first]:self.starts[last]], self.starts[first:last] - self.starts[first]


def choose_pairs(groups, cutter, most):
    """The pairs of pieces that the most groups hold. -> rising keys."""
    count = Counter()
    for group in groups:
        held = set()
        for text in group:
            before = BEGIN
            for i, _ in cutter.cut(text):
                if before is not None and i != UNKNOWN:
                    held.add(before << 32 | i)
                before = None if i == UNKNOWN else i
        count.update(held)
    best = sorted(count, key=lambda key: (-count[key], key))[:most]
    return sorted(key for key in best if count[key] >= 4)


def principal(vectors, dims):
    """-> mean, directions (columns) of the greatest variance."""
    mean = vectors.mean(0)
    centred = vectors - mean
    values, columns = np.linalg.eigh(centred.T @ centred)
    return mean, columns[:, np.argsort(-values)[:dims]]


class Student(torch.nn.Module):
    def __init__(self, features, first_weights, pairs, settings, first_map):
        super().__init__()
        pieces = len(features)
        self.pieces = pieces
        self.features = torch.tensor(features, dtype=torch.float32)
        self.map = torch.nn.Parameter(torch.tensor(first_map, dtype=torch.float32))
        self.weights = torch.nn.Embedding(pieces, 1, sparse=True, _weight=torch.tensor(first_weights, dtype=torch.float32)[:, None])
        self.corrections = torch.nn.Embedding(pieces + pairs, settings.dims, sparse=True,
                                              _weight=torch.zeros(pieces + pairs, settings.dims))
        self.constant = torch.nn.Parameter(torch.zeros(settings.dims))
        self.hidden = settings.hidden
        if self.hidden:
            self.inner = torch.nn.Parameter(torch.randn(settings.dims, settings.hidden))
            self.inner_bias = torch.nn.Parameter(torch.zeros(settings.hidden))
            self.outer = torch.nn.Parameter(torch.zeros(settings.hidden, settings.dims))

    def dense(self):
        return [self.map, self.constant] + ([self.inner, self.inner_bias, self.outer] if self.hidden else [])

    def rows(self, ids, left_out=0.0):
        """ids: rising."""
        correction = self.corrections(ids)
        if left_out > 0:
            keep = torch.rand(len(ids)) >= left_out * (ids < self.pieces)
            correction = correction * keep[:, None]
        is_piece = ids < self.pieces
        own = ids[is_piece]
        mapped = torch.exp(self.weights(own)) * (self.features[own] @ self.map)
        # Pieces come before pairs, as ids rise.
        return correction + functional.pad(mapped, (0, 0, 0, len(ids) - len(own))), correction

    def forward(self, ids, starts, left_out=0.0):
        unique, inverse = torch.unique(ids, return_inverse=True)
        rows, correction = self.rows(unique, left_out)
        total = functional.embedding_bag(inverse, rows, starts, mode="sum") + self.constant
        if self.hidden:
            unit = functional.normalize(total, dim=1)
            total = unit + functional.relu(unit @ self.inner + self.inner_bias) @ self.outer
        return functional.normalize(total, dim=1), correction, unique < self.pieces


def loss_of(student, teacher_full, teacher_near, same_group, settings):
    cosine = (1 - (student * teacher_near).sum(1)).mean()
    ours, theirs = student @ student.T, teacher_full @ teacher_full.T
    itself = torch.eye(len(ours))
    within = same_group.float() - itself
    square = (ours - theirs) ** 2
    relation = square.mean() + (square * within).sum() / within.sum().clamp(min=1)
    ours = ours / settings.temperature - 1e4 * itself
    theirs = theirs / settings.temperature - 1e4 * itself
    # The cross entropy with the teacher's neighbours; less its own entropy it is the divergence, with the same gradient.
    contrast = -(functional.log_softmax(ours, 1) * functional.softmax(theirs, 1)).sum(1).mean()
    return settings.cosine * cosine + settings.relation * relation + settings.contrast * contrast


def group_batches(groups, size, random_):
    """-> lists of group indices of about `size` texts together."""
    order = list(range(len(groups)))
    random_.shuffle(order)
    batch, count = [], 0
    for i in order:
        batch.append(i)
        count += len(groups[i])
        if count >= size:
            yield batch
            batch, count = [], 0


class Fit:
    """One fit of one vocabulary to texts with the teacher's vectors of them."""

    def __init__(self, groups, vectors, piece_vectors, cutter, settings):
        import random
        self.settings, self.groups = settings, groups
        self.random = random.Random(settings.seed)
        torch.set_num_threads(1)  # the same sums in the same order, whatever the machine
        torch.manual_seed(settings.seed)
        np.random.seed(settings.seed)
        self.keys = choose_pairs(groups, cutter, settings.pairs) if settings.pairs else []
        pieces = len(piece_vectors)
        self.pair_rows = {key: pieces + k for k, key in enumerate(self.keys)}
        self.teacher = torch.tensor(vectors)
        _, directions = principal(vectors, settings.dims)
        self.directions = torch.tensor(np.ascontiguousarray(directions))
        self.bags = Bags([text for group in groups for text in group], cutter, self.pair_rows, pieces)
        mean, columns = principal(piece_vectors, settings.features)
        features = (piece_vectors - mean) @ columns
        features /= np.sqrt((features ** 2).sum(1).mean())
        first_map = columns.T @ directions
        first_map *= 1 / np.abs(first_map).max() * 0.1
        self.student = Student(features, self._first_weights(pieces), len(self.keys), settings, first_map)
        ends = np.cumsum([len(group) for group in groups])
        self.spans = [(int(end - len(group)), int(end)) for end, group in zip(ends, groups)]

    def _first_weights(self, pieces):
        """Smooth inverse frequency (Arora et al., 2017): a / (a + p), with Zipf's law for p where no text shows it."""
        count = np.bincount(self.bags.ids[self.bags.ids < pieces].numpy(), minlength=pieces).astype(np.float64)
        share = (count + 0.5) / count.sum()
        return np.log(1e-3 / (1e-3 + share))

    def _gather(self, batch):
        rows, group_of = [], []
        for n, i in enumerate(batch):
            first, last = self.spans[i]
            rows += range(first, last)
            group_of += [n] * (last - first)
        rows = torch.tensor(rows)
        parts = [self.bags.ids[self.bags.starts[r]:self.bags.starts[r + 1]] for r in rows.tolist()]
        lengths = torch.tensor([len(part) for part in parts])
        starts = torch.cumsum(lengths, 0) - lengths
        group_of = torch.tensor(group_of)
        return rows, torch.cat(parts), starts, group_of[:, None] == group_of[None, :]

    def run(self, say=None):
        settings = self.settings
        sparse = torch.optim.SparseAdam([self.student.weights.weight, self.student.corrections.weight], lr=settings.rate)
        dense = torch.optim.Adam(self.student.dense(), lr=settings.rate)
        steps = settings.epochs * max(1, len(self.bags.starts) // settings.batch)
        step = 0
        for epoch in range(settings.epochs):
            total = 0.0
            for batch in group_batches(self.groups, settings.batch, self.random):
                rate = settings.rate * min(1, (step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1, step / steps))))
                for optimiser in (sparse, dense):
                    optimiser.param_groups[0]["lr"] = rate
                    optimiser.zero_grad()
                rows, ids, starts, same_group = self._gather(batch)
                vectors, correction, is_piece = self.student(ids, starts, settings.left_out)
                shrink_of = torch.where(is_piece, settings.shrink, settings.shrink_pairs)
                teacher = self.teacher[rows]
                near = functional.normalize(teacher @ self.directions, dim=1)
                loss = loss_of(vectors, teacher, near, same_group, settings)
                (loss + (correction ** 2).sum(1) @ shrink_of).backward()
                sparse.step()
                dense.step()
                total, step = total + float(loss.detach()), step + 1
            if say:
                say(f"epoch {epoch + 1}: loss {total * settings.epochs / max(1, steps):.4f}")

    def rows(self):
        """-> float rows: pieces, pairs, the constant."""
        with torch.no_grad():
            ids = torch.arange(self.student.pieces + len(self.keys))
            rows = self.student.rows(ids)[0]
            return torch.cat([rows, self.student.constant[None, :]]).numpy()
