"""A tagger and files that are laid out otherwise than those it was trained on."""

import json
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from ensue.cli.main import main

SENTENCES = [
    [
        ("Anna", "NN", "B-PER"),
        ("went", "VB", "O"),
        ("to", "TO", "O"),
        (place, "NN", "B-LOC"),
        (".", ".", "O"),
    ]
    for place in ("Rom", "Bern", "Oslo", "Wien") * 10
]
TAGS = ["NN", "VB", "TO", "NN", "."]


def columns(form: str, sentences: list = SENTENCES) -> str:
    return "\n".join("".join(form.format(w=w, p=p, n=n) for w, p, n in own) for own in sentences)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run whose columns were named by a header."""
    folder = tmp_path_factory.mktemp("tag")
    (folder / "a.tsv").write_text("token\tpos\tner\n" + columns("{w}\t{p}\t{n}\n"))
    named = [
        "--word",
        "token",
        "--column",
        "pos",
        "--model",
        "most-frequent-tag",
        "--out",
        str(folder / "run"),
    ]
    assert main(["train", "tag", str(folder / "a.tsv"), *named]) == 0
    return str(folder / "run")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("same.tsv", columns("{w}\t{p}\t{n}\n")),
        ("words.tsv", columns("{w}\n")),
        ("words.txt", columns("{w}\n")),
        ("four.txt", columns("{w} {p} _ {n}\n")),
        ("commas.txt", columns("{w} a,b,c {n}\n")),
        ("header.tsv", "ner\ttoken\n" + columns("{n}\t{w}\n")),
    ],
)
def test_columns_named_by_a_header_are_found_in_files_without(
    run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    capsys.readouterr()
    assert main(["tag", run, str(tmp_path / name), "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(told) == len(SENTENCES)
    assert (told[1]["tokens"], told[1]["tags"]) == ([w for w, _, _ in SENTENCES[1]], TAGS)


def test_a_column_that_was_numbered_is_that_of_files_with_as_many(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.tsv").write_text(columns("{n}\t{w}\n"))
    named = [
        "--word",
        "2",
        "--column",
        "1",
        "--model",
        "most-frequent-tag",
        "--out",
        str(tmp_path / "run"),
    ]
    assert main(["train", "tag", str(tmp_path / "a.tsv"), *named]) == 0
    for name, form in (("four.txt", "{w} {p} _ {n}\n"), ("two.tsv", "_\t{w}\n")):
        (tmp_path / name).write_text(columns(form))
        capsys.readouterr()
        assert main(["tag", str(tmp_path / "run"), str(tmp_path / name), "--json"]) == 0
        told = json.loads(capsys.readouterr().out.splitlines()[0])
        assert (told["tokens"][0], told["tags"]) == ("Anna", ["B-PER", "O", "O", "B-LOC", "O"])


def test_evaluate_tells_how_it_read_and_refuses_tags_of_another_column(
    run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "same.tsv").write_text(columns("{w}\t{p}\t{n}\n"))
    (tmp_path / "four.txt").write_text(columns("{w} {p} _ {n}\n"))
    assert main(["evaluate", run, str(tmp_path / "same.tsv"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["metrics"]["tag_accuracy"] == 1
    assert told["details"]["notes"].endswith(
        "read as columns by tab, the word in column 1, the tag in column 2"
    )
    assert main(["evaluate", run, str(tmp_path / "four.txt")]) == 2
    error = capsys.readouterr().err
    assert (
        "none of its tags was in training; it was read as columns by blanks, the word in "
        "column 1, the tag in"
    ) in error
    assert "write this one as .tsv: word, tab, tag on each line" in error
    (tmp_path / "mended.tsv").write_text(columns("{w}\t{p}\n"))
    assert main(["evaluate", run, str(tmp_path / "mended.tsv")]) == 0


def test_figures_of_spans_are_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.tsv").write_text(columns("{w}\t{n}\n"))
    out = str(tmp_path / "run")
    assert (
        main(
            ["train", "tag", str(tmp_path / "a.tsv"), "--model", "most-frequent-tag", "--out", out]
        )
        == 0
    )
    capsys.readouterr()
    assert main(["evaluate", out, str(tmp_path / "a.tsv")]) == 0
    shown = capsys.readouterr().out
    assert "spans: scheme IOB2\n" in shown
    assert (
        "\nspans per type:\nname  count  precision  recall     f1\nLOC      40      "
        "1.000   1.000  1.000\n"
    ) in shown
    assert "{" not in shown


JSON = json.dumps([{"tokens": ["Anna", "went"], "tags": ["NN", "VB"]}])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "word\nAnna\n",
            "CSV is not a format for tagged sentences; write it as .tsv",
        ),
        (
            "a.txt",
            columns("{w},{p},{n}\n"),
            "CSV is not a format for tagged sentences",
        ),
        (
            "a.json",
            JSON,
            (
                "one list or object of JSON holds all sentences; write it as JSON Lines: one "
                "object a line"
            ),
        ),
        ("b.json", JSON.replace("[{", "[\n {"), "one list or object of JSON holds all sentences"),
        ("c.json", '{\n "data": []\n}', "one list or object of JSON holds all sentences"),
    ],
)
def test_tables_are_no_text(
    run: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: str,
    message: str,
) -> None:
    (tmp_path / name).write_text(content)
    for command in (["tag", run], ["train", "tag", "--out", str(tmp_path / "run")]):
        capsys.readouterr()
        assert main([*command, str(tmp_path / name)]) == 2
        told = capsys.readouterr()
        assert message in told.err
        assert not told.out
    if name != "a.csv":
        monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(content.encode())))
        assert main(["tag", run, "-"]) == 2
        assert message in capsys.readouterr().err
