"""A run that lies in the folder of its data is none of the data."""

from pathlib import Path

import pytest

from ensue.cli.main import main
from ensue.data.contract import Listener
from ensue.data.files import find_files
from ensue.errors import DataError
from ensue.training.folder.run import Run


def test_no_run_is_data(tmp_path: Path) -> None:
    for name in ("a.txt", "deep/b.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("some text\n")
    for name in ("run-1", "deep/run"):
        with Run.create(tmp_path / name, {}) as run:
            run.write("report.md", b"text of a report\n")
    told = []
    files = find_files([tmp_path], Listener(lambda one: told.append(str(one))))
    assert files == [tmp_path / "a.txt", tmp_path / "deep/b.txt"]
    assert told == [
        f"{tmp_path / name}: left out, since it is a run of ensue" for name in ("deep/run", "run-1")
    ]
    with pytest.raises(DataError, match="this is the folder of a run, not data"):
        find_files([tmp_path / "run-1"])


def test_a_training_in_the_folder_of_its_data_learns_nothing_of_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "good.txt").write_text("".join(f"a good film {n}\n" for n in range(30)))
    (tmp_path / "bad.txt").write_text("".join(f"a bad film {n}\n" for n in range(30)))
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["train", "classify", ".", "--model", "nbsvm"]) == 0
    assert {*Run.open(tmp_path / "run-2").about["data"]["files"]} == {"bad.txt", "good.txt"}
    assert "run-1: left out, since it is a run of ensue" in capsys.readouterr().err
