"""What a run of `forecast` is asked later: new rows go on from what it learned, and nothing is
left out unsaid."""

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ensue
from ensue.cli.main import main

QUICK = ["--set", "baselines.statistical=[]", "--horizon", "3", "--season", "4"]


def value(name: str, step: int) -> float:
    return round(
        100 + 7 * len(name) + step + 9 * math.sin(step * math.pi / 2) + math.sin(3.7 * step), 3
    )


def month(step: int) -> str:
    return f"{2015 + step // 12}-{step % 12 + 1:02d}-01"


def write(path: Path, spans: dict[str, range], ids: dict[str, str] | None = None) -> Path:
    rows = [
        f"{(ids or {}).get(name, name)},{month(step)},{value(name, step)}"
        for name, of in spans.items()
        for step in of
    ]
    path.write_text("unique_id,ds,y\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def trained(
    folder: Path, spans: dict[str, range], ids: dict[str, str] | None = None, *flags: str
) -> Path:
    data = write(folder / "data.csv", spans, ids)
    assert main(["train", "forecast", str(data), "--out", str(folder / "run"), *QUICK, *flags]) == 0
    return folder / "run"


def asked(capsys: pytest.CaptureFixture[str], *command: str) -> tuple[list[dict[str, Any]], str]:
    capsys.readouterr()
    assert main([*command, "--json"]) == 0
    out, err = capsys.readouterr()
    return [json.loads(line) for line in out.splitlines()], err


SPANS = {"a": range(60), "bb": range(30, 60), "ccc": range(60)}


@pytest.mark.parametrize("new", [range(60, 61), range(60, 70), range(55, 70)])
def test_new_rows_go_on_from_what_was_learned(
    new: range, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A forecast from new rows alone, also of rows that overlap, is that from the whole series."""
    run = trained(tmp_path, SPANS)
    rows = write(tmp_path / "new.csv", {"a": new, "bb": new})
    whole = write(tmp_path / "whole.csv", {"a": range(new.stop), "bb": range(30, new.stop)})
    told, err = asked(capsys, "forecast", str(run), str(rows))
    assert told == asked(capsys, "forecast", str(run), str(whole))[0]
    assert [one["series"] for one in told] == ["a", "bb"]
    assert told[0]["times"][0] == month(new.stop)
    assert not err


def test_rows_that_do_not_go_on_are_series_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tmp_path, SPANS)
    told, err = asked(
        capsys,
        "forecast",
        str(run),
        str(write(tmp_path / "b.csv", {"other": range(60, 80), "a": range(60, 62)})),
    )
    assert [one["series"] for one in told] == ["other", "a"]
    assert err == "series that the run was not trained on: 'other'\n"


def test_a_gap_after_what_was_learned_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tmp_path, SPANS)
    rows = write(tmp_path / "b.csv", {"a": range(62, 80), "bb": range(60, 80)})
    told, err = asked(capsys, "forecast", str(run), str(rows))
    assert [one["series"] for one in told] == ["a", "bb"]
    assert (
        "which do not continue those of the run: 'a' (from 2020-03-01, known to 2019-12-01)\n"
        in err
    )
    assert "'bb'" not in err


def test_a_single_series_goes_on_whatever_it_is_called_unless_it_is_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tmp_path, {"a": range(60)})
    rows = write(tmp_path / "b.csv", {"a": range(55, 66)}, {"a": "new"})
    (told,), err = asked(capsys, "forecast", str(run), str(rows))
    assert not err  # it was learned from
    (same,), _ = asked(
        capsys, "forecast", str(run), str(write(tmp_path / "c.csv", {"a": range(66)}))
    )
    assert (told["series"], told["median"]) == ("new", same["median"])
    other = write(tmp_path / "d.csv", {"another": range(50, 80)})
    (told,), err = asked(capsys, "forecast", str(run), str(other))
    assert told["series"] == "another"
    assert "series that the run was not trained on: 'another'" in err
    # Its own rows alone: what was learned of another series is not put before them.
    model = ensue.open(run)
    (answer,) = model.answer(model.make_request(), other)
    assert len(answer.past[0]) == 30


@pytest.mark.parametrize(
    ("learned", "later"),
    [("1", "1.0"), ("1", "001"), ("001", "1"), ("1.0", "1"), ("01", "1.0"), ("12e3", "12000")],
)
def test_ids_that_are_the_same_number_are_the_same_series(
    learned: str, later: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tmp_path, SPANS, {"a": learned, "bb": "2"})
    rows = write(tmp_path / "new.csv", {"a": range(60, 64)}, {"a": later})
    (told,), err = asked(capsys, "forecast", str(run), str(rows))
    assert (told["series"], err) == (learned, "")
    (same,), _ = asked(
        capsys,
        "forecast",
        str(run),
        str(write(tmp_path / "c.csv", {"a": range(64)}, {"a": learned})),
    )
    assert told["median"] == same["median"]
    (figures,), _ = asked(capsys, "evaluate", str(run), str(rows))
    assert (figures["details"]["forecasts"], figures["details"]["series"]) == (2, 1)


def test_ids_that_are_the_same_number_twice_are_told_apart_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tmp_path, SPANS, {"a": "1", "bb": "001"})
    rows = write(
        tmp_path / "new.csv", {"a": range(60, 64), "bb": range(60, 64)}, {"a": "1", "bb": "001"}
    )
    assert [one["series"] for one in asked(capsys, "forecast", str(run), str(rows))[0]] == [
        "1",
        "001",
    ]
    rows = write(tmp_path / "new.csv", {"a": range(60, 64)}, {"a": "1.0"})
    assert main(["forecast", str(run), str(rows)]) == 2
    assert (
        f"ensue: {rows}: every series is shorter than the 5 steps that a forecast needs"
        in capsys.readouterr().err
    )


def test_series_that_are_too_short_are_told_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the screen, in the report and in the result; and those that a forecast can be made of
    are forecast."""
    run = trained(tmp_path, SPANS | {"new": range(52, 60), "newest": range(58, 60)})
    told = "left out 2 series of fewer than "
    out, err = capsys.readouterr()
    for text in (out, err, (run / "report.md").read_text().replace("Series", "series")):
        assert told in text
        assert "steps: 'new', 'newest'" in text
    assert json.loads((run / "result.json").read_text())["details"]["skipped"] == ["new", "newest"]
    found, err = asked(capsys, "forecast", str(run))
    assert [one["series"] for one in found] == ["a", "bb", "ccc", "new", "newest"]
    assert found[-1]["skipped"] == "too short: 2 of the 5 steps that a forecast needs"
    assert err == "skipped series shorter than the 5 steps that a forecast needs: 'newest' (2)\n"
    # New rows make it long enough.
    (one,), _ = asked(
        capsys, "forecast", str(run), str(write(tmp_path / "b.csv", {"newest": range(60, 63)}))
    )
    assert (one["series"], one["times"][0]) == ("newest", month(63))
    with pytest.warns(
        UserWarning, match="skipped series shorter than the 5 steps that a forecast needs: 'newest'"
    ):
        assert len(ensue.open(run).forecast()) == 4


def test_series_that_are_too_short_to_be_scored_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tmp_path, SPANS)
    rows = write(tmp_path / "new.csv", {"a": range(60, 70), "bb": range(60, 62)})
    (figures,), _ = asked(capsys, "evaluate", str(run), str(rows))
    assert figures["details"]["skipped"] == [{"series": "bb", "steps": 2}]
    assert main(["evaluate", str(run), str(rows)]) == 0
    assert "skipped:" in capsys.readouterr().out


def test_an_estimator_forecasts_each_series_that_it_was_given(tmp_path: Path) -> None:
    from ensue.sklearn import Forecaster

    series = [np.array([value(name, step) for step in of]) for name, of in SPANS.items()]
    short = np.array([value("new", step) for step in range(52, 60)])
    told = Forecaster(horizon=3, season=4).fit([short, *series]).predict()
    assert len(told) == 4
    np.testing.assert_allclose(told[0], [value("new", step) for step in range(60, 63)], rtol=0.1)
    with pytest.raises(ValueError, match="series 1 has 2 steps, too few for a forecast; give 5"):
        Forecaster(horizon=3, season=4).fit([series[0], short[:2]])


def test_a_few_new_rows_have_the_frequency_of_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Five days from Monday to Friday, or one row, do not tell that weekends are left out."""
    days = np.arange("2024-01-01", "2024-06-01", dtype="datetime64[D]")
    days = days[np.is_busday(days)]

    def of(some: np.ndarray) -> str:
        return "ds,y\n" + "".join(
            f"{day},{day.astype(int) % 7 + day.astype(int) / 9:.3f}\n" for day in some
        )

    (tmp_path / "a.csv").write_text(of(days[:90]), encoding="utf-8")
    command = [
        "train",
        "forecast",
        str(tmp_path / "a.csv"),
        "--out",
        str(tmp_path / "run"),
        "--horizon",
        "3",
    ]
    assert main([*command, "--set", "baselines.statistical=[]"]) == 0
    for count in (1, 3, 8):
        (tmp_path / "a.csv").write_text(of(days[90 : 90 + count]), encoding="utf-8")
        (told,), _ = asked(capsys, "forecast", str(tmp_path / "run"), str(tmp_path / "a.csv"))
        assert told["times"] == [str(day) for day in days[90 + count : 93 + count]]


def of_prices(path: Path, steps: range, known_from: int) -> Path:
    rows = [
        f"{month(step)},{value('a', step) + step % 3 if step < known_from else ''},{step % 3}"
        for step in steps
    ]
    path.write_text("ds,y,price\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_rows_of_the_future_go_on_from_what_was_learned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Alone, after the last learned row, or after all of them: the forecast is the same."""
    data = of_prices(tmp_path / "a.csv", range(60), 60)
    columns = ["--target", "y", "--known-covariates", "price"]
    assert (
        main(["train", "forecast", str(data), "--out", str(tmp_path / "run"), *QUICK, *columns])
        == 0
    )
    told = [
        asked(capsys, "forecast", str(tmp_path / "run"), str(of_prices(data, range(first, 63), 60)))
        for first in (0, 59, 60)
    ]
    assert told[0] == told[1] == told[2]
    assert told[0][0][0]["times"] == [month(step) for step in range(60, 63)]
    assert not told[0][1]


@pytest.mark.parametrize("first", [50, 60])
@pytest.mark.parametrize("gone", [60, 61])
def test_a_gap_in_what_is_known_ahead_is_refused_by_row(
    gone: int, first: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows after it would be taken for the steps before them, as they were."""
    data = of_prices(tmp_path / "a.csv", range(60), 60)
    command = ["train", "forecast", str(data), "--out", str(tmp_path / "run"), *QUICK]
    command += ["--target", "y", "--known-covariates", "price"]
    assert main(command) == 0
    lines = of_prices(data, range(first, 65), 60).read_text().splitlines(keepends=True)
    del lines[1 + gone - first]
    data.write_text("".join(lines), encoding="utf-8")
    assert main(["forecast", str(tmp_path / "run"), str(data)]) == 2
    said = f"a.csv:{2 + gone - first}: a gap of 1 step of a month before {month(gone + 1)}"
    assert said in capsys.readouterr().err


def test_a_gap_in_what_is_known_ahead_is_filled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --fill previous, it is the row before once more."""
    data = of_prices(tmp_path / "a.csv", range(65), 60)
    whole = data.read_text()
    line = f"{month(62)},,{62 % 3}\n"
    command = [
        "train",
        "forecast",
        str(data),
        *QUICK,
        "--target",
        "y",
        "--known-covariates",
        "price",
        "--fill",
        "previous",
    ]
    told = []
    for name, text in {
        "gap": whole.replace(line, ""),
        "same": whole.replace(line, f"{month(62)},,{61 % 3}\n"),
    }.items():
        data.write_text(text, encoding="utf-8")
        assert main([*command, "--out", str(tmp_path / name)]) == 0
        told.append(asked(capsys, "forecast", str(tmp_path / name))[0][0]["median"])
    assert told[0] == told[1]


@pytest.mark.parametrize("horizon", ["0", "-1"])
def test_no_steps_are_no_forecast(
    horizon: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tmp_path, SPANS)
    assert main(["forecast", str(run), "--horizon", horizon]) == 2
    assert (
        f"--horizon cannot be '{horizon}': input should be greater than or equal to 1"
        in capsys.readouterr().err
    )
    with pytest.raises(ensue.errors.SettingError, match="'horizon' cannot be "):
        ensue.open(run).forecast(None, int(horizon))


def test_counts_have_no_interval_below_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """However far the calibration part moves it."""
    draws = np.random.default_rng(0)
    counts = draws.poisson(0.5, 120) * (draws.random(120) < 0.6)
    data = tmp_path / "a.csv"
    data.write_text(
        "t,y\n" + "".join(f"{step},{count}\n" for step, count in enumerate(counts)),
        encoding="utf-8",
    )
    command = [
        "train",
        "forecast",
        str(data),
        "--out",
        str(tmp_path / "run"),
        "--horizon",
        "3",
        "--model",
        "gru",
    ]
    command += [
        "--set",
        "model.head=negative_binomial",
        "--set",
        "training.steps=4",
        "--set",
        "sample_paths=40",
    ]
    assert main([*command, "--set", "baselines.statistical=[]", "--set", "model.body.width=4"]) == 0
    model = ensue.open(tmp_path / "run")
    model.conformal = type(model.conformal)({per_cent: [3.0] for per_cent in (80, 95)}, 5)
    (told,) = model.forecast()
    assert told.forecast["lo_95"].tolist() == [0, 0, 0]
    assert (told.forecast["hi_95"] > 0).all()
    kept = model.run.read_arrays("backtest.safetensors")
    assert kept["lo_95"].min() >= 0
    (told,), _ = asked(capsys, "forecast", str(tmp_path / "run"))
    assert min(told["lo_95"]) >= 0


@pytest.mark.parametrize(
    ("new", "plus", "said"),
    [
        (
            range(63, 75),
            0.0,
            "forecast from the given rows alone, which do not continue those of the run: 'a'",
        ),
        (
            range(40, 50),
            0.0,
            ("forecast from the end of the given rows, before that of the run: 'a' (to 2019-02-01"),
        ),
        (
            range(55, 66),
            9.0,
            "given values replace other values of the run at the same times",
        ),
    ],
)
def test_forecast_and_evaluate_tell_of_rows_that_do_not_fit(
    new: range, plus: float, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gap, an end before what was learned, other values at learned times: each is told by both
    commands."""
    run = trained(tmp_path, SPANS)
    rows = tmp_path / "new.csv"
    lines = [f"a,{month(step)},{value('a', step) + plus}" for step in new]
    rows.write_text("unique_id,ds,y\n" + "\n".join(lines) + "\n", encoding="utf-8")
    assert said in asked(capsys, "forecast", str(run), str(rows))[1]
    if new.stop > 60:
        assert main(["evaluate", str(run), str(rows)]) == 0
        assert said in capsys.readouterr().out
        assert (
            said in asked(capsys, "evaluate", str(run), str(rows))[0][0]["details"]["warnings"][0]
        )
    else:
        assert main(["evaluate", str(run), str(rows)]) == 2
        assert "'a' has 50 steps, 0 of them new" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (["61", "62", "63"], "the times are integers, but dates in training"),
        (["60"], "the times are integers, but dates in training"),
        (
            [f"2020-01-{day:02d}" for day in range(1, 9)],
            "a step is a day, but a month in training",
        ),
    ],
)
def test_rows_of_another_kind_are_refused(
    times: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both where a run is asked, and where a file is to be its test: days are no months, and
    integers no dates."""
    run = trained(tmp_path, SPANS)
    new = tmp_path / "new.csv"
    new.write_text(
        "unique_id,ds,y\n" + "".join(f"{n},{t},5\n" for n in SPANS for t in times), encoding="utf-8"
    )
    train = [
        "train",
        "forecast",
        str(tmp_path / "data.csv"),
        "--out",
        str(tmp_path / "other"),
        "--test",
        str(new),
    ]
    for command in (
        ["forecast", str(run), str(new)],
        ["evaluate", str(run), str(new)],
        [*train, *QUICK],
    ):
        capsys.readouterr()
        assert main(command) == 2
        assert said in capsys.readouterr().err


def test_the_standard_input_is_read_as_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained(tmp_path, {"a": range(60)})
    rows = write(tmp_path / "data.csv", {"a": range(58, 66)})
    wanted = asked(capsys, "forecast", str(run), str(rows))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(rows.read_bytes())))
    assert asked(capsys, "forecast", str(run), "-") == wanted
    monkeypatch.setattr(
        "sys.stdin", io.TextIOWrapper(io.BytesIO(b"unique_id,ds,y\na,2020-01-01,4x0\n"))
    )
    assert main(["forecast", str(run), "-"]) == 2
    assert "-:2: '4x0' in the column 'y' is not a valid number" in capsys.readouterr().err
    assert main(["forecast", str(run), "-x"]) == 2
    assert "Unknown option: -x" in capsys.readouterr().err
