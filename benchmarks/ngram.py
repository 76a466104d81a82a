"""N-gram models: what they reach on two data sets, and how long counting takes.

The data sets are folders beside the repository, in ../shared/data, or in $ENSUE_DATA. Everything that is chosen is
chosen on parts of the training data.

    python benchmarks/ngram.py shakespeare names words
"""

from __future__ import annotations

import argparse
import lzma
import os
import resource
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from ensue.models.ngram import Ngram, NgramSettings, estimate

DATA = Path(os.environ.get("ENSUE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))

SETTINGS = {
    "order and discounts chosen": NgramSettings(),
    "order chosen, discounts by formula": NgramSettings(discounts="counts"),
    "order 6 by formula, as KenLM": NgramSettings(order=6),
    "order 4 by formula, as KenLM": NgramSettings(order=4),
    "Witten-Bell, order chosen": NgramSettings(smoothing="witten-bell"),
    "add 0.1, order chosen": NgramSettings(smoothing="additive", pseudo_count=0.1),
}


def shakespeare() -> None:
    """Characters of one text; the last tenth is the test."""
    text = (DATA / "tiny_shakespeare" / "input.txt").read_text()
    cut = len(text) * 9 // 10
    symbols = sorted(set(text[:cut]))
    ids = np.searchsorted(symbols, list(text)).astype(np.uint8)
    report([ids[:cut]], [ids[cut:]], len(symbols))


def names(distinct: bool) -> None:
    """First names with their ends; a tenth, drawn, is the test. 2,539 lines repeat a name, which helps long n-grams."""
    lines = (DATA / "first_names" / "names_32k.txt").read_text().split()
    lines = sorted(set(lines)) if distinct else lines
    encoded = [np.array([*(ord(letter) - 96 for letter in line), 0]) for line in lines]
    drawn = np.random.default_rng(0).permutation(len(encoded))
    cut = len(encoded) * 9 // 10
    report([encoded[i] for i in drawn[:cut]], [encoded[i] for i in drawn[cut:]], 27)


def report(train: Sequence[np.ndarray], test: Sequence[np.ndarray], size: int) -> None:
    ids, offsets = np.concatenate(train), np.cumsum([0, *map(len, train)])
    estimate(ids[:5000], np.array([0, 5000]), size, NgramSettings())  # loads what torch loads late
    for what, settings in SETTINGS.items():
        began = perf_counter()
        model = estimate(ids, offsets, size, settings)
        counted = perf_counter()
        nats = nats_per_symbol(model, test)
        seconds = f"counted in {counted - began:.2f} s, scored in {perf_counter() - counted:.2f} s"
        print(f"{nats:.4f} nats per character  {what} (order {model.order}; {seconds})")


def nats_per_symbol(model: Ngram, records: Sequence[np.ndarray]) -> float:
    longest = max(map(len, records))
    targets = torch.from_numpy(np.stack([np.pad(record, (0, longest - len(record))) for record in records]).astype(int))
    inputs = torch.cat([torch.full((len(records), 1), model.size), targets[:, :-1]], 1)
    lengths = torch.tensor([len(record) for record in records])
    nats, _ = model.nats(inputs, targets, model.initial(len(records)), lengths)
    return (nats.sum() / lengths.sum()).item()


def words() -> None:
    """Ten million words in order 5: Wikipedia's text five times, 3 words in 10 drawn anew."""
    with lzma.open(DATA / "wikitext2" / "train.txt.xz", "rt") as file:
        vocabulary, once = np.unique(file.read().replace("\n", " </s> ").split(), return_inverse=True)
    generator = np.random.default_rng(0)
    copies = np.tile(once.astype(np.int32), 5)[:10_000_000]
    text = np.where(generator.random(len(copies)) < 0.3, generator.choice(once, len(copies)), copies)
    began = perf_counter()
    model = estimate(text, np.array([0, len(text)]), len(vocabulary), NgramSettings(order=5))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    sizes = ", ".join(f"{len(rung.symbol):,}" for rung in model.table.rungs)
    print(f"{len(text):,} words counted in {perf_counter() - began:.1f} s, at most {peak:.1f} GB; n-grams: {sizes}")


if __name__ == "__main__":
    parts = {
        "shakespeare": shakespeare,
        "names": lambda: names(False),
        "distinct-names": lambda: names(True),
        "words": words,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", help=f"any of {', '.join(parts)}; all if none is named")
    for part in parser.parse_args().part or parts:
        print(f"-- {part}")
        parts[part]()
