"""What is wrong with series is told in one line: where, what and the mend; exit code 2, nothing
left behind."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

import ensue
from ensue.cli.main import main

GOOD = [f"2024-01-{day:02d},{day % 7 + day / 10}" for day in range(1, 32)]


def changed(row: int, line: str, rows: list[str] = GOOD) -> str:
    return "ds,y\n" + "\n".join([*rows[:row], line, *rows[row + 1 :]]) + "\n"


def long(text: str) -> str:
    return "ds,y\n" + text


TABLES = {
    "nan": (
        changed(4, "2024-01-05,nan"),
        [],
        "data.csv:6: the target value at 2024-01-05 of 'data' is missing",
    ),
    "empty": (changed(4, "2024-01-05,"), [], "data.csv:6: the target value at 2024-01-05"),
    "inf": (
        changed(4, "2024-01-05,inf"),
        [],
        "data.csv:6: 'inf' in the column 'y' is not a valid number",
    ),
    "word": (
        changed(4, "2024-01-05,many"),
        [],
        "data.csv:6: 'many' in the column 'y' is not a valid number",
    ),
    "huge": (
        changed(4, "2024-01-05,1e300"),
        [],
        (
            "data.csv:6: '1e300' in the column 'y' is too large: numbers go up to 1e+100; write the "
            "column in a larger unit"
        ),
    ),
    "commas": (
        changed(4, '2024-01-05,"1,5"'),
        [],
        (
            "data.csv:6: '1,5' in the column 'y' is not a valid number; correct it, or "
            "leave the cell empty and give"
        ),
    ),
    "no words": (
        'ds,y\n2024-01-01,"a,5"\n',
        [],
        (
            "data.csv:2: there is no column of numbers: 'a,5' in the column 'y' is not a number; add "
            "one, or name it with --target"
        ),
    ),
    "day or month": (
        "ds,y\n" + "".join(f"{month:02d}/01/2024,{month}\n" for month in range(1, 13)),
        [],
        (
            "data.csv:2: '01/01/2024': does the day come first, or the month?; write dates "
            "as 2026-11-21, or give --set"
        ),
    ),
    "no header": (
        "\n".join(GOOD),
        [],
        "data.csv:1: the first row holds 2024-01-01, 1.1, which are not column names",
    ),
    "clocks put back": (
        long("".join(f"2024-10-27 {hour:02d}:00,3\n" for hour in (0, 1, 2, 2, 3, 4, 5))),
        [],
        (
            "data.csv:5: the time 2024-10-27 02:00:00 of 'data' occurs twice; keep one of "
            "the rows, or, if clocks"
        ),
    ),
    "clocks put forward": (
        long("".join(f"2024-03-31 {hour:02d}:00,3\n" for hour in (0, 1, 3, 4, 5))),
        [],
        "data.csv:4: a gap of 1 step of an hour before 2024-03-31 03:00:00",
    ),
    "holiday": (
        long(
            "".join(f"2024-01-{day:02d},{day}\n" for day in (1, 2, 3, 4, 5, 8, 9, 10, 12, 15, 16))
        ),
        [],
        (
            "data.csv:10: a gap of 1 step of a workday before 2024-01-12 of 'data'; add the "
            "rows, or give --fill previous"
        ),
    ),
    "no counts": (
        long("\n".join(GOOD)),
        ["--horizon", "2", "--model", "gru", "--set", "model.head=negative_binomial"],
        "data: 1.1 at 2024-01-01 is not a count, which the head needs; give counts, or another head",
    ),
    "valid": (
        long("\n".join(GOOD)),
        ["--valid", "data.csv"],
        "--valid: the test part would be cut from the validation file; give --test as well",
    ),
    "time": (changed(4, "soon,3"), [], "data.csv:6: 'soon' in the column 'ds' is not a time"),
    "twice": (
        changed(4, "2024-01-04,3"),
        [],
        "data.csv:6: the time 2024-01-04 of 'data' occurs twice",
    ),
    "order": (
        changed(4, "2024-01-02,3"),
        [],
        (
            "data.csv:6: the time 2024-01-02 of 'data' occurs twice; keep one of the rows, "
            "or, if clocks went back"
        ),
    ),
    "gap": (
        long("\n".join([*GOOD[:9], *GOOD[11:]])),
        [],
        "data.csv:11: a gap of 2 steps of a day before 2024-01-12",
    ),
    "between": (
        changed(4, "2024-01-05 12:00,3"),
        [],
        "data.csv:6: two frequencies: from 2024-01-04 to",
    ),
    "two": (
        long("\n".join([*GOOD, *(f"2024-{month:02d}-01,3" for month in range(3, 12))])),
        [],
        (
            "data.csv:33: two frequencies: from 2024-01-31 to 2024-03-01 in 'data', but "
            "the usual step"
        ),
    ),
    "two series": (
        "unique_id,ds,y\n"
        + "".join(f"a,2024-01-{day:02d},{day}\n" for day in range(1, 31))
        + "".join(f"b,2024-{month:02d}-01,{month}\n" for month in range(1, 13)),
        [],
        "two frequencies: a step of a month in 'b', but the usual step is a day; split",
    ),
    "horizon": (
        long("\n".join(GOOD)),
        ["--horizon", "40"],
        "the horizon of 40 steps is longer than the longest series",
    ),
    "short": (
        long("\n".join(GOOD[:3])),
        ["--horizon", "1"],
        "the longest series has 3 of 7 steps needed: ",
    ),
    "no time": (
        "name,y\na,3\n",
        [],
        "data.csv:2: none of the columns name, y holds times; add one: dates as 2026-11-21, or",
    ),
    "no number": (
        "ds,y\n2024-01-01,a\n",
        [],
        "no column of numbers: 'a' in the column 'y' is not a number; add one, or name it with --target",
    ),
    "no column": (
        long("\n".join(GOOD)),
        ["--target", "x"],
        "data.csv: there is no column 'x'; choose from ds, y",
    ),
    "several": (
        "unique_id,ds,a,b\nu,1,2,3\n",
        [],
        "several columns could be the target; name them",
    ),
    "freq": (
        long("\n".join(GOOD)),
        ["--freq", "fortnight"],
        "--freq: 'fortnight' is not a frequency; give one such as year",
    ),
    "other freq": (
        long("\n".join(GOOD)),
        ["--freq", "2 days"],
        "two frequencies: from 2024-01-01 to 2024-01-02",
    ),
    "integers": (
        "ds,y\n1,2\n2,3\n",
        ["--freq", "month"],
        "--freq: the times are integers, not months",
    ),
    "rows": ("ds,y\n", [], "data.csv: there are no rows"),
    "model": (
        long("\n".join(GOOD)),
        ["--model", "lsmt"],
        "--model: there is no model 'lsmt' for forecast; did you mean lstm?",
    ),
    "static_covariates": (
        "ds,y,kind\n" + "\n".join(f"{row},{'ab'[place > 5]}" for place, row in enumerate(GOOD)),
        ["--target", "y", "--static-covariates", "kind"],
        "data.csv:8: the static column 'kind' is 'b' here, but 'a' in the first row",
    ),
    "known_covariates": (
        "ds,y,price\n"
        + "\n".join(f"{row},{'' if place == 20 else 2}" for place, row in enumerate(GOOD)),
        ["--target", "y", "--known-covariates", "price"],
        "data.csv:22: the known covariate 'price' has no value in this row; fill it in",
    ),
    "m3": (
        "series,n,horizon,category,start_year,start_period,values...\nN1,3,6,X,1,1,4,5\n",
        [],
        "data.csv:2: the line has 2",
    ),
    "test": (
        long("\n".join(GOOD)),
        ["--set", "backtest.test=3", "--horizon", "7"],
        "a test of 3 steps is shorter than the horizon of 7",
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_wrong_tables(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text, flags, expected = TABLES[name]
    Path("data.csv").write_text(text, encoding="utf-8")
    assert main(["train", "forecast", "data.csv", "--out", "run", *flags]) == 2
    told = capsys.readouterr().err
    assert expected in told
    assert "Traceback" not in told
    assert told.rstrip().splitlines()[-1].startswith("ensue: ")
    assert not Path("run").exists()


def trained(folder: Path, text: str, *flags: str) -> int:
    (folder / "data.csv").write_text(text, encoding="utf-8")
    quick = ["--set", "baselines.statistical=[]", "--set", "epochs=1", "--set", "sample_paths=20"]
    return main(
        [
            "train",
            "forecast",
            str(folder / "data.csv"),
            "--out",
            str(folder / "run"),
            *quick,
            *flags,
        ]
    )


def test_gaps_are_filled_where_that_is_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        f"2024-01-{day:02d},{'' if day == 7 else day}"
        for day in range(1, 32)
        if day not in (15, 16)
    ]
    for how, expected in (("previous", [6.0, 14.0, 14.0]), ("zero", [0.0, 0.0, 0.0])):
        folder = tmp_path / how
        folder.mkdir()
        assert trained(folder, long("\n".join(rows)), "--fill", how, "--horizon", "2") == 0
        values = ensue.open(folder / "run").prepared.panel.series[0].values[:, 0]
        assert values[[6, 14, 15]].tolist() == expected
    capsys.readouterr()


SPOKEN = {
    "dots": ("{:%d.%m.%Y}", []),
    "day first": ("{:%d/%m/%Y}", []),
    "month first": ("{:%m/%d/%Y}", []),
    "names": ("{:%d %b %Y}", []),
    "compact": ("{:%Y%m%d}", []),
    "midnights": ("{:%Y-%m-%d} 00:00:00+02:00", []),
    "hours": ("{:%m/%d/%Y 00:00}", ["--set", "data.day_first=false"]),
}


@pytest.mark.parametrize("name", SPOKEN)
def test_tables_of_spreadsheets(name: str, tmp_path: Path) -> None:
    """Dates as they are written around the world, decimal commas, divided thousands, and rows
    that hold nothing."""
    form, flags = SPOKEN[name]
    days = [date(2024, 1, 1) + timedelta(days) for days in range(60)]
    numbers = [f"1.{100 + place % 7},{place % 10}" for place in range(60)]
    rows = [f"{form.format(day)};{number}" for day, number in zip(days, numbers, strict=True)]
    text = "Datum;Wert\n" + "\n".join(rows) + "\n;\n"
    assert trained(tmp_path, text, "--horizon", "2", "--set", "data.decimal=,", *flags) == 0
    series = ensue.open(tmp_path / "run").prepared.panel.series[0]
    assert series.times.astype("datetime64[D]").tolist() == days
    assert series.values[:3, 0].tolist() == [1100.0, 1101.1, 1102.2]


def test_working_days(tmp_path: Path) -> None:
    """Weekends are no gaps, holidays are filled where that is wanted, and what comes is on
    working days."""
    days = [date(2024, 1, 1) + timedelta(days) for days in range(100)]
    rows = [
        f"{day},{place % 5 + place / 50}"
        for place, day in enumerate(days)
        if day.weekday() < 5 and place != 30
    ]
    assert trained(tmp_path, long("\n".join(rows)), "--horizon", "3", "--fill", "previous") == 0
    model = ensue.open(tmp_path / "run")
    assert (model.prepared.panel.frequency.name, model.prepared.layout.season) == ("workday", 5)
    assert len(model.prepared.panel.series[0]) == 70 + 2
    told = model.forecast()[0].times.astype("datetime64[D]").tolist()
    assert told == [date(2024, 4, 10), date(2024, 4, 11), date(2024, 4, 12)]


def test_a_series_that_never_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "t,y\n" + "".join(f"{t},5\n" for t in range(60))
    for model in ("ridge", "linear", "gru"):
        folder = tmp_path / model
        folder.mkdir()
        assert trained(folder, text, "--horizon", "3", "--model", model) == 0
        out = capsys.readouterr().out
        assert "never changed" in out
        assert " MAE" in out  # for MASE is not defined
        assert main(["forecast", str(folder / "run"), "--json"]) == 0
        assert '"series": "data"' in capsys.readouterr().out


def test_short_series_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"a,{t},{np.sin(t):.3f}" for t in range(80)] + [f"b,{t},{t}" for t in range(3)]
    assert trained(tmp_path, "unique_id,ds,y\n" + "\n".join(rows) + "\n", "--horizon", "2") == 0
    assert "left out 1 series of fewer than" in capsys.readouterr().out
    later = tmp_path / "later.csv"
    later.write_text("unique_id,ds,y\na,1,2\n", encoding="utf-8")
    assert main(["forecast", str(tmp_path / "run"), str(later)]) == 2
    assert (
        f"ensue: {later}: every series is shorter than the 3 steps that a forecast needs"
        in capsys.readouterr().err
    )


def test_what_is_known_ahead_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "t,y,price\n" + "".join(f"{t},{np.sin(t):.3f},{t % 3}\n" for t in range(60))
    assert (
        trained(tmp_path, text, "--target", "y", "--known-covariates", "price", "--horizon", "3")
        == 0
    )
    capsys.readouterr()
    assert main(["forecast", str(tmp_path / "run")]) == 2
    assert (
        "the known covariates ('price') are missing at 60 of 'data'; give a file"
        in capsys.readouterr().err
    )
    more = tmp_path / "data2.csv"
    more.write_text(text + "60,,1\n61,,2\n", encoding="utf-8")
    assert main(["forecast", str(tmp_path / "run"), str(more), "--horizon", "2"]) == 0
    assert main(["forecast", str(tmp_path / "run"), str(more), "--horizon", "3"]) == 2
    assert "are missing at 62" in capsys.readouterr().err


def test_wrong_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert trained(tmp_path, long("\n".join(GOOD)), "--horizon", "2") == 0
    gap = tmp_path / "gap.csv"
    gap.write_text(long("\n".join([*GOOD[:9], *GOOD[11:]])), encoding="utf-8")
    for verb in ("forecast", "evaluate"):
        assert main([verb, str(run), str(gap)]) == 2
        assert capsys.readouterr().err.endswith(
            "a gap of 2 steps of a day before 2024-01-12 of 'gap'; add the rows\n"
        )
    other = tmp_path / "hours.csv"
    other.write_text(
        "ds,y\n" + "".join(f"2024-01-01 {hour:02d}:00,{hour}\n" for hour in range(24)),
        encoding="utf-8",
    )
    for line, expected in {
        f"forecast {run} --horizon 0": "--horizon cannot be '0': input should be greater than",
        f"forecast {run} --horizon 9": "--horizon: the model forecasts 2 steps at once, not 9",
        f"forecast {run} --plot here.bmp": "--plot: '.bmp' is not a supported image format",
        f"forecast {run} {other}": "a step is an hour, but a day in training",
        f"evaluate {run} {tmp_path / 'data.csv'}": "no series has 2 new steps to score after a context of",
        f"evaluate {run} --lines": "need a run of `generate`",
        f"train forecast {tmp_path / 'data.csv'} --test {tmp_path / 'data.csv'}": "data.csv: the file was given twice",
        f"train forecast {tmp_path / 'data.csv'} --test {other}": "a step is an hour, but a day in training",
        f"generate {run}": "the run was trained to forecast, not to generate; use it with `ensue forecast",
    }.items():
        capsys.readouterr()
        assert main(line.split()) == 2, line
        assert expected in capsys.readouterr().err


def test_a_series_that_never_changes_beside_another_has_no_share_in_mase(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table, the sentence, the result and the lines of series tell the same figure: that of
    the other series."""
    rows = [f"still,{t},5" for t in range(60)] + [
        f"moving,{t},{t % 4 + np.sin(t):.3f}" for t in range(60)
    ]
    assert (
        trained(tmp_path, "id,t,y\n" + "\n".join(rows) + "\n", "--horizon", "3", "--season", "4")
        == 0
    )
    out = capsys.readouterr().out
    what = "MASE excludes series that never changed between seasons before the test"
    assert f"{what}: 'still'" in out
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    mase, each = result["metrics"]["mase"], result["details"]["by_series"]
    assert (each["still"]["mase"], each["moving"]["mase"]) == (None, pytest.approx(mase))
    low, high = result["rows"][-1]["intervals"]["mase"]
    assert 0 < low <= mase <= high
    for name, row in zip([*result["baselines"], "ridge"], result["rows"], strict=True):
        assert row["name"] == name
        if result["recommendation"].startswith(f"{name} ("):
            assert result["recommendation"] == f"{name} ({row['metrics']['mase']:.3f} MASE)"
            break
    else:
        raise AssertionError(result["recommendation"])
    assert f"{mase:#.4g}" in out
    assert main(["evaluate", str(tmp_path / "run"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["mase"] == mase
