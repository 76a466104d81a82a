"""Files of texts and of tagged sentences that are named train, valid and test are those parts,
as for every verb."""

import json
from pathlib import Path
from typing import Any

import pytest

import ensue
from ensue.cli.main import main

WORDS = ("the cat sat on the mat", "a dog ran in the park", "one bird sang by the lake")


def said_by(capsys: pytest.CaptureFixture[str], *line: str) -> tuple[str, str]:
    capsys.readouterr()
    assert main(list(line)) == 0, capsys.readouterr().err
    return capsys.readouterr()


def last_json(capsys: pytest.CaptureFixture[str], *line: str) -> dict[str, Any]:
    return json.loads(said_by(capsys, *line, "--json")[0].splitlines()[-1])


def texts(folder: Path) -> Path:
    """Make a folder in which only the test part has the letter q, and only the validation part
    the letter z."""
    folder.mkdir()
    for name, count, mark in (("train", 60, ""), ("valid", 9, " z"), ("test", 12, " q")):
        lines = (f"{WORDS[place % 3]}{mark}" for place in range(count))
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_no_text_of_the_test_part_is_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = texts(tmp_path / "data")
    line = ["train", "generate", str(data), "--model", "ngram", "--set", "data.format=lines"]
    _, err = said_by(capsys, *line, "--out", str(tmp_path / "run"))
    assert "train from train.txt, test from test.txt, validation from valid.txt" in err
    assert "--set data.split=drawn" in err
    model = ensue.open(tmp_path / "run")
    assert {"q", "z"}.isdisjoint(
        model.codec.spellings() and "".join(map(model.codec.symbol, range(model.codec.size)))
    )
    parts = model.parts
    assert [len(one.offsets) - 1 for one in (parts.train, parts.validation, parts.test)] == [
        60,
        9,
        12,
    ]
    ngram = model.run.about["ngram"]
    assert not ngram[
        "validation"
    ]  # it has a file of its own, so the figures compare with those of others
    own = last_json(capsys, "evaluate", str(tmp_path / "run"))
    given = last_json(capsys, "evaluate", str(tmp_path / "run"), str(data))
    assert given.pop("notes") == [
        f"{data}: only the files of the test part are scored, by their names"
    ]
    assert given == own
    out, _ = said_by(capsys, "evaluate", str(tmp_path / "run"), str(data))
    assert "only the files of the test part" in out.splitlines()[0]


def test_all_texts_are_read_together_where_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = texts(tmp_path / "data")
    line = ["train", "generate", str(data), "--model", "ngram", "--set", "data.format=lines"]
    said_by(capsys, *line, "--set", "data.split=drawn", "--out", str(tmp_path / "run"))
    parts = ensue.open(tmp_path / "run").parts
    assert sum(len(one.offsets) - 1 for one in (parts.train, parts.validation, parts.test)) == 81
    assert parts.given == ()
    scored = last_json(capsys, "evaluate", str(tmp_path / "run"), str(data))
    assert all("only the files of the test part are scored" not in note for note in scored["notes"])
    assert scored["tokens"] == sum(
        len(path.read_text().split()) + path.read_text().count("\n") for path in data.iterdir()
    )


def test_a_text_of_the_folder_that_is_given_for_a_part_is_not_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = texts(tmp_path / "data")
    (data / "train.txt").rename(data / "a.txt")
    (data / "valid.txt").unlink()
    line = ["train", "generate", str(data), "--model", "ngram", "--set", "data.format=lines"]
    said_by(capsys, *line, "--test", str(data / "test.txt"), "--out", str(tmp_path / "run"))
    parts = ensue.open(tmp_path / "run").parts
    assert len(parts.train.offsets) + len(parts.validation.offsets) - 2 == 60
    assert len(parts.test.offsets) - 1 == 12


def test_resume_knows_which_parts_have_files_of_their_own(tmp_path: Path) -> None:
    data = texts(tmp_path / "data")
    settings = ["data.format=lines", "training.steps=2"]
    ensue.train("generate", data, size="tiny", out=tmp_path / "run", settings=settings)
    assert ensue.open(tmp_path / "run").parts.given == ("validation", "test")


@pytest.mark.parametrize("count", [3, 4, 8])
def test_check_says_of_few_records_what_training_says(
    count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("".join(f"name{'abcdefgh'[place]}\n" for place in range(count)))
    trained = main(
        ["train", "generate", str(names), "--model", "ngram", "--out", str(tmp_path / "run")]
    )
    assert main(["check", str(names), "--task", "generate"]) == trained == 0


def test_check_tells_the_parts_of_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said_by(capsys, "check", str(texts(tmp_path / "data")), "--task", "generate")
    assert "train from train.txt, test from test.txt, validation from valid.txt" in out


def sentences(count: int, tag: str) -> str:
    return "".join(
        f"the DET\n{['cat', 'dog', 'bird'][place % 3]} {tag}\n\n" for place in range(count)
    )


def test_no_sentence_of_the_test_part_is_learned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    data.mkdir()
    for name, count in (("train", 40), ("dev", 6), ("test", 9)):
        (data / f"{name}.conll").write_text(sentences(count, "NOUN"))
    line = ["train", "tag", str(data), "--model", "hmm"]
    _, err = said_by(capsys, *line, "--out", str(run))
    assert "train from train.conll, validation from dev.conll, test from test.conll" in err
    examples = ensue.open(run).run.about["data"]["examples"]
    assert {part: one["sentences"] for part, one in examples.items()} == {
        "train": 40,
        "validation": 6,
        "test": 9,
    }
    scored = last_json(capsys, "evaluate", str(run), str(data))
    assert (
        "only the files of the test part are scored, by their names" in scored["details"]["notes"]
    )
    assert scored["metrics"] == last_json(capsys, "evaluate", str(run))["metrics"]
    said_by(capsys, *line, "--set", "data.split=drawn", "--out", str(tmp_path / "drawn"))
    examples = ensue.open(tmp_path / "drawn").run.about["data"]["examples"]
    assert sum(one["sentences"] for one in examples.values()) == 55
    out, _ = said_by(capsys, "check", str(data), "--task", "tag")
    assert "train from train.conll" in out
