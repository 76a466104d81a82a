"""Accuracy and speed of tagging universal tags of English (UD_English-EWT).

    python benchmarks/tagging.py [SEEDS [MINUTES]]    trains with seeds 1, 2, ..., chooses on dev, reports test
    python benchmarks/tagging.py RUN...               reports on runs that were trained so

The data is looked for in the folder that ENSUE_DATA names, or in ../shared/data. Words per second
are those of `ensue tag` from the CoNLL-U file to CoNLL-U, once the run is open.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from tables import conditions, medians

import ensue
from ensue.tasks.tag import TagRequest
from ensue.tasks.tag.trained import TagModel

DATA = (
    Path(os.environ.get("ENSUE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    / "UD_English-EWT"
)
TRAIN, VALID, TEST = (DATA / f"en_ewt-ud-{part}.conllu.gz" for part in ("train", "dev", "test"))
FIGURES = ("tag_accuracy", "tag_accuracy_known", "tag_accuracy_unknown")


def train(seed: int, minutes: float, folder: Path) -> Path:
    """Train with one seed, and give the run."""
    ensue.train(
        "tag",
        TRAIN,
        valid=VALID,
        test=TEST,
        seed=seed,
        minutes=minutes,
        settings=["mixture.use=never"],
        out=folder / str(seed),
    )
    return folder / str(seed)


def accuracy_of(runs: list[Path]) -> list[str]:
    """Lay out the accuracy of baselines, and of every run."""
    head = ("model", "seed", "tags %", "95 % interval", "known words", "unknown words", "seconds")
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    results = [json.loads((run / "result.json").read_text(encoding="utf-8")) for run in runs]
    rows += [_row(row, "") for row in results[0]["rows"][:-1]]
    seeds = [ensue.open(run).run.about["settings"]["seed"] for run in runs]
    rows += [
        _row(result["rows"][-1], str(seed)) for result, seed in zip(results, seeds, strict=True)
    ]
    mean = [
        100 * statistics.mean(result["metrics"][name] for result in results) for name in FIGURES
    ]
    return [
        *rows,
        f"| mean of {len(runs)} seeds | | {mean[0]:.2f} | | {mean[1]:.2f} | {mean[2]:.2f} | |",
    ]


def _row(row: dict[str, Any], seed: str) -> str:
    tags, known, unknown = (f"{100 * row['metrics'][name]:.2f}" for name in FIGURES)
    low, high = (100 * bound for bound in row["intervals"]["tag_accuracy"])
    return (
        f"| {row['name']} | {seed} | {tags} | {low:.2f} to {high:.2f} | {known} | {unknown} "
        f"| {row['seconds']:.0f} |"
    )


def speed_of(run: Path, threads: int = 1) -> list[str]:
    """Measure how many words of the test part a second are read, tagged and written."""
    torch.set_num_threads(threads)
    words = ensue.open(run).evaluate([TEST]).details["words"]

    def tag() -> None:
        model: TagModel = ensue.open(run)  # Opened again: a codec caches words it has seen.
        sentences = model.answer(TagRequest(), TEST)
        assert sum(map(len, model.lines(sentences)))

    def opened() -> None:
        ensue.open(run)

    taken = medians({"all": tag, "open": opened}, 5)
    rate = 1000 * words / (taken["all"] - taken["open"])
    what = "processor time" if threads == 1 else "clock"
    return [
        "| words | words per second | of |",
        "|---|---|---|",
        f"| {words:,} | {rate:,.0f} | {what}, {conditions()} |",
    ]


def main() -> None:
    """Train, or take runs, and print the tables."""
    arguments = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        if arguments and Path(arguments[0]).is_dir():
            runs = [Path(word) for word in arguments]
        else:
            seeds, minutes = (
                int(arguments[0]) if arguments else 3,
                float(arguments[1]) if arguments[1:] else 9.0,
            )
            runs = [train(seed, minutes, Path(folder)) for seed in range(1, seeds + 1)]
        print("\n".join([*accuracy_of(runs), "", *speed_of(runs[0])]))


if __name__ == "__main__":
    main()
