"""Tables of sequences of records: which columns are fields, and what is refused or told."""

from pathlib import Path

import numpy as np
import pytest

from ensue.data.contract import Listener
from ensue.data.steps import ReadSteps, StepDataSettings, encode_steps, read_steps
from ensue.errors import DataError


def read(folder: Path, header: str, rows: list[str]) -> tuple[ReadSteps, list[str]]:
    path, told = folder / "data.csv", list[str]()
    path.write_text("\n".join([header, *rows]) + "\n")
    listener = Listener(lambda finding: told.append(str(finding)))
    return read_steps([path], StepDataSettings(), 1, listener), told


def test_rows_of_one_time_stay_in_the_order_of_the_file(tmp_path: Path) -> None:
    """A chord: several notes begin at the same time."""
    rows = [f"s{n // 20},{n % 20 // 2},{'ab'[n % 2]},{n}" for n in range(240)]
    found, told = read(tmp_path, "id,time,pitch,x", rows)
    assert sum(len(one) for one in found.parts.values()) == 12
    for one in found.parts["train"]:
        content: dict = one.content  # type: ignore[assignment]
        assert (np.diff(content["x"]) == 1).all()
        assert content["pitch"] == ["a", "b"] * 10
    (same,) = [one for one in told if "same time" in one]
    assert "data.csv:3: 120 rows with the same time as the row before" in same
    assert "--channel" not in same


def test_columns_that_other_verbs_give_a_role_are_fields(tmp_path: Path) -> None:
    rows = [f"s{n // 20},{n % 7},{'gr'[n % 2]},{-n},{['up', 'down'][n % 2]}" for n in range(240)]
    found, _ = read(tmp_path, "id,x,band,error,label", rows)
    assert (found.table.value, found.table.symbol) == (("x", "error"), ("band", "label"))


@pytest.mark.parametrize(
    ("first", "row", "said"),
    [
        ("s0,0,1.25,G", "s{id},{n},{n}.5,CG", "the first row holds 's0', which its column holds"),
        ("0.5,-1.25", "{n}.5,-{n}.75", "the first row holds 0.5, -1.25, which are not column"),
        ("2020-01-01,3", "2020-01-{day:02},{n}", "the first row holds 2020-01-01, 3, which"),
    ],
)
def test_a_table_without_a_header_is_refused(
    first: str, row: str, said: str, tmp_path: Path
) -> None:
    rows = [row.format(n=n % 20, id=n // 20, day=1 + n % 28) for n in range(240)]
    with pytest.raises(DataError, match=said) as caught:
        read(tmp_path, first, rows)
    assert caught.value.hint is not None
    assert "add a header row" in caught.value.hint
    found, _ = read(tmp_path, ",".join(["id", "time", "x", "note"][-len(first.split(",")) :]), rows)
    assert found.parts["train"]


def test_a_column_without_cells_is_left_out_and_told(tmp_path: Path) -> None:
    found, told = read(tmp_path, "id,x,m", [f"s{n // 20},{n * n % 7},NA" for n in range(240)])
    assert (found.table.value, found.table.symbol) == (("x",), ())
    assert any("left out, as their first cells are empty: 'm'" in one for one in told)


@pytest.mark.parametrize("row", ["s0,3,", "s0,NA,a", "s0,soon,a"])
def test_a_cell_without_a_value_is_refused_by_its_line(row: str, tmp_path: Path) -> None:
    rows = [f"s{n // 20},{n},{'ab'[n % 2]}" for n in range(240)]
    with pytest.raises(DataError, match=r"data\.csv:6") as caught:
        read(tmp_path, "id,x,m", [*rows[:4], row, *rows[4:]])
    assert "remove the row" in str(caught.value)
    read(tmp_path, "id,x,m", rows)


def test_two_whole_numbers_are_symbols_and_three_are_numbers(tmp_path: Path) -> None:
    """The state of a pen and whether a light is on have probabilities, and no density."""
    rows = [
        f"s{n // 20},{n * n % 7},{n % 2},{['true', 'false'][n % 2]},{n % 3}" for n in range(240)
    ]
    found, told = read(tmp_path, "id,x,pen,on,three", rows)
    assert (found.table.value, found.table.symbol) == (("x", "three"), ("pen", "on"))
    assert any(
        "read as symbols, as they hold two whole numbers: 'pen', 'on'" in one for one in told
    )
    content: dict = found.parts["train"][0].content  # type: ignore[assignment]
    assert set(content["on"]) == {"true", "false"}
    named = StepDataSettings(value=("x", "pen"))
    assert read_steps([tmp_path / "data.csv"], named, 1, Listener()).table.value == ("x", "pen")


def test_a_constant_column_is_told_in_a_training_too(tmp_path: Path) -> None:
    found, told = read(tmp_path, "id,x,same", [f"s{n // 20},{n * n % 7},5" for n in range(240)])
    data = encode_steps(found, Listener(lambda finding: told.append(str(finding))))
    assert any("the column 'same' is constant; leave it out" in one for one in told)
    assert {row["same"] for row in data.codec.decode(data["test"].steps)} == {5}
    assert (
        repr(data.codec.decode(data["test"].steps)[0]["x"]) in "0124"
    )  # written as a whole number


def test_few_steps_are_counted_without_those_of_other_files(tmp_path: Path) -> None:
    for name, count in (("train.csv", 15), ("valid.csv", 70), ("test.csv", 80)):
        rows = [f"{n * n % 7}" for n in range(count)]
        (tmp_path / name).write_text("\n".join(["x", *rows]) + "\n")
    held = {"valid_file": str(tmp_path / "valid.csv"), "test_file": str(tmp_path / "test.csv")}
    found = read_steps([tmp_path / "train.csv"], StepDataSettings(**held), 1, Listener())
    with pytest.raises(DataError, match=": 15 steps are too few to train on;"):
        encode_steps(found, Listener())
