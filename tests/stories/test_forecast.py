"""Forecast, from a file to what comes next, through the command line and from Python."""

import json
import math
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import narwhals
import numpy as np
import pyarrow
import pytest

import ensue
from ensue.cli.main import main

MODELS = {
    "ridge": [],
    "linear": ["--set", "epochs=3"],
    "mlp": ["--set", "epochs=2", "--set", "model.width=8"],
    "gru": ["--set", "epochs=2", "--set", "body.width=4", "--set", "sample_paths=40"],
}
QUICK = ["--set", "baselines.statistical=[]", "--json"]


def months(count: int = 96, start: int = 0) -> list[tuple[str, float]]:
    """Give a series with a season and a trend."""
    draws = np.random.default_rng(start)
    return [
        (
            f"{2000 + step // 12}-{step % 12 + 1:02d}",
            100 + step + 20 * math.sin(step * math.pi / 6) + draws.normal(),
        )
        for step in range(start, start + count)
    ]


def write(path: Path, rows: list[tuple[str, float]]) -> Path:
    path.write_text(
        "month,sold\n" + "".join(f"{time},{value:.3f}\n" for time, value in rows), encoding="utf-8"
    )
    return path


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize("model", MODELS)
def test_from_a_file_to_what_comes_next(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run = write(tmp_path / "sales.csv", months()), tmp_path / "run"
    command = [
        "train",
        "forecast",
        str(data),
        "--out",
        str(run),
        "--horizon",
        "6",
        "--model",
        model,
    ]
    assert main([*command, *MODELS[model], *QUICK]) == 0
    result = last_line(capsys)
    assert result["event"] == "result"
    assert {"naive", "seasonal-naive", "drift"} < set(result["baselines"]) | {"ridge"}
    for metrics in (result["metrics"], *result["baselines"].values()):
        assert all(
            metrics[name] >= 0
            for name in ("mase", "smape", "mse", "rmse", "crps", "coverage_80", "coverage_95")
        )
    if model == "ridge":
        assert result["metrics"]["mase"] < 0.7 * result["baselines"]["seasonal-naive"]["mase"]

    assert main(["forecast", str(run), "--json"]) == 0
    told = last_line(capsys)
    assert told["times"][0] == "2008-01-01"
    assert len(told["median"]) == 6
    for low, high in (
        ("lo_95", "lo_80"),
        ("lo_80", "median"),
        ("median", "hi_80"),
        ("hi_80", "hi_95"),
    ):
        assert all(one <= other for one, other in zip(told[low], told[high], strict=True))
    assert main(["forecast", str(run), "--json"]) == 0
    assert last_line(capsys) == told

    later = write(tmp_path / "sales-later.csv", months(24, 96))
    assert main(["evaluate", str(run), str(later), "--json"]) == 0
    assert last_line(capsys)["details"]["forecasts"] == 19
    assert main(["evaluate", str(run), "--json"]) == 0
    assert last_line(capsys)["metrics"] == result["metrics"]
    assert main(["forecast", str(run), str(later), "--horizon", "3"]) == 0
    assert "2010-01-01" in capsys.readouterr().out


def test_trajectories_covariates_and_statics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draws = np.random.default_rng(0)
    rows = ["who,t,x,y,push,wind,kind"]
    for who in range(8):
        push, wind = draws.integers(0, 2, 66), draws.normal(size=66)
        x = np.cumsum(push - 0.5)
        for t in range(66):
            place = f"{x[t]},{-x[t]}" if t < 60 else ","
            rows.append(f"p{who},{t},{place},{push[t]},{wind[t] if t < 60 else ''},{'ab'[who % 2]}")
    data, run = tmp_path / "pushed.csv", tmp_path / "run"
    data.write_text("\n".join(rows) + "\n", encoding="utf-8")
    columns = [
        "--id",
        "who",
        "--time",
        "t",
        "--target",
        "x",
        "y",
        "--known-covariates",
        "push",
        "--past-covariates",
        "wind",
    ]
    columns += ["--static-covariates", "kind", "--horizon", "6"]
    assert (
        main(
            [
                "train",
                "forecast",
                str(data),
                "--out",
                str(run),
                *columns,
                "--model",
                "ridge",
                *QUICK,
            ]
        )
        == 0
    )
    # What pushes is known ahead, and all that moves them.
    result = last_line(capsys)
    assert result["metrics"]["mase"] < 0.4 * result["baselines"]["naive"]["mase"]
    assert main(["forecast", str(run), "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["series"], one["channel"]) for one in told[:3]] == [
        ("p0", "x"),
        ("p0", "y"),
        ("p1", "x"),
    ]
    assert main(["forecast", str(run), "--horizon", "7"]) == 2
    assert "forecasts 6 steps at once, not 7; train with --horizon 7" in capsys.readouterr().err


def test_wide_tables_and_frames(tmp_path: Path) -> None:
    table = {
        "ds": list(range(60)),
        "a": [float(t % 4) for t in range(60)],
        "b": [10.0 + t for t in range(60)],
    }
    frame = pyarrow.table(table)
    model = ensue.train(
        "forecast", frame, horizon=4, season=4, settings=["baselines.statistical=[]"]
    )
    told = model.frame(frame)
    model.save(tmp_path / "saved")
    opened = ensue.open(tmp_path / "saved")
    assert opened.report == model.report
    assert [one.to_json() for one in opened.forecast()] == [
        one.to_json() for one in model.forecast()
    ]
    assert narwhals.from_native(told).columns[:4] == ["unique_id", "ds", "channel", "mean"]
    found = {one.series: one.forecast["median"] for one in model.forecast()}
    np.testing.assert_allclose(found["a"], [0, 1, 2, 3], atol=0.1)
    np.testing.assert_allclose(found["b"], [70, 71, 72, 73], atol=0.5)


def test_a_file_for_the_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, later = write(tmp_path / "a.csv", months(84)), write(tmp_path / "b.csv", months(12, 84))
    command = [
        "train",
        "forecast",
        str(data),
        "--out",
        str(tmp_path / "run"),
        "--horizon",
        "6",
        "--test",
        str(later),
    ]
    assert main([*command, *QUICK]) == 0
    assert last_line(capsys)["details"]["layout"]["test"] == 12
    last = write(tmp_path / "c.csv", months(18, 96))
    command[command.index("--out") + 1] = str(tmp_path / "other")
    assert main([*command[:-2], "--valid", str(later), "--test", str(last), *QUICK]) == 0
    layout = last_line(capsys)["details"]["layout"]
    assert (layout["validation_steps"], layout["test"]) == (12, 18)


KILLED = """
import os, sys, signal
from pathlib import Path
from ensue.cli.main import main
from ensue.training.gradient import GradientLearner
true, left = GradientLearner.update, int(sys.argv[1])

def update(self, batch, scale):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return true(self, batch, scale)

GradientLearner.update = update
raise SystemExit(main(sys.argv[2:]))
"""


def test_a_killed_training_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    data = write(tmp_path / "sales.csv", months())
    flags = [
        "--horizon",
        "4",
        "--model",
        "gru",
        "--set",
        "training.steps=24",
        "--set",
        "body.width=4",
        "--set",
        "sample_paths=20",
    ]
    flags += [
        "--set",
        "baselines.statistical=[]",
        "--set",
        "training.evaluate_every=5",
        "--set",
        "hardware.threads=1",
    ]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main(["train", "forecast", str(data), "--out", str(whole), *flags]) == 0
    command = [
        sys.executable,
        "-c",
        KILLED,
        "13",
        "train",
        "forecast",
        str(data),
        "--out",
        str(killed),
        *flags,
    ]
    assert subprocess.run(command, capture_output=True).returncode == -signal.SIGKILL
    data.unlink()
    assert main(["resume", str(killed)]) == 0
    for name in ("weights.safetensors", "calibration.json", "backtest.safetensors"):
        assert (whole / name).read_bytes() == (killed / name).read_bytes(), name
    results = [json.loads((run / "result.json").read_text()) for run in (whole, killed)]
    assert results[0]["metrics"] == results[1]["metrics"]


def test_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, run = write(tmp_path / "sales.csv", months()), tmp_path / "run"
    assert main(["train", "forecast", str(data), "--out", str(run), "--horizon", "6", *QUICK]) == 0
    for name in ("sales.png", "sales.svg"):
        assert main(["forecast", str(run), "--plot", str(tmp_path / name)]) == 0
        assert (tmp_path / name).stat().st_size > 5000
    model, again = ensue.open(run), str(tmp_path / "again.svg")  # a string, as everywhere in Python
    model.plot(model.forecast(), again, tests=True)
    assert Path(again).read_bytes() == (tmp_path / name).read_bytes()
    assert main(["forecast", str(run), "--plot", str(tmp_path / "none" / "sales.png")]) == 2
    assert (
        "cannot be written: its folder does not exist; create it, or name another"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "none").exists()


def test_a_run_may_be_called_as_its_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "forecast", "ball", "--out", "ball", "--model", "ridge"]) == 0
    assert (tmp_path / "ball" / "result.json").exists()
