"""Tables in Parquet files, which pyarrow reads: their values, and what is wrong with them."""

import random
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow
import pytest
from pyarrow import parquet

from ensue.cli.main import main
from ensue.data.contract import SILENT, Listener
from ensue.data.settings import DataSettings
from ensue.data.tables.labelled import LabelledTable
from ensue.data.tables.rows import BATCH, read_parquet_rows
from ensue.errors import DataError

NOON = datetime(2024, 2, 29, 12, 30)
SECOND = 1_709_209_800 * 10**9
"""NOON in nanoseconds since 1970."""
COLUMNS = {
    "integer": ([2**63, None], pyarrow.uint64(), [2**63, None]),
    "number": ([float("inf"), None], pyarrow.float32(), [float("inf"), None]),
    "truth": ([True, None], pyarrow.bool_(), [True, None]),
    "text": (["é", None], pyarrow.large_string(), ["é", None]),
    "category": (
        ["a", None],
        pyarrow.dictionary(pyarrow.int8(), pyarrow.string()),
        ["a", None],
    ),
    "exact": ([Decimal("1.50"), None], pyarrow.decimal128(9, 2), [Decimal("1.50"), None]),
    "day": ([NOON.date(), None], pyarrow.date32(), [date(2024, 2, 29), None]),
    "second": ([SECOND // 10**9, None], pyarrow.timestamp("s"), [NOON, None]),
    "nanosecond": ([SECOND + 1, None], pyarrow.timestamp("ns"), [NOON, None]),
    "zone": (
        [SECOND + 1, None],
        pyarrow.timestamp("ns", "Europe/Berlin"),
        [NOON.replace(tzinfo=UTC).astimezone(ZoneInfo("Europe/Berlin")), None],
    ),
    "duration": ([1001, None], pyarrow.duration("ns"), [timedelta(microseconds=1), None]),
    "list": ([["a", "b"], None], pyarrow.list_(pyarrow.string()), [["a", "b"], None]),
    "nothing": ([None, None], pyarrow.null(), [None, None]),
}


def write(path: Path, **columns: object) -> Path:
    parquet.write_table(pyarrow.table(columns), path)
    return path


@pytest.mark.parametrize("name", COLUMNS)
def test_values_as_python_has_them(name: str, tmp_path: Path) -> None:
    values, kind, expected = COLUMNS[name]
    path = write(tmp_path / "a.parquet", **{name: pyarrow.array(values, kind)})
    rows = list(read_parquet_rows(path, "utf-8", None, SILENT))
    assert rows == [(number, {name: one}) for number, one in enumerate(expected, 1)]
    # pyarrow has a time in nanoseconds as pandas has it, where that is installed.
    assert [type(row[name]) for _, row in rows] == [type(one) for one in expected]


def test_texts_have_the_numbers_of_their_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", id=[1, 2, 3], body=["one", None, "three"])
    _, reader = DataSettings().reader([path], SILENT)
    assert [(piece.text, piece.line) for piece in reader.pieces()] == [("one", 1), ("three", 3)]


def test_a_large_row_group_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    dice, path = random.Random(0), tmp_path / "a.parquet"
    count = 20 * BATCH + 1
    write(path, body=[dice.randbytes(500).hex() for _ in range(count)])
    size = path.stat().st_size
    assert size > 10_000_000
    before, advances = pyarrow.total_allocated_bytes(), []
    rows = read_parquet_rows(path, "utf-8", None, Listener(on_progress=advances.append))
    held = [pyarrow.total_allocated_bytes() for _ in rows]
    assert len(held) == count
    assert max(held) - before < size / 2
    assert size - len(advances) <= sum(advances) <= size


def test_objects_in_place_of_texts_are_refused(tmp_path: Path) -> None:
    rows = [{"said": {"a": word}, "mood": word} for word in ("good", "bad") * 20]
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    table = LabelledTable(text="said", label="mood").build([path])
    with pytest.raises(DataError, match=r"a\.parquet:1: column 'said' holds an object in this row"):
        next(table.examples())


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    columns = [pyarrow.array(["a"]), pyarrow.array(["b"])]
    parquet.write_table(pyarrow.Table.from_arrays(columns, ["said", "said"]), path)
    with pytest.raises(DataError, match=r"a\.parquet: two columns have the name 'said'; give each"):
        list(read_parquet_rows(path, "utf-8", None, SILENT))


COMMANDS = [
    *(
        ["train", verb, "a.parquet", "--out", "run"]
        for verb in ("generate", "classify", "forecast")
    ),
    ["check", "a.parquet"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_pyarrow(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("a.parquet"), said=["good", "bad"] * 20, mood=["pos", "neg"] * 20)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(command) == 2
    assert capsys.readouterr().err == (
        "ensue: a.parquet: Parquet is read by pyarrow, which is missing; install it with: "
        "pip install 'ensue[parquet]'\n"
    )
    assert not Path("run").exists()


def damaged(path: Path) -> dict[str, bytes]:
    raw = write(path, body=["one " * 100, "two " * 100]).read_bytes()
    parquet.write_table(pyarrow.table({"body": [b"\xff\xfe"]}), path)
    return {
        "no Parquet": b"no Parquet",
        "cut short": raw[: len(raw) // 2],
        "a damaged page": raw[:30] + b"\xff" * 20 + raw[50:],
    }


@pytest.mark.parametrize("case", ["no Parquet", "cut short", "a damaged page"])
def test_damaged_files(case: str, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(damaged(path)[case])
    with pytest.raises(DataError, match=r"a\.parquet: not a readable Parquet file \(.+; write it"):
        list(read_parquet_rows(path, "utf-8", None, SILENT))


def test_a_time_that_python_cannot_hold(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", ds=pyarrow.array([10**18], pyarrow.timestamp("us")))
    with pytest.raises(DataError, match=r"a\.parquet: not a readable Parquet file"):
        list(read_parquet_rows(path, "utf-8", None, SILENT))
