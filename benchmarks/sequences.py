"""Scores of classifiers of sequences of numbers, by `ensue train classify`.

    python benchmarks/sequences.py GunPoint [SEEDS [MINUTES]]         the archive's own test file; seeds 1, 2, ...
    python benchmarks/sequences.py JapaneseVowels [SEEDS [MINUTES]]
    python benchmarks/sequences.py supernovae [FOLDS [EPOCHS]]        Ia or not, without redshifts; seeded folds of five

The light curves are written as the long table that anybody would have: a row for each observation.
The data is looked for in the folder that ENSUE_DATA names, or in ../shared/data.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

import ensue

DATA = Path(os.environ.get("ENSUE_DATA", Path(__file__).parents[2] / "shared" / "data"))
COLUMNS = ("object", "mjd", "band", "flux", "flux_err", "type")
ROLES = {
    "id": "object",
    "time": "mjd",
    "channel": "band",
    "value": ("flux",),
    "standard_error": "flux_err",
    "label": "type",
}
FOLDS = 5


def series(name: str, seeds: int = 3, minutes: float = 2.0) -> None:
    """Train with several seeds, and score the test file of the archive."""
    files = [DATA / f"tsc_{name}" / f"{name}_{part}.ts.gz" for part in ("TRAIN", "TEST")]
    report([train(files[0], files[1], minutes=minutes, seed=seed) for seed in range(1, seeds + 1)])


def supernovae(folds: int = FOLDS, epochs: float = 30) -> None:
    """Train on four fifths of the objects, and score the fifth."""
    with tempfile.TemporaryDirectory() as name:
        pairs = write_folds(Path(name), folds)
        report([train(*pair, epochs=int(epochs), seed=1, **ROLES) for pair in pairs])


def write_folds(room: Path, folds: int = FOLDS) -> list[tuple[Path, Path]]:
    """Write the files of train and test of each fold."""
    folder = DATA / "supernova_spcc_subset"
    curves = dict(
        np.load(folder / "light_curves.npz")
    )  # each look into the file itself unpacks an array
    with gzip.open(folder / "objects.csv.gz", "rt", encoding="utf-8") as file:
        types = ["Ia" if row["sim_type"] == "Ia" else "other" for row in csv.DictReader(file)]
    fold_of = np.zeros(len(types), int)
    for kind in ("Ia", "other"):
        rows = np.flatnonzero(np.array(types) == kind)
        fold_of[np.random.Generator(np.random.Philox(1)).permutation(rows)] = (
            np.arange(len(rows)) % FOLDS
        )
    pairs = []
    for fold in range(folds):
        pairs.append((room / f"train-{fold}.csv", room / f"test-{fold}.csv"))
        for path, rows in zip(pairs[-1], (fold_of != fold, fold_of == fold), strict=True):
            write_table(path, curves, types, np.flatnonzero(rows))
    return pairs


def write_table(path: Path, curves: Any, types: list[str], objects: Iterable[int]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        columns = [curves[name] for name in ("mjd", "band", "flux", "flux_err")]
        for number in objects:
            for at in range(curves["offsets"][number], curves["offsets"][number + 1]):
                mjd, band, flux, error = (column[at] for column in columns)
                writer.writerow(
                    [curves["snid"][number], mjd, "griz"[band], flux, error, types[number]]
                )


def train(path: Path, test: Path, **choices: Any) -> dict[str, Any]:
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        own = {"out": Path(folder) / "run", "settings": ["mixture.use=never"], **choices}
        model = ensue.train("classify", path, test=test, **own)
        result = json.loads(model.run.read("result.json"))
    result["seconds"] = time.perf_counter() - began
    for row in result["rows"]:
        shown = {name: f"{value:.4f}" for name, value in row["metrics"].items()}
        print(
            f"{row['name']:>12} {shown} 95 %: {row['intervals']['accuracy']} {row['seconds']:.0f} s"
        )
    print(f"{result['seconds']:.0f} s in all, load average {os.getloadavg()[0]:.1f}\n", flush=True)
    return result


def report(results: list[dict[str, Any]]) -> None:
    """Print the means, and the accuracy by the share of each sequence that is seen."""
    for place, row in enumerate(results[0]["rows"]):
        for metric in row["metrics"]:
            values = [one["rows"][place]["metrics"][metric] for one in results]
            print(
                f"{row['name']:>12} {metric:>10} {np.mean(values):.4f}  "
                f"({', '.join(f'{one:.4f}' for one in values)})"
            )
    for early in zip(*(one["details"]["early"] for one in results), strict=True):
        means = {name: np.mean([one[name] for one in early]) for name in early[0]}
        print(", ".join(f"{name} {value:.4f}" for name, value in means.items()))


if __name__ == "__main__":
    which, *numbers = sys.argv[1:] or ["GunPoint"]
    arguments = [kind(number) for kind, number in zip((int, float), numbers, strict=False)]
    if which == "supernovae":
        supernovae(*arguments)
    else:
        series(which, *arguments)
