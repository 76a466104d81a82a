"""What comes in by the standard input is read as files are: the same answers, lines, figures and
errors."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ensue.cli.main import main

Pipe = Callable[[bytes], None]


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Pipe:
    def into(data: bytes) -> None:
        # As in a locale that lets bytes pass that are no text.
        stdin = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", errors="surrogateescape")
        monkeypatch.setattr("sys.stdin", stdin)

    return into


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("piped")
    (folder / "films.csv").write_text(
        "text,label\n" + "a warm film,pos\na dull film,neg\nso moving,pos\nstale,neg\n" * 20
    )
    (folder / "text.txt").write_text("the cat sat on the mat and the dog sat on the cat\n" * 60)
    films, text = str(folder / "films.csv"), str(folder / "text.txt")
    assert (
        main(["train", "classify", films, "--model", "ngram-bayes", "--out", str(folder / "films")])
        == 0
    )
    assert main(["train", "generate", text, "--model", "ngram", "--out", str(folder / "text")]) == 0
    return folder


def answer(capsys: pytest.CaptureFixture[str], *line: str) -> str:
    capsys.readouterr()
    assert main(list(line)) == 0
    return capsys.readouterr().out


def test_what_is_piped_is_read_as_what_it_is(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str], pipe: Pipe
) -> None:
    """It had the name of the training data: CSV for a run of a Parquet file was refused."""
    pandas = pytest.importorskip("pandas")
    months = pandas.date_range("2001-01-01", periods=60, freq="MS").strftime("%Y-%m")
    frame = pandas.DataFrame({"ds": months, "y": [float(n % 12) for n in range(60)]})
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    for name in ("a.parquet", "a.tsv"):
        file, run = str(tmp_path / name), str(tmp_path / f"run of {name}")
        ridge = ["--model", "ridge", "--set", "baselines.statistical=[]"]
        assert main(["train", "forecast", file, "--out", run, *ridge]) == 0
        expected = answer(capsys, "forecast", run, file, "--json").replace(': "a"', ': "data"')
        for data in (
            frame.to_csv(index=False),
            frame.to_csv(index=False, sep="\t"),
            frame.to_json(orient="records", lines=True),
            (tmp_path / "a.parquet").read_bytes(),
        ):
            pipe(data.encode() if isinstance(data, str) else data)
            assert answer(capsys, "forecast", run, "-", "--json") == expected
    films = pandas.DataFrame({"text": ["a warm film", "a dull film"]})
    films.to_parquet(tmp_path / "films.parquet")
    pipe((tmp_path / "films.parquet").read_bytes())
    piped = answer(capsys, "classify", str(folder / "films"), "-", "--json")
    assert [json.loads(one)["label"] for one in piped.splitlines()] == ["pos", "neg"]


ODD = b"\xef\xbb\xbfa warm film\r\n\r\n\na dull film\n   \nso moving"


def test_classify_answers_each_line_by_its_number(
    folder: Path, capsys: pytest.CaptureFixture[str], pipe: Pipe
) -> None:
    run = str(folder / "films")
    (folder / "odd.txt").write_bytes(ODD)
    of_file = answer(capsys, "classify", run, str(folder / "odd.txt"), "--json")
    pipe(ODD)
    piped = answer(capsys, "classify", run, "-", "--json")
    assert piped == of_file
    told = [json.loads(line) for line in piped.splitlines()]
    assert [one["line"] for one in told] == [1, 2, 3, 4, 5, 6]
    assert [told[at]["text"] for at in (0, 3, 5)] == ["a warm film", "a dull film", "so moving"]
    assert [told[at]["label"] for at in (0, 3, 5)] == ["pos", "neg", "pos"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a film\ncaf\xe9\n", "-:2: byte 0xE9 is not UTF-8; it looks like Windows-1252"),
        ("a film\n".encode("utf-16"), "-: this is UTF-16 text, not UTF-8"),
        (
            b"a film\n\x00\n",
            "-:2: the text contains a NUL character; remove it, as with tr -d '\\000'",
        ),
        (b"", "-: nothing came in; give some text"),
    ],
)
@pytest.mark.parametrize(
    "command",
    [["classify", "films", "-"], ["evaluate", "text", "-"], ["generate", "text", "--prompt", "-"]],
)
def test_what_is_no_text_is_refused(
    command: list[str],
    data: bytes,
    message: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    pipe: Pipe,
) -> None:
    pipe(data)
    verb, run, *rest = command
    assert main([verb, str(folder / run), *rest]) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"ensue: {message}")
    assert told.out == ""


def test_bytes_of_the_command_line_that_are_no_text_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in (
        ["classify", str(folder / "films"), "caf\udce9"],
        ["generate", str(folder / "text"), "--prompt", "\udce9"],
    ):
        assert main(line) == 2
        assert "byte 0xE9 is not UTF-8" in capsys.readouterr().err


def test_evaluate_and_generate_read_it(
    folder: Path, capsys: pytest.CaptureFixture[str], pipe: Pipe
) -> None:
    run, text = str(folder / "text"), b"the dog sat\r\non the cat\n"
    (folder / "some.txt").write_bytes(text)
    of_file = answer(
        capsys, "evaluate", run, str(folder / "some.txt"), "--json", "--lines", "--novelty"
    )
    pipe(text)
    assert answer(capsys, "evaluate", run, "-", "--json", "--lines", "--novelty") == of_file
    pipe(b"the dog\r\nsat\n")
    assert answer(capsys, "generate", run, "--prompt", "-", "--length", "5").startswith(
        "the dog\nsat"
    )
    pipe(b"a warm film,pos\n")
    assert main(["evaluate", str(folder / "films"), "-"]) == 2  # a table has a header
    table = b"text,label\na warm film,pos\nstale,neg\n"
    pipe(table)
    (folder / "more.csv").write_bytes(table)
    piped = answer(capsys, "evaluate", str(folder / "films"), "-", "--json")
    assert piped == answer(
        capsys, "evaluate", str(folder / "films"), str(folder / "more.csv"), "--json"
    )
    assert main(["evaluate", run, "--liness"]) == 2
    assert "Unknown option: --liness; see `ensue evaluate --help`" in capsys.readouterr().err
    pipe(b"x")
    assert main(["generate", run, "--prompt", "-", "--interactive"]) == 2


def test_tag_reads_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], pipe: Pipe
) -> None:
    (tmp_path / "a.tsv").write_text("the\tD\ncat\tN\nruns\tV\n\n" * 20)
    run, text = str(tmp_path / "run"), b"\xef\xbb\xbf\r\nthe cat\r\n\r\nthe cat runs"
    assert main(["train", "tag", str(tmp_path / "a.tsv"), "--model", "hmm", "--out", run]) == 0
    (tmp_path / "b.txt").write_bytes(text)
    of_file = answer(capsys, "tag", run, str(tmp_path / "b.txt"), "--json")
    pipe(text)
    assert answer(capsys, "tag", run, "-", "--json") == of_file
    assert [json.loads(line)["line"] for line in of_file.splitlines()] == [2, 4]
    for data, message in (
        (b"a\ncaf\xe9\n", "-:2: byte 0xE9 is not UTF-8"),
        (b"", "-: nothing came in"),
    ):
        pipe(data)
        assert main(["tag", run, "-"]) == 2
        assert capsys.readouterr().err.startswith(f"ensue: {message}")
    assert main(["tag", run, "caf\udce9 is"]) == 2
    assert "byte 0xE9 is not UTF-8" in capsys.readouterr().err


ROWS = [("a warm film", "pos"), ("stale", "neg"), ("so moving", "pos")]


@pytest.mark.parametrize(
    "table",
    [
        "text,label\n" + "".join(f"{text},{label}\n" for text, label in ROWS),
        "label;text\n" + "".join(f"{label};{text}\n" for text, label in ROWS),
        "\ufefftext\tlabel\r\n" + "".join(f"{text}\t{label}\r\n" for text, label in ROWS),
        "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS),
    ],
)
def test_tables_come_in_as_well_as_texts(
    folder: Path, capsys: pytest.CaptureFixture[str], pipe: Pipe, table: str
) -> None:
    pipe(table.encode())
    told = [
        json.loads(line)
        for line in answer(capsys, "classify", str(folder / "films"), "-", "--json").splitlines()
    ]
    assert [(one["text"], one["label"]) for one in told] == ROWS
    pipe(table.encode())
    assert main(["classify", str(folder / "films"), "-"]) == 0
    assert "-: read as a table: its first line names the column 'text'" in capsys.readouterr().err
    pipe(table.encode())
    scored = json.loads(answer(capsys, "evaluate", str(folder / "films"), "-", "--json"))
    assert (scored["details"]["examples"], scored["metrics"]["accuracy"]) == (3, 1.0)


@pytest.mark.parametrize(
    "texts", ["text\na warm film\n", "a text, label\nstale\n", '{"x": 1}\nstale\n', "{\nstale\n"]
)
def test_lines_that_name_no_column_are_texts(
    folder: Path, capsys: pytest.CaptureFixture[str], pipe: Pipe, texts: str
) -> None:
    pipe(texts.encode())
    told = [
        json.loads(line)
        for line in answer(capsys, "classify", str(folder / "films"), "-", "--json").splitlines()
    ]
    assert [one["text"] for one in told] == texts.splitlines()


def test_tagged_words_come_in_any_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pipe: Pipe
) -> None:
    row = json.dumps({"tokens": ["the", "cat"], "tags": ["D", "N"]}) + "\n"
    (tmp_path / "a.jsonl").write_text(row * 20)
    run = str(tmp_path / "run")
    assert (
        main(
            [
                "train",
                "tag",
                str(tmp_path / "a.jsonl"),
                "--model",
                "most-frequent-tag",
                "--out",
                run,
            ]
        )
        == 0
    )
    for content in (row, "the D\ncat N\n", "the\tD\ncat\tN\n"):
        pipe(content.encode())
        assert (
            json.loads(answer(capsys, "evaluate", run, "-", "--json"))["metrics"]["tag_accuracy"]
            == 1
        )
