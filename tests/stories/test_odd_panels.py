"""Panels with series of which little or nothing can be learned: they train, or are refused in
one line."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from ensue.cli.main import main


def month(step: int) -> str:
    return f"{2015 + step // 12}-{step % 12 + 1:02d}-01"


def value(step: int) -> int:
    return round(100 + step + 9 * math.sin(step * math.pi / 6) + 3 * math.sin(7.7 * step))


def long(spans: dict[str, range]) -> list[str]:
    return [f"{name},{month(step)},{value(step)}" for name, of in spans.items() for step in of]


LONG, WIDE = "unique_id,ds,y", "date,a,b"
ALL = range(84)
LEARNED = {
    "a constant series": (LONG, [*long({"a": ALL}), *(f"b,{month(step)},5" for step in ALL)], ""),
    "a series of zeros": (LONG, [*long({"a": ALL}), *(f"b,{month(step)},0" for step in ALL)], ""),
    "constant series alone": (
        LONG,
        [f"{name},{month(step)},{ord(name)}" for name in "ab" for step in ALL],
        "",
    ),
    "an empty column": (
        WIDE,
        [f"{month(step)},{value(step)}," for step in ALL],
        "left out series without any value: 'b'",
    ),
    "an empty series": (
        LONG,
        [*long({"a": ALL}), *(f"b,{month(step)}," for step in ALL)],
        "left out series without any value: 'b'",
    ),
    "a single value": (
        LONG,
        [*long({"a": ALL}), f"b,{month(3)},5"],
        "left out 1 series of fewer than 25 steps: 'b'",
    ),
    "a single cell": (
        WIDE,
        [f"{month(step)},{value(step)},{5 if step == 30 else ''}" for step in ALL],
        "'b' from 2017-07-01 to 2017-07-01",
    ),
}
LEARNED["the same times"] = (
    LONG,
    [f"{name},{month(step)},{value(step)}" for step in ALL for name in "ab"],
    "",
)


@pytest.mark.parametrize("model", ["ridge", "linear", "gru", "counts", "boosting"])
@pytest.mark.parametrize("case", LEARNED)
def test_panels_that_are_learned(
    case: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header, rows, told = LEARNED[case]
    data, run = tmp_path / "a.csv", tmp_path / "run"
    data.write_text(header + "\n" + "\n".join(rows) + "\n", encoding="utf-8")
    flags = [
        "--model",
        "gru" if model == "counts" else model,
        "--set",
        "baselines.statistical=[]",
        "--set",
        "sample_paths=20",
    ]
    flags += ["--set", "training.steps=2"] + ["--set", "model.body.width=4"] * (
        model in ("gru", "counts")
    )
    flags += ["--set", "model.head=negative_binomial"] * (model == "counts")
    flags += ["--set", "model.trees=3"] * (model == "boosting")
    assert main(["train", "forecast", str(data), "--out", str(run), *flags]) == 0
    assert told in capsys.readouterr().err
    result = json.loads((run / "result.json").read_text())
    assert (
        result["details"]["layout"]["window"] >= 24
    )  # a short series does not take the past from the others
    assert main(["forecast", str(run), "--json"]) == 0
    for line in capsys.readouterr().out.splitlines():
        if "skipped" not in (one := json.loads(line)):
            assert np.isfinite(one["median"]).all()
    assert main(["evaluate", str(run)]) == 0


REFUSED = {
    "no value": (
        "date,a",
        [f"{month(step)}," for step in ALL],
        [],
        "a.csv: series without any value: 'a'; give numbers",
    ),
    "no value in a number of a step": (
        "date,x,y",
        [f"{month(step)},{value(step)}," for step in ALL],
        ["--target", "x", "y"],
        "a.csv: series without any value: 'a' in 'y'; give numbers",
    ),
    "no value in a past column": (
        "ds,y,w",
        [f"{month(step)},{value(step)}," for step in ALL],
        ["--target", "y", "--past-covariates", "w", "--fill", "previous"],
        "a.csv: the column 'w' has no value; do not name it, or give its numbers",
    ),
    "one row": (
        "ds,y",
        ["2020-01-01,5"],
        [],
        "steps is longer than the longest series, which has 1; give a shorter",
    ),
    "single values": (
        LONG,
        [f"s{number},2020-01-01,{number}" for number in range(30)],
        [],
        "which has 1; give a",
    ),
    "twice in one series": (
        LONG,
        [*long({"a": ALL})[:9], *long({"a": ALL})[8:], *long({"b": ALL})],
        [],
        "a.csv:11: the time 2015-09-01 of 'a' occurs twice",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_panels_that_are_refused(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header, rows, flags, told = REFUSED[case]
    data, run = tmp_path / "a.csv", tmp_path / "run"
    data.write_text(header + "\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert main(["train", "forecast", str(data), "--out", str(run), *flags]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert told in lines[0]
    assert not run.exists()


@pytest.mark.parametrize("name", ["id", "Series_ID", "item_id", "unique_id"])
def test_numbers_are_ids_where_the_column_says_so(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"{one},north,{month(step)},{value(step)}" for one in (7, 12) for step in ALL]
    Path("a.csv").write_text("\n".join([f"{name},region,ds,y", *rows]) + "\n")
    assert main(["check", "a.csv", "--task", "forecast"]) == 0
    out, err = capsys.readouterr()
    lines = [line.split()[:2] for line in out.splitlines()]
    assert ["7", "84"] in lines
    assert ["12", "84"] in lines
    note = f"the column {name!r} is used as the id of the series; choose it with --id"
    assert (note in out + err) == (name != "unique_id")


def test_a_number_for_each_row_is_no_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"{10 + 3 * step},{month(step)},{value(step)}" for step in ALL]
    Path("a.csv").write_text("\n".join(["id,ds,y", *rows]) + "\n")
    assert main(["check", "a.csv", "--task", "forecast"]) == 0
    out, err = capsys.readouterr()
    assert ["a", "84"] in [line.split()[:2] for line in out.splitlines()]
    assert "unused column: 'id'" in out + err
