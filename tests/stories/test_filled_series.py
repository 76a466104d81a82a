"""Series with holes, late starts and saved indices: nothing that nobody measured is a series, or
a truth."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ensue
from ensue.cli.main import main
from ensue.data.contract import Finding, Listener
from ensue.data.series.panel import Panel, SeriesSettings
from ensue.data.tables.series import read_panel
from ensue.evaluation.forecasting.conformal import UNCALIBRATED, ConformalIntervals
from ensue.evaluation.forecasting.metrics import compute_scales
from ensue.models.distributions import Normals, select


def value(name: str, step: int) -> float:
    wobble = math.sin(12.9898 * (step + 31 * ord(name))) * 43758.5453
    return round(100 + ord(name) + step + 10 * math.sin(step * math.pi / 6) + wobble % 1, 2)


def month(step: int) -> str:
    return f"{2015 + step // 12}-{step % 12 + 1:02d}-01"


def write(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text(header + "\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def tables(folder: Path, late: range, early: range) -> tuple[Path, Path]:
    """Write two series wide, the cells of one empty before it begins and after it ends, and the
    same long."""
    wide = [
        f"{month(step)},{value('a', step)},{value('b', step) if step in early else ''}"
        for step in late
    ]
    long = [
        f"{name},{month(step)},{value(name, step)}"
        for name, steps in (("a", late), ("b", early))
        for step in steps
    ]
    return write(folder / "wide.csv", "date,a,b", wide), write(
        folder / "long.csv", "unique_id,ds,y", long
    )


def panel_of(path: Path, **settings: Any) -> tuple[Panel, list[str]]:
    found: list[Finding] = []
    return read_panel([path], SeriesSettings(**settings), Listener(found.append)), [
        one.what for one in found
    ]


@pytest.mark.parametrize("fill", ["", "previous", "zero"])
@pytest.mark.parametrize("steps", [range(40, 84), range(70), range(40, 70)])
def test_wide_and_long_are_the_same_series(fill: str, steps: range, tmp_path: Path) -> None:
    wide, long = tables(tmp_path, range(84), steps)
    (one, told), (other, _) = panel_of(wide, fill=fill), panel_of(long, fill=fill)
    for left, right in zip(one.series, other.series, strict=True):
        assert left.name == right.name
        np.testing.assert_array_equal(left.times, right.times)
        np.testing.assert_array_equal(left.values, right.values)
        assert not left.filled.any()
    assert len(one.series[1]) == len(steps)
    begun = f"'b' from {month(steps[0])} to {month(steps[-1])}"
    assert f"empty steps before the first and after the last value are left out: {begun}" in told


def test_wide_and_long_give_the_same_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for path in tables(tmp_path, range(84), range(40, 70)):
        flags = [
            "--fill",
            "previous",
            "--set",
            "baselines.statistical=[]",
            "--json",
            "--horizon",
            "6",
        ]
        assert (
            main(["train", "forecast", str(path), "--out", str(path.with_suffix("")), *flags]) == 0
        )
        result = json.loads(capsys.readouterr().out.splitlines()[-1])
        found.append((result["metrics"], result["baselines"], result["details"]))
    assert found[0] == found[1]


def test_several_numbers_of_a_step_are_learned_where_all_are_there(tmp_path: Path) -> None:
    rows = [
        f"{step},{step if step < 50 else ''},{2 * step if step >= 10 else ''},{step}"
        for step in range(60)
    ]
    path = write(tmp_path / "a.csv", "t,x,y,push", [*rows, "60,,,60", "61,,,61"])
    panel, _ = panel_of(path, target=("x", "y"), known_covariates=("push",), fill="previous")
    (one,) = panel.series
    assert (one.times.tolist(), one.values.tolist()) == (
        list(range(10, 50)),
        [[t, 2 * t] for t in range(10, 50)],
    )
    assert one.known[:, 0].tolist() == list(range(10, 62))


def filled_in(steps: dict[int, float | None], how: str, folder: Path) -> Panel:
    rows = [f"{step},{'' if number is None else number}" for step, number in steps.items()]
    return panel_of(write(folder / "a.csv", "t,y", rows), fill=how)[0]


@pytest.mark.parametrize(
    ("how", "expected"), [("previous", [3.0, 3, 3, 5, 5, 6]), ("zero", [3.0, 0, 0, 5, 0, 6])]
)
def test_a_fill_stays_between_the_first_value_and_the_last(
    how: str, expected: list[float], tmp_path: Path
) -> None:
    panel = filled_in(
        {0: None, 1: None, 2: 3, 3: None, 5: 5, 6: None, 7: 6, 8: None}, how, tmp_path
    )
    (one,) = panel.series
    assert one.times.tolist() == [2, 3, 4, 5, 6, 7]
    assert one.values[:, 0].tolist() == expected
    assert one.filled[:, 0].tolist() == [False, True, True, False, True, False]
    again = Panel.of(panel.streams("series"), "series", panel.to_json()).series[0]
    np.testing.assert_array_equal(again.filled, one.filled)
    assert one.until(3).filled[:, 0].tolist() == [False, True, True]


@pytest.mark.parametrize("model", ["ridge", "linear", "boosting"])
def test_filled_steps_are_no_truth(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What they are filled with changes no figure by itself: zero and previous are scored on the
    same steps."""
    holes = {5, 20, 21, 37, 64, 65, 70, 71, 76, 77, 81}
    rows = [f"{month(step)},{'' if step in holes else value('a', step)}" for step in range(84)]
    path = write(tmp_path / "a.csv", "ds,y", rows)
    flags = [
        "--fill",
        "zero",
        "--horizon",
        "3",
        "--model",
        model,
        "--set",
        "baselines.statistical=[]",
        "--set",
        "epochs=1",
    ]
    assert main(["train", "forecast", str(path), "--out", str(tmp_path / "run"), *flags]) == 0
    assert (
        "a.csv: filled with zero: 11 of 'a'; metrics exclude these steps" in capsys.readouterr().err
    )
    run = ensue.open(tmp_path / "run")
    prepared = run.prepared
    at = prepared.origins("test")
    target = prepared.inputs("standard").targets(at)[:, :, 0]
    steps = at[:, 1:] + np.arange(3)
    np.testing.assert_array_equal(np.isnan(target), np.isin(steps, list(holes)))
    y = np.array([np.nan if step in holes else value("a", step) for step in range(84)])
    begin = 84 - prepared.layout.test
    scale = np.nanmean(np.abs(y[12:begin] - y[: begin - 12]))
    assert compute_scales(prepared, at).naive[0, 0] == pytest.approx(scale)
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    # Naive says what stands there, zero where that was filled in, and is scored by what came.
    last = np.nan_to_num(y)[at[:, 1] - 1]
    missed = np.abs(last[:, None] - y[steps]) / scale
    assert result["baselines"]["naive"]["mase"] == pytest.approx(np.nanmean(missed))
    naive = next(row for row in result["rows"] if row["name"] == "naive")
    assert naive["metrics"]["mase"] == pytest.approx(np.nanmean(missed))
    assert all(0 <= row["metrics"]["coverage_95"] <= 1 for row in result["rows"])


@pytest.mark.parametrize("count", [4, 200])
def test_a_forecast_of_filled_steps_moves_no_interval(count: int) -> None:
    """NaN, what nobody measured, is as if it had not been forecast."""
    draws = np.random.default_rng(0)
    told = Normals(np.zeros((200, 3, 1)), np.ones((200, 3, 1)))
    target = draws.normal(size=(200, 3, 1))
    holes = draws.permutation(200)[:50]
    without = ConformalIntervals.fit(
        select(told, np.setdiff1d(np.arange(200), holes)), np.delete(target, holes, 0), count
    )
    target[holes] = np.nan
    assert ConformalIntervals.fit(told, target, count) == without
    target[:, 1] = np.nan
    assert np.isfinite(ConformalIntervals.fit(told, target, count).offsets[80]).all()
    assert ConformalIntervals.fit(told, np.full_like(target, np.nan), 0) == UNCALIBRATED


NUMBERED = {
    "pandas": "Unnamed: 0,date,sales",
    "no name": ",date,sales",
    "index": "index,date,sales",
    "level": "level_0,date,sales",
    "names of R": "rownames,date,sales",
    "a database": "id,date,sales",
    "parquet": "__index_level_0__,date,sales",
}


@pytest.mark.parametrize("name", NUMBERED)
def test_a_saved_index_is_no_series(name: str, tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        NUMBERED[name],
        [f"{step},{month(step)},{value('a', step)}" for step in range(72)],
    )
    panel, told = panel_of(path)
    assert (len(panel.series), panel.channels) == (1, ("sales",))
    assert panel.series[0].values[:3, 0].tolist() == [value("a", step) for step in range(3)]
    column = "without a name" if name == "no name" else repr(NUMBERED[name].split(",")[0])
    assert told == [f"the column {column} numbers the rows like a saved index, and is left out"]


def test_a_saved_index_that_is_out_of_order_or_starts_again_is_none_either(tmp_path: Path) -> None:
    rows = [f"{(7 * step) % 72},{month(step)},{value('a', step)}" for step in range(72)]
    assert len(panel_of(write(tmp_path / "a.csv", "Unnamed: 0,date,sales", rows))[0].series) == 1
    rows = [
        f"{step},{name},{month(step)},{value(name, step)}" for name in "ab" for step in range(40)
    ]
    panel, _ = panel_of(write(tmp_path / "b.csv", "Unnamed: 0,store,date,sales", rows))
    assert [one.name for one in panel.series] == ["a", "b"]


def test_what_only_looks_like_an_index_stays(tmp_path: Path) -> None:
    """A price index, numbers that were named with --target, and rows that nothing but their
    number orders."""
    rows = [f"{month(step)},{100 + step % 7},{value('a', step)}" for step in range(40)]
    assert len(panel_of(write(tmp_path / "a.csv", "date,index,sales", rows))[0].series) == 2
    rows = [f"{name},{month(step)},{value('a', step)}" for name in "12" for step in range(40)]
    assert len(panel_of(write(tmp_path / "d.csv", "id,date,sales", rows), id="id")[0].series) == 2
    rows = [f"{month(step)},{step}" for step in range(40)]
    panel, _ = panel_of(write(tmp_path / "b.csv", "date,index", rows), target=("index",))
    assert panel.series[0].values[:, 0].tolist() == list(range(40))
    rows = [f"{step},{value('a', step)}" for step in range(40)]
    for header in ("Unnamed: 0,sales", ",sales", "index,sales", "id,sales"):
        panel, _ = panel_of(write(tmp_path / "c.csv", header, rows))
        assert (len(panel.series), panel.series[0].times.tolist()) == (1, list(range(40)))


def test_check_tells_of_series_as_they_are_learned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide, _ = tables(tmp_path, range(84), range(40, 70))
    assert main(["check", str(wide), "--task", "forecast", "--json"]) in (0, 1)
    report = json.loads(capsys.readouterr().out)
    row = next(row for row in report["series"] if row["series"] == "b")
    assert (row["steps"], row["from"], row["missing"]) == (30, month(40), 0)
    assert "'b' from 2018-05-01 to 2020-10-01" in json.dumps(report, ensure_ascii=False)


@pytest.mark.parametrize("role", ["past", "known"])
def test_no_value_of_a_column_beside_is_invented_before_its_first(
    role: str, tmp_path: Path
) -> None:
    """With --fill previous a series begins where such a column does; what is filled after that
    is told."""
    rows = [
        f"{step},{step * step},{'' if step < 8 or step == 11 else 500 + step}"
        for step in range(40)
        if step != 20
    ]
    path = write(tmp_path / "a.csv", "t,y,push", rows)
    columns = {f"{role}_covariates": ("push",)}
    panel, told = panel_of(path, target=("y",), **columns, fill="previous")
    (one,) = panel.series
    assert one.times.tolist() == list(range(8, 40))
    assert getattr(one, role)[:5, 0].tolist() == [508, 509, 510, 510, 512]
    assert (
        "empty steps before the first and after the last value are left out: 'a' from 8 to 39"
        in told
    )
    assert "filled in the same way, in covariates: 2 of 'push'" in told
    zero = panel_of(path, target=("y",), **columns, fill="zero")[0].series[0]
    assert getattr(zero, role)[6:13, 0].tolist() == [0, 0, 508, 509, 510, 0, 512]


def test_check_knows_the_usual_names_of_numbered_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{name},{step},{step % 7}" for name in "ab" for step in range(40)]
    assert main(["check", str(write(tmp_path / "a.csv", "unique_id,ds,y", rows))]) == 0
    assert "Checked as data for `ensue train forecast`: 'ds' holds times" in capsys.readouterr().out
