"""What a person types to tell sequences of numbers apart, from .ts files and light curves to a
run and its use."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

import ensue
from ensue.cli.main import main

QUICK = ["--epochs", "8", "--set", "hardware.threads=1", "--seed", "3"]
ROLES = [
    f"--{role}={column}"
    for role, column in zip(
        ("id", "time", "channel", "value", "standard-error", "label"),
        ("object", "mjd", "filter", "flux", "sigma", "type"),
        strict=True,
    )
]


def waves(count: int, seed: int) -> str:
    """Write waves that rise twice, or four times, as a .ts file; some are missing a value."""
    draws = np.random.default_rng(seed)
    lines = ["@problemName Waves", "@univariate true", "@classLabel true slow fast", "@data"]
    for number in range(count):
        times = np.linspace(0, 1, int(draws.integers(30, 50)))
        values = np.sin(
            2 * np.pi * ((2 + 2 * (number % 2)) * times + draws.random())
        ) + draws.normal(0, 0.1, len(times))
        cells = [f"{value:.3f}" for value in values]
        cells[int(draws.integers(len(cells)))] = "?"
        lines.append(f"{','.join(cells)}:{'fast' if number % 2 else 'slow'}")
    return "\n".join(lines) + "\n"


def curves(count: int, seed: int, labelled: bool = True) -> str:
    """Write stars that brighten in the blue or in the red, as rows in no order; some have no red
    value at all."""
    draws = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        nights = np.cumsum(draws.uniform(1, 6, int(draws.integers(6, 12))))
        for night in nights:
            for band in "gr" if number % 5 else "g":
                light = (
                    200
                    * np.exp(-(((night - nights.mean()) / 8) ** 2))
                    * (0.2 if (band == "r") == number % 2 else 1)
                )
                flux, later = light + draws.normal(0, 5), night + (0.02 if band == "r" else 0)
                rows.append(
                    [
                        f"s{number}",
                        f"{later:.3f}",
                        band,
                        f"{flux:.2f}",
                        "5",
                        "red" if number % 2 else "blue",
                    ]
                )
    order = draws.permutation(len(rows))
    table = io.StringIO()
    header = ["object", "mjd", "filter", "flux", "sigma", "type"]
    csv.writer(table).writerows(
        [row[: 5 + labelled] for row in (header, *(rows[at] for at in order))]
    )
    return table.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("series")
    (folder / "train.ts").write_text(waves(60, 1))
    (folder / "test.ts").write_text(waves(20, 2))
    (folder / "curves.csv").write_text(curves(80, 1))
    (folder / "more.csv").write_text(curves(6, 2, labelled=False))
    return folder


def answer(capsys: pytest.CaptureFixture[str], *line: str) -> str:
    capsys.readouterr()
    assert main(line) == 0
    return capsys.readouterr().out


def test_series_of_the_archives(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, test = str(folder / "waves"), str(folder / "test.ts")
    told = answer(
        capsys,
        "train",
        "classify",
        str(folder / "train.ts"),
        "--test",
        test,
        "--out",
        run,
        "--json",
        *QUICK,
    )
    result = json.loads(told.splitlines()[-1])
    assert (result["event"], result["task"]) == ("result", "classify")
    assert result["metrics"]["accuracy"] > 0.9
    scores = {one["name"]: one["metrics"]["accuracy"] for one in result["rows"]}
    assert {"majority", "dtw", "summary-features", "convolution 2 x 32"} <= scores.keys()
    assert scores["summary-features"] > 0.8
    assert [
        any(one in chosen for chosen in result["selected"])
        for one in ("window", "penalty", "weights")
    ] == [True] * 3
    early = result["details"]["early"]
    assert [row["share"] for row in early][-1] == 1.0
    assert early[-1]["accuracy"] == result["metrics"]["accuracy"]
    again = json.loads(answer(capsys, "evaluate", run, test, "--json"))
    assert again["metrics"] == result["metrics"]
    rows = [
        json.loads(line) for line in answer(capsys, "classify", run, test, "--json").splitlines()
    ]
    assert len(rows) == 20
    assert (
        np.mean([row["label"] == ("slow", "fast")[place % 2] for place, row in enumerate(rows)])
        > 0.9
    )


@pytest.mark.parametrize("model", ["gru", "dtw", "summary-features"])
def test_light_curves(folder: Path, capsys: pytest.CaptureFixture[str], model: str) -> None:
    run = str(folder / model)
    quick = [*QUICK, "--size", "tiny"] if model == "gru" else QUICK[2:]
    assert (
        main(
            [
                "train",
                "classify",
                str(folder / "curves.csv"),
                "--model",
                model,
                "--out",
                run,
                *ROLES,
                *quick,
            ]
        )
        == 0
    )
    result = json.loads((Path(run) / "result.json").read_text())
    assert result["metrics"]["accuracy"] > 0.8
    assert set(result["baselines"]) == {"majority", "dtw", "summary-features"} - {model}
    rows = list(
        csv.DictReader(io.StringIO(answer(capsys, "classify", run, str(folder / "more.csv"))))
    )
    assert {row["object"]: row["predicted"] for row in rows if row["object"] != "s5"} == {
        f"s{number}": "red" if number % 2 else "blue" for number in range(5)
    }
    odd = folder / "odd.csv"
    odd.write_text("object,mjd,filter,flux,sigma\na,1,z,5,1\nb,1,g,5,1\nb,2,z,5,1\n")
    assert main(["classify", run, str(odd), "--json"]) == 0
    told, said = capsys.readouterr()
    assert [json.loads(line)["row"] for line in told.splitlines()] == [
        {"object": "a"},
        {"object": "b"},
    ]
    assert "values of channels that training does not have are ignored: 'z' (in 2)" in said
    again = ensue.open(run).evaluate([folder / "curves.csv"])
    assert again.metrics["accuracy"] > 0.85


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (":fast", ":slow", "train.ts: every example has the label 'slow'"),
        ("?", "NaN", "train.ts:5: 'NaN' in value 20 of channel 1 is not finite"),
        (
            "@univariate true",
            "@dimensions 2",
            "train.ts:5: the line has 1 channel where the header declares 2",
        ),
    ],
)
def test_wrong_series_end_in_one_line(tmp_path, capsys, old, new, message) -> None:
    (tmp_path / "train.ts").write_text(waves(60, 1).replace(old, new))
    assert (
        main(["train", "classify", str(tmp_path / "train.ts"), "--out", str(tmp_path / "run")]) == 2
    )
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert (
        told.removeprefix("ensue: ")
        .removeprefix("error: ")
        .replace(f"{tmp_path}/", "")
        .startswith(message)
    )
    assert not (tmp_path / "run").exists()


def test_wrong_light_curves_end_in_one_line(tmp_path, capsys) -> None:
    table = curves(20, 1).splitlines()
    (tmp_path / "curves.csv").write_text("\n".join([*table, table[7]]) + "\n")
    assert (
        main(
            [
                "train",
                "classify",
                str(tmp_path / "curves.csv"),
                "--out",
                str(tmp_path / "run"),
                *ROLES,
            ]
        )
        == 2
    )
    assert "has the same time as line 8; remove one, or merge them" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_very_long_sequence_among_short_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draws = np.random.default_rng(4)
    lengths = [100_000, *[20] * 39]
    rows = [
        f"{number},{step},{(number % 2) + draws.normal(0, 0.3):.2f},{'ab'[int(draws.random() < 0.3)]},{number % 2}"
        for number, length in enumerate(lengths)
        for step in range(length)
    ]
    (tmp_path / "long.csv").write_text("\n".join(["id,time,x,word,label", *rows]) + "\n")
    line = [
        "train",
        "classify",
        str(tmp_path / "long.csv"),
        "--format",
        "long_table",
        "--out",
        str(tmp_path / "run"),
    ]
    told = answer(capsys, *line, "--model", "summary-features", "--json")
    result = json.loads(told.splitlines()[-1])
    assert result["metrics"]["accuracy"] == 1.0
    assert sum(part["shortened"] for part in result["details"]["skipped"].values()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["GunPoint", "JapaneseVowels"])
def test_the_archives_own_series(name: str, tmp_path: Path) -> None:
    folder = Path(__file__).parents[3] / "shared" / "data" / f"tsc_{name}"
    if not folder.is_dir():
        pytest.skip("the data sets of ../shared/data are not there")
    train, test = (folder / f"{name}_{part}.ts.gz" for part in ("TRAIN", "TEST"))
    model = ensue.train(
        "classify", train, test=test, epochs=80 if name == "GunPoint" else 30, out=tmp_path / "run"
    )
    assert model.evaluate([test]).metrics["accuracy"] > 0.95


def test_light_curves_without_labels_are_told_where_labels_may_stand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number in (1, 2):
        rows = "".join(f"OBS: {day} g {day}.5 1.0\n" for day in range(5))
        (data / f"{number}.DAT").write_text(
            f"SNID: {number}\nVARLIST: MJD FLT FLUXCAL FLUXCALERR\n{rows}"
        )
    assert main(["train", "classify", str(data), "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert "no example has a label" in error
    assert "name another column with --label, or a table of labels with --label-file" in error


@pytest.mark.parametrize("style", ["german thousands", "decimal commas", "english thousands"])
def test_values_are_read_as_spreadsheets_write_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], style: str
) -> None:
    """A point or a comma is judged by the whole column; what a run learned holds for a file of
    few rows."""
    write = {
        "german thousands": lambda value: f"{value:,.0f}".replace(",", "."),
        "decimal commas": lambda value: f"{value:.2f}".replace(".", ","),
        "english thousands": lambda value: f'"{value:,.0f}"',
    }[style]
    draws = np.random.default_rng(5)
    sign = "," if style == "english thousands" else ";"

    def rows(count: int) -> str:
        values = draws.normal([[900.0], [2400.0]] * (count // 2), 50, (count, 6))
        steps = [
            [f"o{one}", step, write(v), "ab"[one % 2]]
            for one, own in enumerate(values)
            for step, v in enumerate(own)
        ]
        return (
            "\n".join(
                sign.join(map(str, row)) for row in (["id", "time", "value", "label"], *steps)
            )
            + "\n"
        )

    data, few = tmp_path / "long.csv", tmp_path / "few.csv"
    data.write_text(rows(40))
    few.write_text(rows(2))
    assert (
        main(
            [
                "train",
                "classify",
                str(data),
                "--model",
                "summary-features",
                "--out",
                str(tmp_path / "run"),
            ]
        )
        == 0
    )
    model = ensue.open(tmp_path / "run")
    assert model.evaluate([few]).metrics["accuracy"] == 1.0
    told = capsys.readouterr().err
    assert ("is read as 2" in told) == (style != "decimal commas")


def test_a_number_that_could_be_two_is_refused_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "long.csv"
    rows = [[f"o{one}", step, 7 * one, "ab"[one % 2]] for one in range(40) for step in range(6)]
    rows[-1][2] = "1.003"
    steps = [",".join(map(str, row)) + "\n" for row in rows]
    data.write_text("id,time,value,label\n" + "".join(steps))
    assert (
        main(
            [
                "train",
                "classify",
                str(data),
                "--model",
                "summary-features",
                "--out",
                str(tmp_path / "run"),
            ]
        )
        == 2
    )
    said = (
        "long.csv:241: '1.003' in column 'value' is ambiguous: thousands or a fraction; write no "
        "signs between thousands"
    )
    assert (
        capsys.readouterr()
        .err.strip()
        .endswith(f"{said}, or give --set data.reader.decimal=. or ,")
    )
    again = [
        "train",
        "classify",
        str(data),
        "--model",
        "summary-features",
        "--out",
        str(tmp_path / "run"),
    ]
    assert main([*again, "--set", "data.reader.decimal=."]) == 0
