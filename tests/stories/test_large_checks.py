"""`ensue check` of large files: its progress, its memory, and the fast paths of its readers."""

import json
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ensue.cli.main import main
from ensue.data.files import CHUNK
from ensue.data.tables.number_format import NumberFormat
from ensue.data.tables.times import read_plain_times, read_time
from ensue.tasks.check import check
from ensue.training.contract import Event, Reading

TAGS = "".join(
    f"w{n % 97} {'B-PER' if n % 9 == 0 else 'O'}\n" + "\n" * (n % 20 == 19) for n in range(40_000)
)
STEPS = "ds,y\n" + "".join(f"{n},{n % 89}.{n % 10}\n" for n in range(40_000))
DAYS = np.arange("1900-01-01", "2000-01-01", dtype="datetime64[D]").astype(str)
PANEL = "unique_id,ds,y\n" + "".join(
    f"s{series},{day},{place % 71}.5\n" for series in range(2) for place, day in enumerate(DAYS)
)
LINES = "".join(f"line {n} of a long text\n" for n in range(60_000))


@pytest.mark.parametrize(
    ("name", "content", "times"),
    [("a.conll", TAGS, 45), ("a.csv", STEPS, 40), ("b.csv", PANEL, 25), ("a.txt", LINES, 5.5)],
)
def test_memory_is_a_small_multiple_of_the_file(
    tmp_path: Path, name: str, content: str, times: float
) -> None:
    path = tmp_path / name
    path.write_text(content)
    check([path], None, {}, (), 8)  # imports and caches count once
    tracemalloc.start()
    report = check([path], None, {}, (), 8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.problems == []
    assert peak < times * len(content)


@pytest.mark.parametrize(
    ("name", "content"), [("a.conll", TAGS), ("b.csv", PANEL), ("a.txt", LINES)]
)
def test_progress_counts_each_byte_once(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    reads: list[tuple[int, int]] = []
    check([path], None, {}, (), 8, lambda done, total, _: reads.append((done, total)))
    assert reads[-1] == (len(content), len(content))
    assert len(reads) == -(-len(content) // CHUNK)


def test_progress_is_shown_and_no_part_of_the_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Event] = []
    monkeypatch.setattr("ensue.cli.progress.follow_answer", lambda *_: events.append)
    path = tmp_path / "a.txt"
    path.write_text(3 * LINES)
    assert main(["check", str(path), "--task", "generate", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["task"] == "generate"
    reads = [event for event in events if isinstance(event, Reading)]
    assert [(event.done, event.total) for event in reads[:1]] == [(CHUNK, 3 * len(LINES))]
    assert all(event.left is not None for event in reads)


@pytest.mark.parametrize(
    "cells",
    [
        ["2026-11-30", "2026-02-28"],
        ["2026-11-30 05:07", "2026-11-30T23:59:59"],
        ["0", "17", "000123456789012345"],
    ],
)
def test_usual_times_are_those_of_single_cells(cells: list[str]) -> None:
    plain = read_plain_times(cells)
    assert plain is not None
    assert [*plain] == [read_time(cell) for cell in cells]


@pytest.mark.parametrize(
    "cells",
    [
        [],
        ["2026-02-30"],
        ["0000-01-01"],
        ["2026-11-30T24:00"],
        ["2026-11-30", "1"],
        ["2026-11-30Z"],
        ["now"],
        ["NaT"],
        [""],
        ["9" * 19],
        ["1", None],
    ],
)
def test_other_times_are_left_to_single_cells(cells: list[str]) -> None:
    assert read_plain_times(cells) is None


@pytest.mark.parametrize("form", [NumberFormat(), NumberFormat("."), NumberFormat(",")])
def test_usual_numbers_are_those_of_single_cells(form: NumberFormat) -> None:
    columns = [["1", "2.5", "-3e2"], ["1", ""], [1, None, 2.5], ["1,5"], ["1e101"], ["x"], ["5 %"]]
    for cells in columns:
        plain = form.read_plain(cells)
        single = [np.nan if cell in ("", None) else form.read(cell) for cell in cells]
        if plain is not None:
            assert np.array_equal(plain, np.array(single, float), equal_nan=True)
    assert (form.read_plain(columns[0]) is None) == (form.decimal == ",")


def test_characters_of_a_long_line_are_all_found(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(60_000 * "ab " + "\x07é\ufffd" + chr(sys.maxunicode) + "\n" + LINES)
    report = check([path], "generate", {}, (), 8)
    [row] = report.tables["files"]
    assert row["distinct"] == len(set(path.read_text()))
    found = [one.what for one in report.findings if one.where.endswith(":1")]
    assert any(what == "control characters: 1" for what in found)
    assert any(what.startswith("replacement characters") for what in found)
