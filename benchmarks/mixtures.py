"""The mixture of all models beside its best member, on the test parts of public data sets.

    python benchmarks/mixtures.py [NAME...] [--seeds 3] [--epochs N] [--write]

Each training fits the baselines of its verb and the default network once. Then the run holds the
mixture (`mixture.use=always`), and what is chosen on the validation part (`auto`), without training
anew. The best member is the one with the lowest validation loss. Sets that have no test part of their own
are cut into five folds, of which the first is the test. The data is looked for in the folder that
ENSUE_DATA names, or in ../shared/data.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import sequences
from classification import sources
from tables import conditions, write_table

import ensue
from ensue import api
from ensue.tasks import pipeline
from ensue.training.folder.run import Run

DATA, EWT = sequences.DATA, sequences.DATA / "UD_English-EWT"
EPOCHS = {
    "GunPoint": 60,
    "JapaneseVowels": 60,
    "supernovae": 10,
    "sms_spam": 8,
    "trec_questions": 8,
    "first_names": 8,
    "sst2": 6,
    "sst2_phrases": 3,
    "sst_trees": 2,
    "EWT": 2,
}
"""Epochs of the network: fewer than in the other benchmarks where those take minutes."""


def find_files(name: str, room: Path) -> tuple[str, Path, dict[str, Any]]:
    """Give the verb, what is trained on, and the options that name other parts."""
    if name == "EWT":
        train, valid, test = (
            EWT / f"en_ewt-ud-{one}.conllu.gz" for one in ("train", "dev", "test")
        )
        return "tag", train, {"valid": valid, "test": test}
    if name == "sst_trees":
        train, valid, test = (DATA / name / f"{one}.txt.gz" for one in ("train", "dev", "test"))
        return "classify", train, {"valid": valid, "test": test}
    if name == "supernovae":
        sequences.write_folds(room, folds=1)
        return "classify", room / "train-0.csv", {"test": room / "test-0.csv", **sequences.ROLES}
    if name in ("GunPoint", "JapaneseVowels"):
        folder = DATA / f"tsc_{name}"
        return "classify", folder / f"{name}_TRAIN.ts.gz", {"test": folder / f"{name}_TEST.ts.gz"}
    train, parts = next(sources(name, DATA, room))
    header = ["data.reader.header=yes"] if train.suffix == ".tsv" else []
    return "classify", train, {**parts, "settings": header}


def measure(name: str, seed: int, epochs: int, room: Path) -> dict[str, Any]:
    """Train once, and score the members, their mixture, and what the run holds by default."""
    verb, train, options = find_files(name, room)
    settings = [*options.pop("settings", []), "hardware.threads=1", "mixture.use=always"]
    choices: list[Any] = []
    choose = pipeline.choose_members

    def note(*given: Any) -> Any:
        choices.append(given)
        return choose(*given)

    pipeline.choose_members = note
    out = room / "run"
    shutil.rmtree(out, ignore_errors=True)
    try:
        ensue.train(verb, train, epochs=epochs, seed=seed, out=out, settings=settings, **options)
        forced = json.loads((out / "result.json").read_text())
        with Run.resume(out) as run:
            use = {**run.about["settings"], "mixture": {"use": "auto"}}
            run.describe({"settings": use})
            run.remove("result.json", "report.md", "report.html")
        api.resume(out)
    finally:
        pipeline.choose_members = choose
    held = json.loads((out / "result.json").read_text())
    models = choices[0][0]
    alone = [models.losses((one,), np.ones((1, 1))).mean() for one in range(models.count)]
    rows = {row["name"]: row for row in forced["rows"]}
    # The network is last of those that the validation part compares, and before the mixture.
    names = [row["name"] for row in forced["rows"][:-1]]
    found = {one: score(rows[one]) for one in (*names, "mixture")}
    chosen = held["rows"][-1]["name"]
    return {
        "best": names[int(np.argmin(alone))],
        "scores": found,
        "held": chosen,
        "held score": score(held["rows"][-1]),
        "selected": [one for one in held["selected"] if one.startswith("the model of the run")],
    }


def score(row: dict[str, Any]) -> float:
    """Get the share of labels or tags that are right."""
    return row["metrics"].get("tag_accuracy", row["metrics"].get("accuracy"))


def describe(name: str, found: list[dict[str, Any]]) -> list[str]:
    """Lay out the means over seeds, and what the runs hold."""

    def mean(values: list[float]) -> str:
        spread = f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else ""
        return f"{np.mean(values):.3f}{spread}"

    best = [one["scores"][one["best"]] for one in found]
    mixture = [one["scores"]["mixture"] for one in found]
    apart = [100 * (a - b) for a, b in zip(mixture, best, strict=True)]
    return [
        name,
        ", ".join(dict.fromkeys(one["best"] for one in found)),
        mean(best),
        mean(mixture),
        f"{np.mean(apart):+.1f} ({', '.join(f'{one:+.1f}' for one in apart)})",
        ", ".join(one["held"] for one in found),
        mean([one["held score"] for one in found]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(EPOCHS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    rows = []
    for name in options.names:
        found = []
        for seed in range(1, options.seeds + 1):
            with tempfile.TemporaryDirectory() as room:
                found.append(measure(name, seed, options.epochs or EPOCHS[name], Path(room)))
            print(name, seed, json.dumps(found[-1]), flush=True)
        rows.append(describe(name, found))
        print(f"| {' | '.join(rows[-1])} |", flush=True)
    head = [
        "data",
        "best member",
        "its accuracy",
        "mixture",
        "difference, points",
        "held",
        "its accuracy",
    ]
    lines = [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]]
    lines += ["", f"By {conditions()}."]
    print("\n".join(lines))
    if options.write:
        write_table("mixtures", lines)


if __name__ == "__main__":
    main()
