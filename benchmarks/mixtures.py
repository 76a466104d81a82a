"""The mixture of all models beside its best member, on the test parts of public data sets.

    python benchmarks/mixtures.py [NAME...] [--seeds 3] [--epochs N] [--write]
    python benchmarks/mixtures.py air unequal m3_yearly m3_quarterly etth1 short_quarterly short_yearly short_daily

Each training fits the baselines of its verb and the default network once. Then the run holds the
mixture (`mixture.use=always`), and what is chosen on the validation part (`auto`), without training
anew. The best member is the one with the lowest validation loss. Forecasts are compared by MASE; no
network is trained beside their models, so seeds change nothing; `short_...` are many series, each
trained alone, and their mean. AutoETS and AutoTheta need the extra `series`. Sets that have no test part of their own
are cut into five folds, of which the first is the test. The data is looked for in the folder that
ENSUE_DATA names, or in ../shared/data.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import forecasting
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


FORECASTS = {
    "air": (6, ["backtest.test=36", "backtest.stride=1"]),
    "unequal": (4, ["backtest.season_length=4", "backtest.test=8"]),
    "m3_yearly": (6, ["backtest.season_length=1", "backtest.test=6"]),
    "m3_quarterly": (8, ["backtest.season_length=4", "backtest.test=8"]),
    "etth1": (96, list(forecasting.ETTH1)),
}
"""Horizon and settings, those of benchmarks/forecasting.py."""


def find_series(name: str, room: Path) -> Path:
    """Give the file of a set of series."""
    m3 = DATA / "m3_yearly_quarterly"
    if name == "air":
        return DATA / "air_passengers" / "airline-passengers.csv"
    if name == "etth1":
        return forecasting.write_etth1(room)
    if name == "unequal":
        with gzip.open(m3 / "m3_quarterly.csv.gz", "rt", encoding="utf-8") as file:
            head, *lines = file
        lengths = [int(line.split(",")[1]) for line in lines]
        path = room / "unequal.csv"
        path.write_text("".join([head, *(lines[lengths.index(n)] for n in (72, 60, 44, 32))]))
        return path
    return m3 / f"{name}.csv.gz"


def forecast(path: Path, horizon: int, settings: list[str], room: Path) -> dict[str, Any]:
    """Fit all models; score them, their mixture, and what the run holds by default."""
    found: dict[str, Any] = {}
    choose = pipeline.choose_members
    for use in ("always", "auto"):
        choices = list[Any]()

        def note(held: Any, units: Any, settings: Any, seen: list[Any] = choices) -> Any:
            seen += [choose(held, units, settings), len(np.unique(units)) < held.fewest_units]
            return seen[0]

        pipeline.choose_members = note
        own = [*settings, "baselines.time_limit=3600", f"mixture.use={use}"]
        shutil.rmtree(room / "run", ignore_errors=True)
        try:
            # A number of epochs is no limit of time, so all models are fitted at each origin.
            how = {"horizon": horizon, "epochs": 1, "settings": own}
            ensue.train("forecast", path, out=room / "run", **how)
        finally:
            pipeline.choose_members = choose
        result = json.loads((room / "run" / "result.json").read_text())
        rows = {row["name"]: row["metrics"]["mase"] for row in result["rows"]}
        if use == "always":
            names = [name for name in rows if name != "mixture"]
            # The run's own model is the last of those that were compared.
            names = [*(one for one in names if one != "ridge"), "ridge"]
            found = {"best": names[choices[0].best], "scores": rows}
        held = result["rows"][-1]
        found |= {"held": held["name"], "held score": held["metrics"]["mase"]}
        found["selected"] = [
            one for one in result["selected"] if one.startswith("the model of the run")
        ]
        if choices[1]:
            break  # too few forecasts to choose: both are the same
    return found


def forecast_short(name: str, room: Path) -> dict[str, Any]:
    """Fit each series of a group alone; give the means."""
    every = []
    for horizon, season, values in forecasting.short_series(name.removeprefix("short_")):
        path = room / "one.csv"
        path.write_text("\n".join(["ds,y", *(f"{n},{one}" for n, one in enumerate(values))]))
        settings = [f"backtest.season_length={season}", f"backtest.test={2 * horizon}"]
        every.append(forecast(path, horizon, settings, room))
    every = [one for one in every if np.isfinite(one["scores"]["mixture"])]
    scores = {
        "best": float(np.mean([one["scores"][one["best"]] for one in every])),
        "mixture": float(np.mean([one["scores"]["mixture"] for one in every])),
    }
    held = float(np.mean([one["held score"] for one in every]))
    best = f"the best of each of {len(every)}"
    return {"best": best, "scores": {best: scores["best"], **scores}, "held": "mixture"} | {
        "held score": held,
        "selected": [],
    }


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
        choices.append(choose(*given))
        return choices[-1]

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
    rows = {row["name"]: row for row in forced["rows"]}
    # The network is last of those that the validation part compares, and before the mixture.
    names = [row["name"] for row in forced["rows"][:-1]]
    found = {one: score(rows[one]) for one in (*names, "mixture")}
    chosen = held["rows"][-1]["name"]
    return {
        "best": names[choices[0].best],
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


def describe_forecast(name: str, room: Path) -> list[str]:
    """Lay out the MASE of the best member, the mixture and what the run holds, and the others'."""
    if name in FORECASTS:
        horizon, settings = FORECASTS[name]
        found = forecast(find_series(name, room), horizon, settings, room)
    else:
        found = forecast_short(name, room)
    print(json.dumps(found), flush=True)
    best, mixture = (found["scores"][one] for one in (found["best"], "mixture"))
    figures = [f"{best:.3f}", f"{mixture:.3f}", f"{100 * (mixture / best - 1):+.1f} %"]
    return [name, found["best"], *figures, found["held"], f"{found['held score']:.3f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(EPOCHS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    rows = []
    for name in options.names:
        if name in FORECASTS or name.startswith("short_"):
            with tempfile.TemporaryDirectory() as room:
                print(f"| {' | '.join(describe_forecast(name, Path(room)))} |", flush=True)
            continue
        found = []
        for seed in range(1, options.seeds + 1):
            with tempfile.TemporaryDirectory() as room:
                found.append(measure(name, seed, options.epochs or EPOCHS[name], Path(room)))
            print(name, seed, json.dumps(found[-1]), flush=True)
        rows.append(describe(name, found))
        print(f"| {' | '.join(rows[-1])} |", flush=True)
    if not rows:
        return
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
