"""What a person types to tag words, from a treebank to a run and its use, and what programs rely
on."""

import io
import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ensue
from ensue.cli.main import main
from ensue.data.dataset import load_examples
from ensue.data.demos.tokens import tag_lines
from ensue.errors import SettingError

WORDS = {
    "D": ("the", "a"),
    "A": ("old", "red", "tiny"),
    "N": ("cat", "dog", "king", "fish"),
    "V": ("sees", "finds"),
}
QUICK = [
    "--size",
    "tiny",
    "--set",
    "hardware.threads=1",
    "--set",
    "codec.min_count=1",
    "--seed",
    "3",
    "--epochs",
    "4",
]


def sentence(dice: random.Random) -> list[tuple[str, str]]:
    """A sentence whose word "fish" is a noun, or a verb after "to"."""
    noun = [(dice.choice(WORDS[tag]), tag) for tag in ("D", "A", "N")]
    return dice.choice(
        [[*noun, (dice.choice(WORDS["V"]), "V"), *noun], [*noun, ("to", "P"), ("fish", "V")]]
    )


def conllu(sentences: list[list[tuple[str, str]]]) -> str:
    blocks = []
    for words in sentences:
        rows = [
            f"{n}\t{word}\t{word}\t{tag}\t_\t_\t_\t_\t_\t_"
            for n, (word, tag) in enumerate(words, 1)
        ]
        blocks.append("\n".join(["# a comment", *rows, ""]))
    return "\n".join(blocks) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, dice = tmp_path_factory.mktemp("tag"), random.Random(1)
    (folder / "train.conllu").write_text(conllu([sentence(dice) for _ in range(300)]))
    (folder / "test.conllu").write_text(conllu([sentence(dice) for _ in range(40)]))
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> str:
    out = folder / "run"
    test = ["--test", str(folder / "test.conllu")]
    assert (
        main(["train", "tag", str(folder / "train.conllu"), "--out", str(out), *test, *QUICK]) == 0
    )
    return str(out)


def answer(capsys: pytest.CaptureFixture[str], *line: str) -> str:
    capsys.readouterr()
    assert main(line) == 0
    return capsys.readouterr().out


def test_a_network_learns_and_stands_beside_its_baselines(run: str) -> None:
    result = json.loads(Path(run, "result.json").read_text())
    assert result["task"] == "tag"
    assert result["metrics"]["tag_accuracy"] == 1.0
    scores = {one["name"]: one["metrics"]["tag_accuracy"] for one in result["rows"]}
    assert {"most-frequent-tag", "hmm", "bidirectional lstm 48, crf"} <= set(scores)
    assert scores["most-frequent-tag"] < 1
    assert scores["hmm"] == scores["bidirectional lstm 48, crf"] == 1.0
    report = Path(run, "report.md").read_text()
    assert "bidirectional lstm 48, crf" in report
    assert "## Metrics by tag" in report


def test_a_text_is_cut_into_words_and_tagged(
    run: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "notes.txt").write_text("the old king sees the\nred cat. The cat\n")
    lines = answer(capsys, "tag", run, str(folder / "notes.txt")).splitlines()
    assert lines[1] == "# text = the old king sees the red cat."
    assert [line.split("\t")[3] for line in lines[2:9]] == ["D", "A", "N", "V", "D", "A", "N"]
    assert all(line.count("\t") == 9 for line in lines if line and line[0].isdigit())
    assert lines[8].endswith("\tSpaceAfter=No")
    said = json.loads(answer(capsys, "tag", run, "a dog to fish", "--json"))
    assert said["tokens"] == ["a", "dog", "to", "fish"]
    assert said["tags"][-1] == "V"
    assert len(said["probabilities"]) == 4


def test_text_comes_from_the_standard_input(
    run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("the cat\n\nto fish\n"))
    said = [json.loads(line) for line in answer(capsys, "tag", run, "-", "--json").splitlines()]
    assert [(one["line"], one["tags"]) for one in said] == [(1, ["D", "N"]), (3, ["P", "V"])]


def test_words_alone_are_tagged(run: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "words.conll").write_text("the\ncat\n\nto\nfish\n")
    said = [
        json.loads(line)
        for line in answer(capsys, "tag", run, str(folder / "words.conll"), "--json").splitlines()
    ]
    assert [one["tags"] for one in said] == [["D", "N"], ["P", "V"]]


def test_training_ends_with_its_result_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.tsv").write_text("a\tX\nb\tY\n\n" * 20)
    out = answer(
        capsys,
        "train",
        "tag",
        str(tmp_path / "a.tsv"),
        "--out",
        str(tmp_path / "run"),
        "--model",
        "hmm",
        "--json",
    )
    last = json.loads(out.splitlines()[-1])
    assert last["event"] == "result"
    assert (
        last["metrics"]["tag_accuracy"]
        == last["baselines"]["most-frequent-tag"]["tag_accuracy"]
        == 1.0
    )


def test_what_is_read_is_said(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tag", run, "a dog"]) == 0
    assert (
        "plain text, split into sentences and words by ensue's own rules" in capsys.readouterr().err
    )
    assert main(["tag", run, "nowhere.txt"]) == 2
    assert "there is no such file" in capsys.readouterr().err
    for nothing in (" ", ""):
        assert main(["tag", run, nothing]) == 2
        assert "the text is empty" in capsys.readouterr().err
    assert main(["classify", run, "a dog"]) == 2
    assert "the run was trained to tag, not to classify" in capsys.readouterr().err


def test_bytes_that_are_no_text_are_refused(
    run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9\n"), encoding="utf-8"))
    assert main(["tag", run, "-"]) == 2
    assert "-:1: byte 0xE9 is not UTF-8; it looks like Windows-1252" in capsys.readouterr().err


def test_its_data_is_not_written_over(
    run: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "texts").mkdir()
    path = folder / "texts" / "new.txt"
    path.write_text("it runs\n")
    for data, out in (
        (path, path),
        (path.parent, path),
        (path.parent, folder / "texts" / "new.conllu"),
    ):
        assert main(["tag", run, str(data), "--out", str(out)]) == 2
        said = f"ensue: {out}: the output would overwrite the data; name another file with --out\n"
        assert capsys.readouterr().err == said
    assert [one.name for one in path.parent.iterdir()] == ["new.txt"]
    path.write_bytes("caf\u00e9 caf\u00e9\n".encode("latin-1"))
    assert main(["tag", run, str(path)]) == 2
    assert capsys.readouterr().err.endswith("make it UTF-8 with iconv -f cp1252 -t utf-8\n")
    path.with_suffix(".conllu").write_text("1 a _ X\n")
    assert main(["tag", run, str(path.with_suffix(".conllu"))]) == 2
    assert capsys.readouterr().err.endswith(
        "correct the line, or name the format with --read conllu|columns|tsv|jsonl\n"
    )
    assert main(["evaluate", run, str(path.with_suffix(".conllu"))]) == 2
    assert capsys.readouterr().err.endswith("and CoNLL-U has 10; correct the line\n")


def test_conllu_comes_back_with_its_other_columns(
    run: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = (folder / "test.conllu").read_text()
    for tag in "DANVP":
        empty = empty.replace(f"\t{tag}\t_", "\t_\t_")
    (folder / "empty.conllu").write_text(empty)
    out = folder / "told.conllu"
    assert main(["tag", run, str(folder / "empty.conllu"), "--out", str(out)]) == 0
    assert out.read_text().split() == (folder / "test.conllu").read_text().split()


@pytest.mark.parametrize("column", ["", "2"])
def test_what_is_told_of_other_formats_can_be_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], column: str
) -> None:
    (tmp_path / "a.txt").write_text("Rom NNP B-LOC\nruft VB O\n\nruft VB O\nan IN O\n\n" * 20)
    out, chosen = str(tmp_path / "run"), ["--column", column] if column else []
    assert (
        main(["train", "tag", str(tmp_path / "a.txt"), "--model", "hmm", "--out", out, *chosen])
        == 0
    )
    (tmp_path / "b.jsonl").write_text('{"tokens": ["Rom", "an\\tRom"]}\n')
    for ending, more in (("conllu", []), ("jsonl", ["--json"])):
        told, again = str(tmp_path / "told.conllu"), str(tmp_path / f"again.{ending}")
        assert main(["tag", out, str(tmp_path / "b.jsonl"), "--out", told]) == 0
        assert main(["tag", out, told, *more, "--out", again]) == 0
        found = json.loads(answer(capsys, "evaluate", out, again, "--json"))
        assert found["metrics"]["tag_accuracy"] == 1.0
        assert found["details"]["words"] == 2
        assert ("span_f1" in found["metrics"]) == (not column)


def test_evaluate_gives_what_training_gave(
    run: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = json.loads(answer(capsys, "evaluate", run, "--json"))
    assert own["metrics"] == json.loads(Path(run, "result.json").read_text())["metrics"]
    found = json.loads(answer(capsys, "evaluate", run, str(folder / "test.conllu"), "--json"))
    assert found["metrics"] == own["metrics"]
    assert "tag accuracy" in answer(capsys, "evaluate", run)


def test_unseen_tags_are_counted_and_told_apart(
    run: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "odd.conllu").write_text(conllu([[("the", "D"), ("cat", "N"), ("oh", "I")]]))
    found = json.loads(answer(capsys, "evaluate", run, str(folder / "odd.conllu"), "--json"))
    unseen = found["details"]["unseen_tags"]
    assert (unseen["words"], unseen["tags"]) == (1, ["I"])
    known = unseen["tag_accuracy_of_seen_tags"]
    assert known > 0
    assert found["metrics"]["tag_accuracy"] == pytest.approx(known * 2 / 3)


def test_the_same_in_python(run: str) -> None:
    assert ensue.open(run).tag([["the", "cat"], ["to", "fish"]]) == [["D", "N"], ["P", "V"]]


MODELS = [
    ["--model", "hmm"],
    ["--model", "most-frequent-tag"],
    ["--model", "convolution", "--size", "tiny", "--set", "model.head=softmax"],
    ["--model", "gru", "--size", "tiny", "--set", "model.spelling=bidirectional"],
    ["--model", "recurrent", "--size", "tiny"],
]


@pytest.mark.parametrize("choice", MODELS, ids=" ".join)
def test_every_model_trains_and_opens(folder: Path, tmp_path: Path, choice: list[str]) -> None:
    out = tmp_path / "run"
    line = [
        "train",
        "tag",
        str(folder / "test.conllu"),
        "--out",
        str(out),
        *QUICK[2:-2],
        "--set",
        "training.steps=3",
    ]
    assert main([*line, *choice]) == 0
    result = json.loads((out / "result.json").read_text())
    assert ensue.open(out).evaluate([]).metrics == result["metrics"]


def test_spans_and_vectors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "".join(
        f"in\tO\n{name}\tB-LOC\n{name}\tI-LOC\n\n" for name in ("Rom", "Bern", "Linz", "Kiel") * 10
    )
    (tmp_path / "a.tsv").write_text(text)
    (tmp_path / "v.txt").write_text("3 2\nrom 1.0 0.5\nBern 0 1\nPrag 2 2\n")
    out = tmp_path / "run"
    line = [
        "train",
        "tag",
        str(tmp_path / "a.tsv"),
        "--vectors",
        str(tmp_path / "v.txt"),
        "--out",
        str(out),
        *QUICK[:-2],
    ]
    assert main([*line, "--epochs", "30"]) == 0
    error = capsys.readouterr().err
    result = json.loads((out / "result.json").read_text())
    assert result["metrics"]["span_f1"] == 1.0
    assert result["details"]["spans"]["scheme"] == "IOB2"
    vectors = result["details"]["vectors"]
    train = load_examples(out / "cache")[0]["train"]
    assert vectors == {
        "covered": int((np.asarray(train.steps["vector"]) > 0).sum()),
        "words": int(train.offsets[-1]),
    }
    assert (
        f"{vectors['covered']} of the {vectors['words']} words of the training part have a vector"
        in error
    )
    (tmp_path / "v.txt").unlink()
    assert ensue.open(out).tag([["in", "Rom", "Rom"]]) == [["O", "B-LOC", "I-LOC"]]
    assert "Tag=B-LOC" in answer(capsys, "tag", str(out), "in Rom Rom")


def test_killed_and_resumed_it_ends_with_the_same_bits(folder: Path, tmp_path: Path) -> None:
    line = [
        "train",
        "tag",
        str(folder / "test.conllu"),
        *QUICK,
        "--set",
        "training.evaluate_every=3",
        "--out",
    ]
    assert main([*line, str(tmp_path / "whole")]) == 0
    program = (
        "import os, signal, sys\n"
        "from ensue.training.gradient import GradientLearner\n"
        "true, left = GradientLearner.update, 5\n"
        "def update(self, batch, scale):\n"
        "    global left\n"
        "    left -= 1\n"
        "    if not left:\n        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return true(self, batch, scale)\n"
        "GradientLearner.update = update\n"
        "from ensue.cli.main import main\n"
        "main(sys.argv[1:])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *line, str(tmp_path / "killed")], capture_output=True
    )
    assert done.returncode == -9, done.stderr
    assert main(["resume", str(tmp_path / "killed")]) == 0
    for name in ("weights.safetensors", "codec.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    metrics = [
        json.loads((tmp_path / run / "result.json").read_text())["metrics"]
        for run in ("killed", "whole")
    ]
    assert metrics[0] == metrics[1]
    assert main(["resume", str(tmp_path / "killed"), "--epochs", "1"]) == 0


def test_the_demo_is_what_pythons_tokeniser_says() -> None:
    lines = list(tag_lines('x = 1.5  # if\ns = """a\nif b"""\nfor y in s: pass\n'))
    assert lines[0][:3] == [("x", "NAME"), ("=", "OPERATOR"), ("1", "NUMBER")]
    assert lines[0][-1] == ("if", "COMMENT")
    assert lines[2][0] == ("if", "STRING")
    assert lines[3][0] == ("for", "KEYWORD")


def test_pairs_of_many_tags_are_not_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An HMM of hundreds of tags, whose cost is their square, is left out and told."""
    rows = [f"w{word}\tT{word % 600}\n" + "\n" * (word % 5 == 4) for word in range(1800)]
    (tmp_path / "a.tsv").write_text("".join(rows))
    line = ["train", "tag", str(tmp_path / "a.tsv"), "--size", "tiny", "--set", "training.steps=1"]
    assert (
        main([*line, "--set", "model.head=softmax", "--out", str(tmp_path / "run"), "--json"]) == 0
    )
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert [row["name"] for row in result["rows"][:-1]] == ["most-frequent-tag"]
    said = capsys.readouterr().out
    assert "hmm: not fitted, since 590 tags make too many pairs" in said
    assert "a CRF of so many tags" not in said


def test_names_of_columns_are_refused_where_they_mean_nothing(folder: Path, run: str) -> None:
    with pytest.raises(SettingError) as told:
        ensue.open(run).evaluate(folder / "test.conllu", {"label": "mood"})
    assert str(told.value) == "columns: a run of `tag` takes no names of columns; leave them out"
