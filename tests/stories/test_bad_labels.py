"""What is wrong with labelled data is told in one line: what, where, and how to mend it."""

import json
from pathlib import Path

import pytest

from ensue.cli.main import main
from ensue.data.files import find_files

ROWS = [("a good film", "pos"), ("a bad film", "neg")] * 12


def table(rows: list[tuple[object, object]], header: str = "text,label") -> str:
    return "\n".join([header, *(f"{text},{label}" for text, label in rows)]) + "\n"


def train(path: Path, *more: str, model: str = "majority") -> list[str]:
    out = path.with_name(f"{path.stem}-run")
    return ["train", "classify", str(path), "--out", str(out), "--model", model, *more]


def told(capsys: pytest.CaptureFixture[str], *line: str) -> str:
    """Give the one line that is said of wrong input; nothing is left of the run."""
    capsys.readouterr()
    assert main(line) == 2
    out, err = capsys.readouterr()
    assert out == ""
    said, *notes = reversed(err.splitlines())
    assert said.startswith("ensue: ")
    assert not any(note.startswith("ensue: ") for note in notes)
    return said


WRONG = {
    "one class": (table([(text, "pos") for text, _ in ROWS]), "every example has the label 'pos'"),
    "a class with one example": (
        table([*ROWS, ("odd", "mixed")]),
        "data.csv:26: the label 'mixed' has this one example",
    ),
    "an empty text": (
        table([*ROWS[:4], ("", "pos"), *ROWS]),
        "data.csv:6: column 'text' is empty in this row",
    ),
    "blanks for a text": (
        table([*ROWS[:4], ("  ", "pos"), *ROWS]),
        "data.csv:6: column 'text' is empty in this row",
    ),
    "no label": (
        table([*ROWS[:4], ("fine", ""), *ROWS]),
        "data.csv:6: column 'label' is empty in this row",
    ),
    "two columns of one name": (
        table(ROWS, "text,text"),
        "data.csv:1: two columns have the name 'text'; give each column",
    ),
    "one group": (
        table([(text, f"{label},x") for text, label in ROWS], "text,label,who"),
        "24 examples in 1 group(s) are",
    ),
    "a list for a text": (
        '{"text": ["a", "film"], "label": "x"}\n' * 9,
        ".jsonl:1: column 'text' holds a list in this row",
    ),
    "no rows": ("text,label\n", "the table has no rows"),
    "too few examples": (table(ROWS[:4]), "4 examples are too few to split: the "),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_tables(wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, expected = WRONG[wrong]
    path = tmp_path / ("data.jsonl" if text.startswith("{") else "data.csv")
    path.write_text(text)
    assert expected in told(capsys, *train(path, *(["--group", "who"] if "who" in text else [])))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("nan", "the label 'nan' is not finite"),
        ("inf", "is not finite"),
        ("much", "the label 'much' is not a number"),
    ],
)
def test_wrong_numbers_for_labels(
    label: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data.csv"
    rows: list[tuple[object, object]] = [(f"text {n} here", n / 7) for n in range(40)]
    path.write_text(table([*rows[:5], ("odd one", label), *rows[5:]]))
    said = told(capsys, *train(path))
    assert expected in said
    assert "data.csv:7: " in said


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--label", "lable"], "there is no column 'lable'; did you mean label?"),
        (["--text", "label", "--label", "label"], "column 'label' cannot be both text and label"),
        (["--text", "nothing"], "there is no column 'nothing'; choose from"),
        (["--format", "tabel"], "--format: there is no format 'tabel'; did you mean table?"),
        (
            ["--pretrained", "nowhere"],
            "--pretrained: the model majority cannot use a pretrained run",
        ),
        (
            ["--set", "labels.kind=ordinal", "--set", 'labels.order=["neg"]'],
            "the label 'pos' has no place in the order",
        ),
    ],
)
def test_wrong_flags(
    flags: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data.csv"
    path.write_text(table(ROWS))
    assert expected in told(capsys, *train(path), *flags)


def test_wrong_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "data.csv"
    path.write_text(table(ROWS))
    said = told(capsys, *train(path, model="lsmt"))
    assert "--model: there is no model 'lsmt' for classify; did you mean lstm?" in said
    said = told(capsys, *train(path, model="embedding-bag"), "--auxiliary", "lm")
    assert "--auxiliary: an auxiliary language model does not fit this model" in said
    assert "nowhere: there is no such run folder" in told(
        capsys, *train(path, model="lstm"), "--pretrained", "nowhere"
    )


def test_too_few_numbers_to_promise_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data.csv"
    path.write_text(table([(f"text {n}", n / 3) for n in range(30)]))
    assert main(train(path)) == 0
    assert "no bounds (too few calibration examples; 9 are needed)" in capsys.readouterr().out
    result = (tmp_path / "data-run" / "result.json").read_text()
    assert "Infinity" not in result
    assert json.loads(result)["details"]["prediction_sets"]["mean_width"] is None
    path = tmp_path / "labels.csv"
    path.write_text(table([(f"text {n}", "ab"[n % 2]) for n in range(30)]))
    assert main(train(path)) == 0
    assert "every label (too few calibration examples; 9 are needed)" in capsys.readouterr().out


def test_columns_that_cannot_be_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "data.csv"
    path.write_text(
        "title,body,kind,source\n"
        + "".join(f"the title {n},a long body {n},{n % 2},{n % 3}\n" for n in range(20))
    )
    said = told(capsys, *train(path))
    assert (
        "several columns could be the text (title, body); name one 'text', or choose one of" in said
    )
    assert "with --text" in said
    assert "several columns could be the label (kind, source)" in told(
        capsys, *train(path), "--text", "body"
    )


def test_rows_that_lack_something_are_left_out_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data.csv"
    path.write_text(table([*ROWS, ("", "pos"), ("fine", "")]))
    assert main([*train(path), "--set", "data.reader.incomplete=leave out", "--json"]) == 0
    assert "2 rows without text or label left out" in capsys.readouterr().err


def test_parts_share_neither_groups_nor_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, test = tmp_path / "data.csv", tmp_path / "test.csv"
    rows = [(text, f"{label},{place // 2}") for place, (text, label) in enumerate(ROWS)]
    path.write_text(table([*rows], "text,label,who"))
    test.write_text(table([("fine", "pos,99"), ("poor", "neg,3")], "text,label,who"))
    said = told(capsys, *train(path, "--group", "who", "--test", str(test)))
    assert "test.csv:3: the group '3' is in both the " in said
    assert said.endswith(" and the test part; remove it from one of the files")
    said = told(capsys, *train(path, "--test", str(path)))
    assert said.endswith("data.csv: the file was given twice; give each part files of its own")


def test_files_beside_the_folders_of_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, (text, label) in enumerate(ROWS):
        (tmp_path / "mail" / label).mkdir(parents=True, exist_ok=True)
        (tmp_path / "mail" / label / f"{place}.txt").write_text(text)
    (tmp_path / "mail" / "pos" / ".DS_Store").write_bytes(b"\0\1")
    (tmp_path / "mail" / "pos" / "scan.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    (tmp_path / "mail" / "README.md").write_text("Old mail.")
    (tmp_path / "mail" / "odd.txt").write_text("Old mail.")
    said = told(capsys, *train(tmp_path / "mail"))
    assert (
        "odd.txt: the file is next to the folders of classes; leave it out, or name the folders"
        in said
    )
    (tmp_path / "mail" / "odd.txt").unlink()
    assert main(train(tmp_path / "mail")) == 0
    err = capsys.readouterr().err
    assert "scan.png: left out, since it is" in err
    assert "README.md: left out, since it is a note on the data, by its name" in err


def test_labels_that_were_never_in_training_are_scored_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, test = tmp_path / "data.csv", tmp_path / "test.csv"
    path.write_text(table(ROWS))
    test.write_text(table([*ROWS[:6], ("odd", "mixed"), ("odder", "mixed")]))
    assert main([*train(path), "--test", str(test)]) == 0
    out, err = capsys.readouterr()
    assert "labels that training does not have are reported separately: 'mixed' (2)" in err
    assert (
        "2 test examples have labels that training has not; they are excluded from these metrics"
        in out
    )
    result = json.loads((tmp_path / "data-run" / "result.json").read_text())
    assert result["details"]["skipped"]["test"] == {
        "unseen_labels": {"mixed": 2},
        "shortened": 0,
        "duplicates_of_train": 6,
        "unknown_channels": {},
    }
    assert "6 of its 6 texts are also in the training part, letter for letter" in err
    assert "6 test texts are exact duplicates of training texts" in out
    assert result["metrics"]["accuracy"] == 0.5
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "data-run"), str(test), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["details"]["unseen_labels"] == {"mixed": 2}


def test_a_text_of_a_hundred_thousand_steps_among_short_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data.csv"
    path.write_text(table([*ROWS, ("good " * 100_000, "pos"), *ROWS]))
    assert main([*train(path, model="embedding-bag"), "--set", "training.steps=2"]) == 0
    err = capsys.readouterr().err
    assert "are cut to their first 512 steps" in err
    told = json.loads((tmp_path / "data-run" / "result.json").read_text())["details"]["skipped"]
    assert sum(part["shortened"] for part in told.values()) == 1
    arrays = list((tmp_path / "data-run" / "cache").glob("*.npy"))
    assert sum(array.stat().st_size for array in arrays) < 20_000


def test_rows_are_not_written_over_the_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data.csv"
    path.write_text(table(ROWS))
    assert main(train(path)) == 0
    said = told(capsys, "classify", str(tmp_path / "data-run"), str(path), "--out", str(path))
    assert said.endswith(
        "data.csv: the output would overwrite the data; name another file with --out"
    )
    assert path.read_text() == table(ROWS)


def test_nothing_to_classify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "data.csv"
    path.write_text(table(ROWS))
    assert main(train(path)) == 0
    run = str(tmp_path / "data-run")
    assert "the text is empty; give some text, or a file" in told(capsys, "classify", run, " ")
    (tmp_path / "new.csv").write_text("text\nfine\n \n")
    assert main(["classify", run, str(tmp_path / "new.csv")]) == 0
    error = capsys.readouterr().err
    assert "new.csv: no prediction for 1 example, since the text is empty (at 3)" in error
    (tmp_path / "other.csv").write_text("review,stars\nfine,3\ngood,4\n")
    assert "there is no column 'text'" in told(capsys, "classify", run, str(tmp_path / "other.csv"))
    only = tmp_path / "odd.csv"
    only.write_text(table([("odd", "mixed")]))
    assert "training has none of its labels" in told(capsys, "evaluate", run, str(only))
    assert "need a run of `generate`" in told(capsys, "evaluate", run, "--lines")
    assert "nwe.csv: there is no such file" in told(capsys, "classify", run, "nwe.csv")
    assert "the run was trained to classify, not to generate" in told(capsys, "generate", run)


def test_a_mend_is_one_that_the_command_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, other = tmp_path / "data.csv", tmp_path / "other.csv"
    path.write_text(table(ROWS))
    assert main(train(path)) == 0
    run = str(tmp_path / "data-run")
    other.write_bytes(table([("a café", "pos"), *ROWS]).encode("latin-1"))
    hint = (
        "other.csv:2: byte 0xE9 is not UTF-8; it looks like Windows-1252; make it UTF-8 with "
        "iconv -f cp1252 -t utf-8"
    )
    for verb in ("classify", "evaluate"):
        assert told(capsys, verb, run, str(other)).endswith(hint)
    for line in (["check", str(other), "--task", "classify"], train(other)):
        assert main(line) == 2
        assert capsys.readouterr().err.rstrip().endswith(f"{hint}, or give --set encoding=cp1252")
    other.write_text("text,label\n ,pos\n")
    said = "other.csv: no example has a text and a label; give another file"
    assert told(capsys, "evaluate", run, str(other)).endswith(said)
    (tmp_path / "texts.txt").write_text("one\ntwo\n")
    said = (
        "every example has the label 'texts'; give examples of other classes, or name a "
        "folder with a file for each"
    )
    assert said in told(capsys, *train(tmp_path / "texts.txt"))


def test_notes_beside_tables_are_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.csv").write_text(
        table([(f"{text} {place}", label) for place, (text, label) in enumerate(ROWS)])
    )
    (folder / "README.txt").write_text("Old films.\n")
    (folder / "FILMS_README.md").write_text("Older films.\n")
    (folder / "SHA256SUMS").write_text("0  a.csv\n")
    (folder / "notes").write_text("Nothing.\n")
    notes = ["FILMS_README.md", "README.txt", "SHA256SUMS"]
    left_out = [f"{name}: left out, since it is a note on the data, by its name" for name in notes]
    left_out += ["notes: left out, since it is not a table, and the folder has tables"]
    assert main(["check", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "Checked as data for `ensue train classify`" in out
    assert all(line in out for line in left_out)
    assert main(train(folder)) == 0
    err = capsys.readouterr().err
    assert all(line in err for line in left_out)
    (folder / "a.csv").unlink()
    (folder / "notes").unlink()
    assert [path.name for path in find_files([folder])] == notes  # there is nothing else


def test_every_file_of_several_has_the_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text(table(ROWS))
    (tmp_path / "data" / "b.csv").write_text("review,label\ngood,pos\n")
    said = told(capsys, *train(tmp_path / "data", "--text", "text", "--label", "label"))
    assert said.endswith("b.csv: there is no column 'text'; choose from label, review")
    rows = [{"text": text, "label": label} for text, label in ROWS]
    lines = [json.dumps(row) for row in (*rows, {"label": "pos"}, {"label": "neg"})]
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(lines))
    assert told(capsys, *train(path)).endswith(
        "data.jsonl:25: column 'text' is empty in this row; fill it in, or give --set "
        "incomplete='leave out'"
    )
    assert main([*train(path), "--set", "incomplete=leave out"]) == 0
    assert "2 rows without text or label left out" in capsys.readouterr().err
