"""Walk-forward scores of forecasters on public series, by `ensue train forecast`.

    python benchmarks/forecasting.py air [MODEL ...]     air_passengers: the last 36 months, 6 from each origin
    python benchmarks/forecasting.py etth1 [MODEL ...]   the standard split of 12, 4 and 4 months,
    96 hours ahead
    python benchmarks/forecasting.py m3 [MODEL ...]      the yearly and the quarterly series of M3, one origin each
    python benchmarks/forecasting.py unequal [MODEL ...] four quarterly series of M3, of 72 to 32
    steps, both ways
    python benchmarks/forecasting.py few                 how often intervals hold for single short series, ridge

MODEL is as after `--model`; ridge if none is given. Networks are trained with three seeds. Columns
are means over the test; "mse" is of values scaled by the spread of the training part. AutoETS and
AutoTheta need the extra `series`. The data is looked for in the folder that ENSUE_DATA names, or in
../shared/data.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ensue

DATA = Path(os.environ.get("ENSUE_DATA", Path(__file__).parents[2] / "shared" / "data"))
FIGURES = ("mase", "smape", "mse", "crps", "coverage_80", "coverage_95")
MINUTES = 3.0
ETTH1 = (
    "backtest.test=2880",
    "backtest.validation_steps=2880",
    "backtest.context_length=336",
    "backtest.stride=1",
    "baselines.statistical=[]",
)


def train(
    data: Path, model: str, seed: int, horizon: int, settings: tuple[str, ...]
) -> dict[str, Any]:
    """Train in a folder of its own, and give the result."""
    with tempfile.TemporaryDirectory() as folder:
        choices: dict[str, Any] = {
            "model": model,
            "seed": seed,
            "horizon": horizon,
            "minutes": MINUTES,
        }
        run = ensue.train(
            "forecast", data, out=Path(folder) / "run", settings=settings, **choices
        ).run
        return json.loads(run.read("result.json"))


def show(
    title: str, data: Path, models: list[str], horizon: int, settings: tuple[str, ...]
) -> None:
    """Print the table: the baselines of the first training, and each model and seed."""
    print(
        f"\n{title}\n\n| model | MASE [95 %] | {' | '.join(FIGURES[1:])} | seconds |\n"
        + "|---" * 8
        + "|"
    )
    for place, model in enumerate(models):
        networks = model not in ("ridge", "boosting")
        for seed in (1, 2, 3) if networks else (1,):
            began = time.perf_counter()
            result = train(data, model, seed, horizon, settings)
            rows = result["rows"] if not place and seed == 1 else result["rows"][-1:]
            for row in rows:
                own = row is rows[-1]
                name = (
                    f"**{row['name']}**" + (f", seed {seed}" if networks else "")
                    if own
                    else row["name"]
                )
                interval = "{:.3f} to {:.3f}".format(*row["intervals"]["mase"])
                figures = " | ".join(f"{row['metrics'][figure]:.4g}" for figure in FIGURES[1:])
                print(
                    f"| {name} | {row['metrics']['mase']:.3f} [{interval}] | {figures} | "
                    f"{row['seconds']:.1f} |"
                )
            sys.stdout.flush()
            whole = time.perf_counter() - began
            print(f"<!-- {whole:.0f} s in all, {result['recommendation']} -->", file=sys.stderr)


def air(models: list[str]) -> None:
    settings = ("backtest.test=36", "backtest.stride=1")
    show("air_passengers", DATA / "air_passengers" / "airline-passengers.csv", models, 6, settings)


def write_etth1(folder: Path) -> Path:
    """Write the 20 months of the standard split."""
    path = folder / "etth1.csv"
    with gzip.open(DATA / "etth1" / "ETTh1.csv.gz", "rt", encoding="utf-8") as file:
        lines = [line for _, line in zip(range(1 + 14_400), file, strict=False)]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def etth1(models: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        show("etth1", write_etth1(Path(folder)), models, 96, ETTH1)


def m3(models: list[str]) -> None:
    for name, horizon, season in (("yearly", 6, 1), ("quarterly", 8, 4)):
        path = DATA / "m3_yearly_quarterly" / f"m3_{name}.csv.gz"
        settings = (
            f"backtest.season_length={season}",
            f"backtest.test={horizon}",
            "baselines.time_limit=600",
        )
        show(f"m3 {name}", path, models, horizon, settings)


def unequal(models: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "unequal.csv"
        with gzip.open(
            DATA / "m3_yearly_quarterly" / "m3_quarterly.csv.gz", "rt", encoding="utf-8"
        ) as file:
            head, *lines = file
        lengths = [int(line.split(",")[1]) for line in lines]
        settings = ("backtest.season_length=4", "backtest.test=8", "baselines.statistical=[]")
        for order in ((72, 60, 44, 32), (32, 44, 60, 72)):
            chosen = [lines[lengths.index(length)] for length in order]
            path.write_text("".join([head, *chosen]), encoding="utf-8")
            show(f"m3 quarterly, of {order} steps", path, models, 4, settings)


SHORT = {
    "quarterly": ("quarterly", 44, 12, 4, 4),
    "quarterly_2": ("quarterly", 44, 12, 2, 4),
    "yearly": ("yearly", 34, 8, 3, 1),
    "daily": ("daily", 120, 100, 7, 7),
}
"""Short series: of which set, the least length, one in so many, the horizon and the season."""


def short_series(group: str) -> Iterator[tuple[int, int, list[str]]]:
    """Yield the horizon, the season and the values of each series of a group."""
    name, least, every, horizon, season = SHORT[group]
    if name == "daily":
        path = DATA / "daily_min_temperatures" / "daily-min-temperatures.csv"
        values = [line.split(",")[1] for line in path.read_text(encoding="utf-8").split()[1:]]
        rows = [values[begin : begin + least] for begin in range(0, 3500, every)]
    else:
        m3 = DATA / "m3_yearly_quarterly" / f"m3_{name}.csv.gz"
        with gzip.open(m3, "rt", encoding="utf-8") as file:
            every_row = [line.strip().split(",")[6:] for line in file][1:]
        rows = [row for row in every_row if len(row) >= least][::every]
    for row in rows:
        yield horizon, season, row


def few(_: list[str]) -> None:
    """Learn one short series after the other; the test of each is two horizons."""
    for group in SHORT:
        series = list(short_series(group))
        held = dict.fromkeys(("coverage_80", "coverage_95"), 0.0)
        for horizon, season, one in series:
            settings = (
                f"backtest.season_length={season}",
                f"backtest.test={2 * horizon}",
                "baselines.statistical=[]",
            )
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "one.csv"
                rows = [f"{step},{value}" for step, value in enumerate(one)]
                path.write_text("\n".join(["ds,y", *rows]), encoding="utf-8")
                metrics = train(path, "ridge", 1, horizon, settings)["metrics"]
            held = {figure: share + metrics[figure] / len(series) for figure, share in held.items()}
        shares = " | ".join(f"{share:.2f}" for share in held.values())
        print(f"| {len(series)} {group}, {series[0][0]} ahead | {shares} |", flush=True)


if __name__ == "__main__":
    {"air": air, "etth1": etth1, "m3": m3, "unequal": unequal, "few": few}[sys.argv[1]](
        sys.argv[2:] or ["ridge"]
    )
