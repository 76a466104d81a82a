"""Tables with a series in each row, as M4 and M5 have them, and data frames: both are read by
the road of all files."""

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ensue
from ensue.api import _save_frame
from ensue.cli.main import main
from ensue.data.contract import Finding, Listener
from ensue.data.series.panel import Panel, SeriesSettings
from ensue.data.tables.labelled import LabelledTable
from ensue.data.tables.long import LongTable
from ensue.data.tables.series import build_panel, read_panel
from ensue.data.tables.sources import read_frame
from ensue.errors import DataError

SERIES = {f"Y{n}": [n + step % 7 + 0.5 for step in range(60 + 3 * n)] for n in range(1, 5)}
WIDTH = max(map(len, SERIES.values()))
M4 = ",".join(f'"V{n}"' for n in range(1, WIDTH + 2)) + "\n"
M4 += "".join(
    f'"{name}",' + ",".join([f'"{one}"' for one in values] + [""] * (WIDTH - len(values))) + "\n"
    for name, values in SERIES.items()
)
M5 = "id,item_id,store_id," + ",".join(f"d_{n}" for n in range(1, WIDTH + 1)) + "\n"
M5 += "".join(
    f"{name}_CA,{name},CA," + ",".join(map(str, [*values, *[0.0] * (WIDTH - len(values))])) + "\n"
    for name, values in SERIES.items()
)
YEARS = "Country,Code," + ",".join(map(str, range(1960, 1960 + WIDTH))) + "\n"
YEARS += "".join(
    f"{name}land,{name}," + ",".join([*map(str, values), *[""] * (WIDTH - len(values))]) + "\n"
    for name, values in SERIES.items()
)
MONTHS = "shop;" + ";".join(f"{1 + n % 12:02d}/{2001 + n // 12}" for n in range(WIDTH)) + "\n"
MONTHS += "".join(
    f"{name};"
    + ";".join([str(one).replace(".", ",") for one in values] + [""] * (WIDTH - len(values)))
    + "\n"
    for name, values in SERIES.items()
)


def read(
    folder: Path, text: str, name: str = "data.csv", **settings: Any
) -> tuple[Panel, list[str]]:
    path, found = folder / name, list[Finding]()
    path.write_text(text, encoding="utf-8")
    panel = read_panel([path], SeriesSettings.model_validate(settings), Listener(found.append))
    return panel, [one.what for one in found]


def test_m4(tmp_path: Path) -> None:
    panel, told = read(tmp_path, M4)
    assert {one.name: one.values[:, 0].tolist() for one in panel.series} == SERIES
    assert [one.times.tolist() for one in panel.series] == [
        list(range(1, len(one) + 1)) for one in SERIES.values()
    ]
    assert panel.frequency.name == "step"
    assert told == [f"each row is read as a series, named by 'V1', with {WIDTH} numbered steps"]


def test_m5(tmp_path: Path) -> None:
    panel, _ = read(tmp_path, M5, static_covariates=("store_id",))
    assert [one.name for one in panel.series] == [f"{name}_CA" for name in SERIES]
    assert [len(one) for one in panel.series] == [WIDTH] * 4
    assert {one.static for one in panel.series} == {("CA",)}
    assert [one.name for one in read(tmp_path, M5, id="item_id")[0].series] == list(SERIES)
    with pytest.raises(DataError, match="there is no column 'item'; did you mean item_id"):
        read(tmp_path, M5, id="item")
    with pytest.raises(
        DataError,
        match=r"data.csv:3: 'x' in the column 'd_2' is not a valid number; correct it",
    ):
        read(tmp_path, M5.replace("Y2,CA,2.5,3.5", "Y2,CA,2.5,x"))


def test_a_mark_that_the_first_rows_do_not_have_is_refused(tmp_path: Path) -> None:
    rows = [f"s{row};" + ";".join("7" * 8) for row in range(250)]
    text = "id;" + ";".join(f"d_{n}" for n in range(1, 9)) + "\n" + "\n".join(rows) + "\n"
    assert len(read(tmp_path, text)[0].series) == 250
    with pytest.raises(
        DataError, match=r"data.csv:252: '1,234' in the column 'd_1' is not a valid number"
    ):
        read(tmp_path, text + "last;1,234;" + ";".join("7" * 7) + "\n")


@pytest.mark.parametrize(("text", "frequency"), [(YEARS, "year"), (MONTHS, "month")])
def test_columns_that_are_called_by_their_times(text: str, frequency: str, tmp_path: Path) -> None:
    panel, _ = read(tmp_path, text, freq=frequency if frequency == "year" else "")
    assert [one.values[:, 0].tolist() for one in panel.series] == list(SERIES.values())
    assert panel.frequency.name == frequency
    first = "1960-01-01" if frequency == "year" else "2001-01-01"
    assert {str(one.times[0].astype("datetime64[D]")) for one in panel.series} == {first}


def test_a_column_for_each_series_is_as_before(tmp_path: Path) -> None:
    text = "month," + ",".join(f"s{n}" for n in range(1, 9)) + "\n"
    text += "".join(
        f"2001-{month:02d}," + ",".join(str(month + n) for n in range(8)) + "\n"
        for month in range(1, 13)
    )
    panel, _ = read(tmp_path, text)
    assert [one.name for one in panel.series] == [f"s{n}" for n in range(1, 9)]
    assert {len(one) for one in panel.series} == {12}


@pytest.mark.parametrize("text", [M4, M5, YEARS, MONTHS])
def test_the_doctor_knows_them(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data.csv").write_text(text, encoding="utf-8")
    assert main(["check", str(tmp_path / "data.csv")]) == 0
    out = capsys.readouterr().out
    assert (
        "as data for `ensue train forecast`: each row is a series, with a column for each step"
        in out
    )
    assert "Read as 4 series" in out


def test_rows_of_new_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m4.csv").write_text(M4, encoding="utf-8")
    quick = ["--horizon", "3", "--season", "7", "--set", "baselines.statistical=[]"]
    assert (
        main(
            ["train", "forecast", str(tmp_path / "m4.csv"), "--out", str(tmp_path / "run"), *quick]
        )
        == 0
    )
    capsys.readouterr()
    assert main(["forecast", str(tmp_path / "run"), str(tmp_path / "m4.csv"), "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


DAYS = [date(2024, 1, 1) + timedelta(n) for n in range(40)]
VALUES = [float(n % 7) for n in range(40)]


def frames() -> dict[str, Any]:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    days = [date(2024, 1, 1) + timedelta(n) for n in range(60)]
    values = [float(n % 7) for n in range(60)]
    zone = pandas.date_range("2024-03-01", periods=60, tz="Europe/Berlin")
    return {
        "plain": pandas.DataFrame({"ds": pandas.to_datetime(days), "y": values}),
        "names that are numbers": pandas.DataFrame({0: pandas.to_datetime(days), 1: values}),
        "times in the index": pandas.DataFrame({"y": values}, index=pandas.to_datetime(days)),
        "a series of pandas": pandas.Series(values, index=pandas.to_datetime(days), name="sold"),
        "periods": pandas.DataFrame({"y": values}, index=pandas.PeriodIndex(days, freq="D")),
        "a zone": pandas.DataFrame({"ds": zone, "y": values}),
        "truths": pandas.DataFrame({"ds": days, "y": [one > 3 for one in values]}),
        "integers with NA": pandas.DataFrame(
            {"ds": days, "y": pandas.array([None, *map(int, values[1:])], dtype="Int64")}
        ),
        "strings with NA": pandas.DataFrame(
            {"ds": days, "y": values, "shop": pandas.array(["a"] * 59 + ["b"], dtype="string")}
        ).iloc[:59],
        "polars": polars.DataFrame({"ds": days, "y": values}),
        "polars with NA": polars.DataFrame({"ds": days, "y": [None, *map(int, values[1:])]}),
        "arrow": pytest.importorskip("pyarrow").table({"ds": days, "y": [None, *values[1:]]}),
    }


@pytest.mark.parametrize("name", frames() if pytest.importorskip("pandas") else [])
def test_a_frame_is_read_as_the_file_that_it_is_saved_to(name: str) -> None:
    frame = frames()[name]
    direct = build_panel([read_frame(frame, SeriesSettings())], SeriesSettings())
    saved = read_panel([_save_frame(frame)], SeriesSettings())
    for panel in (direct, saved):
        (series,) = panel.series
        assert panel.frequency.name == "day"
        assert len(series) == 60 - ("NA" in name or name == "arrow")
    assert np.array_equal(direct.series[0].times, saved.series[0].times)
    assert np.array_equal(direct.series[0].values, saved.series[0].values)
    start = datetime(
        2024,
        3 if name == "a zone" else 1,
        1 + (len(direct.series[0]) == 59 and "strings" not in name),
    )
    assert direct.series[0].times[0] == np.datetime64(start)


def save(frame: Any, folder: Path) -> list[Path]:
    """Save a data frame in each format, as people do who give its columns no names."""
    paths = [folder / name for name in ("a.csv", "a.tsv", "a.parquet", "index.csv", "a.jsonl")]
    frame.to_csv(paths[0], index=False)
    frame.to_csv(paths[1], index=False, sep="\t")
    frame.rename(columns=str).to_parquet(paths[2])
    frame.to_csv(paths[3])
    paths[4].write_bytes(_save_frame(frame).read_bytes())
    return paths


UNNAMED_SERIES: dict[str, tuple[dict[int, list[Any]], dict[str, Any], list[str]]] = {
    "one series": ({0: DAYS, 1: VALUES}, {}, ["1"]),
    "two series": ({0: DAYS, 1: VALUES, 2: VALUES}, {}, []),
    "ids": ({0: ["a"] * 20 + ["b"] * 20, 1: DAYS[:20] * 2, 2: VALUES}, {}, ["2"]),
    "named by a person": ({0: [*range(40)], 1: VALUES}, {"time": "0", "target": ("1",)}, ["1"]),
}


@pytest.mark.parametrize("name", UNNAMED_SERIES)
def test_series_in_columns_without_names_are_read_alike(name: str, tmp_path: Path) -> None:
    """Such a CSV file was refused, where the frame, Parquet and JSON Lines were read."""
    cells, given, target = UNNAMED_SERIES[name]
    frame, settings = pytest.importorskip("pandas").DataFrame(cells), SeriesSettings(**given)
    panels = [read_panel([path], settings) for path in save(frame, tmp_path)]
    for panel in [build_panel([read_frame(frame, settings)], settings), *panels]:
        assert panel.roles["target"] == target
        assert sum(len(one) for one in panel.series) == 40 * (1 + (name == "two series"))


def test_the_first_row_of_a_panel_is_no_header(tmp_path: Path) -> None:
    """It was, and the first step of its series was lost without a word."""
    rows = [f"{shop},2024-01-{day:02d},{day * day}" for shop in "ab" for day in range(1, 31)]
    with pytest.raises(DataError, match="csv:1: the first row holds 'a', which its column holds"):
        read(tmp_path, "\n".join(rows) + "\n")
    with pytest.raises(DataError, match="the first row holds 0, 1, which are not column names"):
        read(tmp_path, "".join(f"{n},{n * n + 1}\n" for n in range(30)))


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("labels", ["01", "ab"])
def test_texts_in_columns_without_names_are_read_alike(
    labels: str, at: int, tmp_path: Path
) -> None:
    """With the labels 0 and 1, the header 0,1 of a CSV file was an example."""
    texts = [f"a film of {'good' if n % 2 else 'bad'} songs, {n} of them" for n in range(40)]
    cells = {at: texts, 1 - at: [labels[n % 2] for n in range(40)]}
    frame = pytest.importorskip("pandas").DataFrame({place: cells[place] for place in range(2)})
    for path in save(frame, tmp_path):
        examples = [*LabelledTable().build([path]).examples()]
        assert [one.content for one in examples] == texts
        assert [one.label for one in examples] == cells[1 - at]


@pytest.mark.parametrize("given", [{}, {"id": "0", "time": "1", "label": "3"}])
def test_steps_in_columns_without_names_are_read_alike(
    given: dict[str, str], tmp_path: Path
) -> None:
    rows = [(n // 5, n % 5, n / 7, "xy"[n // 5 % 2]) for n in range(100)]
    frame, table = pytest.importorskip("pandas").DataFrame(rows), LongTable(**given)
    for path in save(frame, tmp_path):
        examples = [*table.build([path]).examples()]
        assert [one.label for one in examples] == (["x", "y"] * 10 if given else [None])
        assert [len(one.content["2"]) for one in examples] == ([5] * 20 if given else [100])


def test_frames_that_cannot_be_read() -> None:
    pandas = pytest.importorskip("pandas")
    days = pandas.date_range("2024-01-01", periods=9)
    missing = pandas.DataFrame({"ds": [*days[:4], pandas.NaT, *days[5:]], "y": range(9)})
    twice = pandas.DataFrame([[1, 2.0, 3.0]], columns=["ds", "y", "y"])
    for frame, expected in (
        (missing, "row 5: the time is missing in the column 'ds'; fill it in, or remove the row"),
        (twice, "frame: two columns have the name 'y'"),
        (
            object(),
            "frame: an object is not a data frame; give the path of a file, or a data frame",
        ),
    ):
        with pytest.raises(DataError, match=expected):
            build_panel([read_frame(frame, SeriesSettings())], SeriesSettings())
        with pytest.raises(DataError, match=expected.replace("row 5", "frame.jsonl:5")):
            read_panel([_save_frame(frame)], SeriesSettings())


def test_labels_of_a_frame_keep_their_kind(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    texts = [f"a film of {'good' if n % 2 else 'bad'} songs, {n} of them" for n in range(60)]
    frame = pandas.DataFrame(
        {"text": texts, "label": pandas.array([n % 2 for n in range(60)], dtype="Int64")}
    )
    trained = ensue.train("classify", frame, model="nbsvm", out=tmp_path / "run")
    assert trained.labels.names == ("0", "1")
    frame["text"] = frame["text"].astype("string")
    frame.loc[7, "text"] = pandas.NA
    with pytest.raises(
        DataError, match=r"the data frame, row 8: column 'text' is empty in this row"
    ):
        ensue.train("classify", frame, model="nbsvm", out=tmp_path / "other")


def test_steps_have_the_numbers_of_their_columns(tmp_path: Path) -> None:
    """The columns of M5's evaluation begin at d_1914; V1 of M4 is a name, so V2 is the first
    step."""
    text = (
        "id,"
        + ",".join(f"d_{n}" for n in range(1914, 1942))
        + "\na,"
        + ",".join(map(str, range(28)))
        + "\n"
    )
    assert read(tmp_path, text)[0].series[0].times.tolist() == list(range(1914, 1942))


@pytest.mark.parametrize("steps", [2, 30])
@pytest.mark.parametrize("dated", [True, False])
def test_a_few_new_columns_go_on(
    dated: bool, steps: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """New rows have the columns of the new steps alone, however few: they are forecast as the
    whole table is."""

    def table(name: str, of: range) -> Path:
        columns = [f"{2001 + n // 12}-{1 + n % 12:02d}" if dated else f"d_{n + 1}" for n in of]
        rows = [f"{shop}," + ",".join(str(n % 5 + k) for n in of) for k, shop in enumerate("ab")]
        (tmp_path / name).write_text(
            "\n".join([",".join(["shop", *columns]), *rows]) + "\n", encoding="utf-8"
        )
        return tmp_path / name

    run, quick = (
        tmp_path / "run",
        ["--horizon", "3", "--season", "5", "--set", "baselines.statistical=[]"],
    )
    assert (
        main(["train", "forecast", str(table("data.csv", range(60))), "--out", str(run), *quick])
        == 0
    )
    told = []
    for path in (table("new.csv", range(60, 60 + steps)), table("whole.csv", range(60 + steps))):
        capsys.readouterr()
        assert main(["forecast", str(run), str(path), "--json"]) == 0
        told.append(capsys.readouterr())
    assert told[0] == told[1]
    assert not told[0].err


def test_a_test_of_m4_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both files of M4 count from V2 on: the test begins where the training of each series ends."""
    names = ",".join(f"V{n}" for n in range(1, 8)) + "\n"
    later = names + "".join(f"{name},{','.join(map(str, range(6)))}\n" for name in SERIES)
    for file, text in (("train.csv", M4), ("test.csv", later)):
        (tmp_path / file).write_text(text, encoding="utf-8")
    files = [str(tmp_path / "train.csv"), "--test", str(tmp_path / "test.csv")]
    flags = ["--horizon", "3", "--season", "7", "--set", "baselines.statistical=[]"]
    assert main(["train", "forecast", *files, "--out", str(tmp_path / "run"), *flags]) == 0
    panel = ensue.open(tmp_path / "run").prepared.panel
    for one in panel.series:
        assert one.values[-6:, 0].tolist() == list(range(6))
        assert one.times.tolist() == list(range(1, len(SERIES[one.name]) + 7))
    assert "the test is the last 6 steps" in capsys.readouterr().err
    # Side by side in one folder they are told apart by their names.
    (tmp_path / "m4").mkdir()
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").rename(tmp_path / "m4" / f"Monthly-{name}.csv")
    assert main(["check", str(tmp_path / "m4"), "--task", "forecast", "--horizon", "3"]) == 0
    assert "train from Monthly-train.csv, test from Monthly-test.csv" in capsys.readouterr().out
    assert (
        main(["train", "forecast", str(tmp_path / "m4"), "--out", str(tmp_path / "again"), *flags])
        == 0
    )
    results = [
        json.loads((tmp_path / run / "result.json").read_text())["metrics"]
        for run in ("run", "again")
    ]
    assert results[0] == results[1]


def test_american_dates_as_columns_are_steps(tmp_path: Path) -> None:
    days = [date(2020, 1, 22) + timedelta(n) for n in range(80)]
    text = (
        "Province,Country,Lat,"
        + ",".join(f"{day.month}/{day.day}/{day.year % 100}" for day in days)
        + "\n"
    )
    text += "".join(
        f",{name},{n}.5,{','.join(map(str, range(80)))}\n" for n, name in enumerate(("A", "B"))
    )
    panel, _ = read(tmp_path, text)
    assert [one.name for one in panel.series] == ["A", "B"]
    assert panel.series[0].times.astype("datetime64[D]").tolist() == days


def test_what_is_said_of_a_table_of_many_columns_is_short(tmp_path: Path) -> None:
    names = ["shop", *(f"d_{n}" for n in range(1, 2000))]
    row = ",".join(str(n % 7) for n in range(1999))
    with pytest.raises(DataError, match="'a' occurs twice") as twice:
        read(tmp_path, ",".join(names) + f"\na,{row}\na,{row}\n", id="shop")
    columns = [f"q{n}a" for n in range(2000)]
    with pytest.raises(DataError, match="none of the columns") as none:
        read(tmp_path, ",".join(columns) + "\n" + ",".join(["x"] * 2000) + "\n")
    assert max(len(str(one.value)) - len(str(tmp_path)) for one in (twice, none)) < 250


def test_a_series_of_pandas_is_learned_and_forecast() -> None:
    pandas = pytest.importorskip("pandas")
    values = [float(step % 7) for step in range(60)]
    sold = pandas.Series(values, index=pandas.date_range("2024-01-01", periods=60), name="sold")
    model = ensue.train(
        "forecast", sold, horizon=3, settings=["baselines.statistical=[]", "baselines.ridge=false"]
    )
    told = model.frame(sold)
    assert [str(day)[:10] for day in told["ds"]] == ["2024-03-01", "2024-03-02", "2024-03-03"]
    assert np.allclose(told["mean"], [4, 5, 6], atol=1e-3)
