"""Accuracy and F1 of text classifiers on public data sets, networks against all baselines.

`python benchmarks/classification.py FOLDER [--only NAME...] [--model nbsvm|ngram-bayes] [--new]
[--write]`; FOLDER has sst2, sst_trees, sms_spam, trec_questions and first_names, each a folder.
With `--model`, one that is fitted in closed form stands in place of the network. `--new` leaves those
texts out of the folds' tests that are learned from too. `--write` puts the table into
docs/results.md.
"""

import argparse
import gzip
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tables import conditions, write_table

import ensue

Rows = list[tuple[str, str]]
FOLDS, SEED = 5, 1


@dataclass(frozen=True)
class Trial:
    """One set of data, and the network that was chosen for it on its validation part."""

    model: str
    epochs: int | None
    settings: tuple[str, ...]
    figure: str = "accuracy"


TRIALS = {
    "sst2": Trial(
        "embedding-bag", 16, ("input_dropout=0.5", "token_dropout=0.3", "data.calibration=0.05")
    ),
    "trec_questions": Trial("convolution", 8, ("output_dropout=0.5", "data.calibration=0.05")),
    "sms_spam": Trial("embedding-bag", 8, ("data.calibration=0.05",), figure="f1 of spam"),
    "first_names": Trial(
        "convolution",
        12,
        ("input_dropout=0", "token_dropout=0", "data.validation=0.05", "data.calibration=0.05"),
    ),
}


FITTED = {
    "sst2": Trial("", None, ("data.calibration=0.05",)),
    "sst2_phrases": Trial("", None, ("data.calibration=0.05",)),
    "trec_questions": Trial("", None, ("data.calibration=0.05",)),
    "sms_spam": Trial("", None, ("data.calibration=0.05",), figure="f1 of spam"),
    "first_names": Trial("", None, ("data.validation=0.05", "data.calibration=0.05")),
}
"""Models fitted in closed form; they select open settings on the validation part."""


def sources(
    name: str, folder: Path, room: Path, new: bool = False
) -> Iterator[tuple[Path, dict[str, Path]]]:
    """Give what is learned from, and the files of parts: the split that is known, or each of
    five folds."""
    where = folder / name
    if name == "sst2":
        yield where / "train.tsv.gz", {"valid": where / "dev.tsv.gz", "test": where / "test.tsv.gz"}
    elif name == "sst2_phrases":
        rows = {
            part: list(sentences(folder / "sst2" / f"{part}.tsv.gz"))
            for part in ("train", "dev", "test")
        }
        rows["train"] = list(
            dict.fromkeys([*rows["train"], *phrases(folder / "sst_trees" / "train.txt.gz")])
        )
        made = {part: table(room / f"{part}.tsv", own) for part, own in rows.items()}
        yield made["train"], {"valid": made["dev"], "test": made["test"]}
    elif name == "trec_questions":
        parts = {
            part: table(room / f"{part}.tsv", questions(where / f"{part}.txt"))
            for part in ("train", "test")
        }
        yield parts["train"], {"test": parts["test"]}
    elif name == "sms_spam":
        with (where / "SMSSpamCollection.tsv").open(encoding="utf-8", newline="") as file:
            rows = [tuple(line.rstrip("\n").split("\t", 1)) for line in file]
        yield from folds([(text, label) for label, text in rows], room, new)
    else:
        rows = [
            (line, kind)
            for kind in ("male", "female")
            for line in (where / f"{kind}.txt").read_text().split("\n")
        ]
        yield from folds([(text.strip(), kind) for text, kind in rows if text.strip()], room, new)


def sentences(path: Path) -> Iterator[tuple[str, str]]:
    """Read the sentences of sst2 with their labels."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            label, _, text = line.rstrip("\n").partition("\t")
            yield text, label


def phrases(path: Path) -> Iterator[tuple[str, str]]:
    """Read the phrases of trees: 0 and 1 are negative, 3 and 4 positive, and those of 2 are left
    out."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield from ((text, "01"[label > "2"]) for text, label in nodes(line) if label != "2")


def nodes(tree: str) -> Iterator[tuple[str, str]]:
    """Give the words below each node of a bracketed tree, in small letters, and its label."""
    begun: list[tuple[str, list[str]]] = []
    for label, word, _ in re.findall(r"\((\d)|\s([^\s()]+)|(\))", tree):
        if label:
            begun.append((label, []))
        elif word:
            begun[-1][1].append(word.lower())
        else:
            label, words = begun.pop()
            if begun:
                begun[-1][1].extend(words)
            yield " ".join(words), label


def questions(path: Path) -> Rows:
    """Read "LABEL:fine text", without what is fine."""
    heads = (line.partition(" ") for line in path.read_text(encoding="utf-8").splitlines())
    return [(text, head.partition(":")[0]) for head, _, text in heads]


def folds(rows: Rows, room: Path, new: bool) -> Iterator[tuple[Path, dict[str, Path]]]:
    """Give each fifth of the rows, drawn by the seed, as the test, and the rest to learn from."""
    order = np.random.default_rng(SEED).permutation(len(rows))
    for fold in range(FOLDS):
        held = set(order[fold::FOLDS].tolist())
        parts = {
            "test": [rows[i] for i in sorted(held)],
            "train": [r for i, r in enumerate(rows) if i not in held],
        }
        if new:
            known = {text for text, _ in parts["train"]}
            parts["test"] = [row for row in parts["test"] if row[0] not in known]
        made = {part: table(room / f"{fold}-{part}.tsv", own) for part, own in parts.items()}
        yield made["train"], {"test": made["test"]}


def table(path: Path, rows: Rows) -> Path:
    """Write texts with their labels."""
    lines = [f"{label}\t{' '.join(text.split())}" for text, label in rows]
    path.write_text("label\ttext\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def figures(result: dict[str, Any], trial: Trial) -> dict[str, float]:
    """Give the figure of each model; that of a label exists for the run's own model only."""
    if trial.figure == "accuracy":
        return {row["name"]: row["metrics"]["accuracy"] for row in result["rows"]}
    spam = next(one for one in result["details"]["per_class"] if one["label"] == "spam")
    return {result["rows"][-1]["name"]: spam["f1"]}


def measured(name: str, trial: Trial, folder: Path, new: bool) -> list[list[str]]:
    """Train on each split, and give the mean of each model's figure and how far splits are
    apart."""
    found: dict[str, list[float]] = {}
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as room:
        for number, (train, parts) in enumerate(sources(name, folder, Path(room), new)):
            out = Path(room) / f"run-{number}"
            header = ["data.reader.header=yes"] if train.suffix == ".tsv" else []
            settings = ["hardware.threads=1", *header, *trial.settings]
            ensue.train(
                "classify",
                train,
                model=trial.model,
                epochs=trial.epochs,
                out=out,
                settings=settings,
                **parts,
            )
            result = json.loads((out / "result.json").read_text())
            seconds.append(result["rows"][-1]["seconds"])
            for model, figure in figures(result, trial).items():
                found.setdefault(model, []).append(figure)
            print(name, number, found, f"{seconds[-1]:.0f} s", flush=True)
    taken = {list(found)[-1]: f"{np.mean(seconds):.0f}"}
    return [
        [name, trial.figure, model, format_scores(values), taken.get(model, "")]
        for model, values in found.items()
    ]


def format_scores(values: Sequence[float]) -> str:
    """Give the mean, and between which folds lie."""
    spread = f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", choices=FITTED)
    parser.add_argument("--model", choices=["nbsvm", "ngram-bayes"])
    parser.add_argument("--new", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    fitted = {name: replace(trial, model=options.model) for name, trial in FITTED.items()}
    trials = fitted if options.model else TRIALS
    rows = [
        row
        for name in options.only or trials
        for row in measured(name, trials[name], options.folder, options.new)
    ]
    columns = ["data", "figure", "model", "on the test part", "seconds of training"]
    lines = [f"| {' | '.join(row)} |" for row in [columns, ["---"] * len(columns), *rows]]
    lines += ["", f"By {conditions()}."]
    print("\n".join(lines))
    if options.write:
        write_table("classification", lines)


if __name__ == "__main__":
    main()
