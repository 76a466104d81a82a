"""What a person is told whose tagged sentences are wrong: one line with file, line and hint,
exit code 2."""

import gzip
from pathlib import Path

import pytest

from ensue.cli.main import main

GOOD = "a\tX\nb\tY\n\nb\tY\n\na\tX\n\nb\tY\n"
ROW = "{}\t{}\t_\t{}\t_\t_\t_\t_\t_\t_\n"


def conllu(*rows: tuple[str, str, str]) -> str:
    return "".join(ROW.format(*row) for row in rows)


FILES = [
    (
        "a.conllu",
        conllu(("1", "a", "X"), ("2", "b", "Y")) + "3\tc\tZ\n",
        "a.conllu:3: the line has 3 columns by tab",
    ),
    (
        "a.conllu",
        conllu(("1", "a", "X"), ("2", "b", "Y"), ("1", "c", "X")),
        "a.conllu:3: word 1 stands after word 2; put a",
    ),
    (
        "a.conllu",
        conllu(("1", "a", "X"), ("x", "b", "Y")),
        "a.conllu:2: 'x' is not the number of a word",
    ),
    ("a.conllu", conllu(("1", "a", "X"), ("2", "b", "_")), "a.conllu:2: 'b' has no upos"),
    ("a.conllu", conllu(("1", "", "X"), ("2", "b", "Y")), "a.conllu:1: word 1 is empty"),
    (
        "a.conllu",
        "1 a _ X\n",
        (
            "a.conllu:1: the line has 1 column by tab, and CoNLL-U has 10; correct the line, or "
            "name the format with --set"
        ),
    ),
    ("a.conllu", "# a comment\n", "a.conllu: there is no sentence in the file"),
    (
        "a.conll",
        "EU NNP O\nPeter NNP\n",
        "a.conll:2: the line has 2 columns, and those before it have 3",
    ),
    ("a.conll", "EU\nPeter\n", "a.conll:1: the line has 1 column, and a word and its tag need 2"),
    ("a.tsv", "a\tX\nb\tY\tZ\n", "a.tsv:2: the line has 3 columns, and those before it have 2"),
    ("a.tsv", "a\tX\nb\0\tY\n", "a.tsv:2: the text contains a NUL character"),
    ("a.tsv", "a\tX\nb Y\n", "a.tsv:2: the line has 1 column, and those before it have 2"),
    ("a.tsv", "a\tX\nb\t\n", "a.tsv:2: a word or its tag is empty"),
    (
        "a.tsv",
        "a\tX\n" * 2001,
        (
            "a.tsv:1: the sentence that begins here has more than 2,000 words; put a blank "
            "line after each sentence, or"
        ),
    ),
    ("a.tsv", "a\tX\nb\tY\n", "a.tsv: there is one sentence, too few for training and test"),
    ("a.tsv", "a\tX\n\nb\tX\n\nc\tX\n\nd\tX\n", "every word of the training data has the tag 'X'"),
    (
        "a.csv",
        "word,tag\na,X\n",
        "a.csv: CSV is not a format for tagged sentences; write it as",
    ),
    ("a.tsv", "", "a.tsv: the file is empty"),
    ("a.tsv", "\n\n\n", "a.tsv: there is no sentence in the file"),
    ("a.tsv", b"caf\xe9\tX\n" * 3, "a.tsv:1: byte 0xE9 is not UTF-8; it looks like Windows-1252"),
    (
        "a.jsonl",
        '{"tokens": ["a", "b"], "tags": ["X"]}\n',
        "a.jsonl:1: there are 2 tokens and 1 tags",
    ),
    (
        "a.jsonl",
        '{"words": ["a"], "tags": ["X"]}\n',
        (
            "a.jsonl:1: there is no 'tokens', but words, tags; call it tokens, or name the "
            "list with --tokens NAME"
        ),
    ),
    ("a.jsonl", '{"tokens": "a b", "tags": ["X"]}\n', "a.jsonl:1: 'tokens' is not a list of words"),
    (
        "a.jsonl",
        '{"tokens": ["a"], "tags": [1.5]}\n',
        "a.jsonl:1: 'tags' is not a list of tags: it holds 1.5; write tags",
    ),
    (
        "a.jsonl",
        '{"tokens": ["a"], "tags": [true]}\n',
        "a.jsonl:1: 'tags' is not a list of tags: it holds True; write",
    ),
    (
        "a.jsonl",
        '{"tokens": ["a", "b"], "tags": [1, "O"]}\n',
        "a.jsonl:1: 'tags' holds 'O', where tags before it are num",
    ),
    (
        "a.jsonl",
        '{"tokens": ["a"], "tags": [-100]}\n',
        "a.jsonl:1: the tag -100 is below 0; give every token one tag",
    ),
    (
        "a.jsonl",
        '{"tokens": ["a"], "pos_tags": [1], "ner_tags": [0]}\n',
        (
            "a.jsonl:1: there is no 'tags', but tokens, pos_tags, ner_tags; call it tags, or "
            "name the list with --tags"
        ),
    ),
    (
        "a.conll",
        "New York\tB\nis\tO\n\nBonn\n",
        "a.conll:4: the line has 1 column, and those before it have 2",
    ),
    (
        "a.conll",
        "a X\n# Y Z\nb X\n",
        "a.conll:2: the line has 3 columns, and those before it have 2",
    ),
    ("a.jsonl", '{"tokens": ["a"], "tags": ["X"]\n', "a.jsonl:1: not valid JSON"),
    (
        "a.tsv.gz",
        gzip.compress(GOOD.encode(), mtime=0)[:20],
        "a.tsv.gz: the .gz file is damaged or cut short",
    ),
]


def told(capsys: pytest.CaptureFixture[str], folder: Path, *more: str, name: str = "a.tsv") -> str:
    assert main(["train", "tag", str(folder / name), "--out", str(folder / "run"), *more]) == 2
    assert not (folder / "run").exists()
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    assert "; " in error, "it says no mend"
    return error.replace(f"{folder}/", "")


@pytest.mark.parametrize(("name", "content", "message"), FILES)
def test_files(capsys, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert message in told(capsys, tmp_path, name=name)


VECTORS = [
    ("a 1 2\nb 1\n", "v.txt:2: the line has 1 number, and those before it have 2"),
    ("a 1 2\nb 1 x\n", "v.txt:2: 'x' is not a number"),
    ("a 1 nan\n", "v.txt:1: a number is not finite"),
    ("2 3\na 1 2 3\nb 1 2\n", "v.txt:3: the line has 2 numbers, and those before it have 3"),
    ("word\n", "v.txt:1: the line has no numbers"),
    ("a 1 2\nb 1 2 3\n", "v.txt:2: the line has 3 numbers, and those before it have 2"),
    (
        "3 2\na 1 2\nb 1 2\n",
        "v.txt: the file ends after 2 of the 3 words that its header declares; download it again",
    ),
    (f"{'9' * 5000} {'9' * 5000}\n", "v.txt:1: a number is not finite"),
]


@pytest.mark.parametrize(("content", "message"), VECTORS)
def test_vectors(capsys, tmp_path, content, message):
    (tmp_path / "a.tsv").write_text(GOOD)
    (tmp_path / "v.txt").write_text(content)
    assert message in told(capsys, tmp_path, "--vectors", str(tmp_path / "v.txt"))
    assert "there is no such file" in told(capsys, tmp_path, "--vectors", str(tmp_path / "w.txt"))


def test_flags(capsys, tmp_path):
    (tmp_path / "a.tsv").write_text(GOOD)
    (tmp_path / "a.conllu").write_text(conllu(("1", "a", "X")))
    for flag in ("column", "word"):
        for name in ("tag", "0", "-1"):
            message = (
                f"a.tsv: there is no column '{name}'; give its number, from 1, or the name "
                f"that the first line has"
            )
            assert message in told(capsys, tmp_path, f"--{flag}={name}")
    (tmp_path / "named.tsv").write_text("token\tner\n" + GOOD)
    assert "no column 'nre'; did you mean ner?" in told(
        capsys, tmp_path, "--column=nre", name="named.tsv"
    )
    both = "the word and its tag both are column 2; name "
    assert f"{both}another with --column" in told(capsys, tmp_path, "--word=2", "--column=2")
    assert "both are column 1; name the column of the words with --word" in told(
        capsys, tmp_path, "--column=1"
    )
    assert "need 9" in told(capsys, tmp_path, "--word=9")
    message = "CoNLL-U has no column 'upos' with words; choose from form, lemma"
    assert message in told(capsys, tmp_path, "--word=upos", name="a.conllu")
    (tmp_path / "a.jsonl").write_text('{"tokens": ["a"], "tags": [2]}\n')
    message = "a.jsonl:1: the tag 2 has no name, for data.names has 2, from 0 on; name every tag"
    assert message in told(capsys, tmp_path, "--set", 'data.names=["O", "B"]', name="a.jsonl")
    message = told(capsys, tmp_path, "--test", str(tmp_path / "a.tsv"))
    assert "a.tsv: the file was given twice; give each part files of its own" in message
    assert "need 3" in told(capsys, tmp_path, "--column", "3")
    message = told(capsys, tmp_path, "--column", "pos", name="a.conllu")
    assert "CoNLL-U has no column 'pos' with tags; did you mean xpos?" in message
    assert "there is no model 'lsmt' for tag; did you mean lstm?" in told(
        capsys, tmp_path, "--model", "lsmt"
    )
    assert "there is no model.head 'crff'; did you mean crf?" in told(
        capsys, tmp_path, "--set", "model.head=crff"
    )


def test_a_tune_part_of_unknown_tags_alone(capsys, tmp_path):
    (tmp_path / "a.tsv").write_text(GOOD)
    (tmp_path / "b.tsv").write_text("a\tZ\n\nb\tZ\n")
    message = told(capsys, tmp_path, "--valid", str(tmp_path / "b.tsv"))
    assert "every sentence of the validation part has a tag that the training part lacks" in message
