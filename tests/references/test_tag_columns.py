"""Where words and tags stand in files of shared tasks, by small files in the shape of each."""

import json
from pathlib import Path

import pytest

from ensue.cli.main import main
from ensue.data.contract import Listener
from ensue.data.readers.tagged import TaggedReader, TaggedSettings
from ensue.errors import DataError

MULTICONER = (
    "# id 2265b1f5\tdomain=train\nElif _ _ B-PER\nmoved _ _ O\n\n"
    "# id 1e2feb89\tdomain=train\nrom _ _ B-LOC\n# _ _ O\n. _ _ O\n"
)
GERMEVAL = (
    "#\thttp://de.wikipedia.org/wiki/Rom [2009-10-17]\n"
    "1\tAnna\tB-PER\tO\n2\tsah\tO\tO\n3\tUni Rom\tB-ORG\tB-LOC\n\n"
    "#\tn-tv.de vom 26.02.2005 [2005-02-26]\n1\tRom\tB-LOC\tO\n2\tsah\tO\tO\n"
)
CONLL2009 = (
    "1\tThe\tthe\tthe\tDT\tNN\t_\t_\t2\t2\tNMOD\tNMOD\t_\t_\n2\tbar\tbar\tbar\tNN\tVB\t_\t_\t0\t0\tROOT\tROOT\t_\t_\n\n"
    "1\tIt\tit\tit\tPRP\tPRP\t_\t_\t2\t2\tSBJ\tSBJ\t_\t_\tA0\n2\truns\trun\trun\tVBZ\tVBZ\t_\t_\t0\t0\tR\tR\tY\trun.01\t_\n"
)
CONLL2012 = (
    "#begin document (bc/cctv/00); part 000\n"
    "bc/cctv/00   0   0   What   WP   (TOP(SBARQ(WHNP*)   -   -   -   Ann   *   -\n"
    "bc/cctv/00   0   1     is  VBZ   (SQ*)))              be  01   1   Ann   *   -\n\n"
    "bc/cctv/00   0   0    Big   JJ   (TOP(NP*            -   -   -   Ann   (ORG*   *   -\n"
    "bc/cctv/00   0   1    Sea   NN   *))                 -   -   -   Ann   *)   (V*)   -\n\n"
    "#end document\n"
)
CONLL2003 = (
    "-DOCSTART- -X- -X- O\n\nMr. NNP B-NP O\n\n# # B-NP O\n5 CD I-NP O\n\nRom NNP B-NP "
    "B-LOC\n# # O O\n"
)
CUPT = (
    "# global.columns = ID FORM LEMMA UPOS XPOS FEATS HEAD DEPREL DEPS MISC PARSEME:MWE\n"
    "1-2\tdu\t_\t_\t_\t_\t_\t_\t_\t_\t*\n1\tde\tde\tADP\t_\t_\t0\troot\t_\t_\t*\n2\tle\tle\tDET\t_\t_\t1\tx\t_\t_\t1:VID\n"
)
TWEETS = "#nosleep\tO\nin\tO\nRom\tB-LOC\n\n#\tO\nin\tO\n\n# a comment\nRom\tB-LOC\n"
NAMED = "sentence\tToken\tPOS\tNER\n1\tAnna\tNN\tB-PER\n1\truft\tVB\tO\n\n2\tRom\tNN\tB-LOC\n"


def read(
    folder: Path, content: str, name: str = "a.conll", tagged: bool = True, **settings
) -> list:
    (folder / name).write_text(content)
    found = []
    reader = TaggedReader([folder / name], TaggedSettings(**settings), tagged)
    sentences = list(reader.examples(Listener(lambda one: found.append(str(one)))))
    return [
        [*zip(one.content["words"], one.label or one.content["words"], strict=True)]
        for one in sentences
    ] + found


@pytest.mark.parametrize(
    ("content", "settings", "sentences", "told"),
    [
        (
            MULTICONER,
            {},
            [[("Elif", "B-PER"), ("moved", "O")], [("rom", "B-LOC"), ("#", "O"), (".", "O")]],
            "column 4",
        ),
        (
            GERMEVAL,
            {},
            [
                [("Anna", "B-PER"), ("sah", "O"), ("Uni Rom", "B-ORG")],
                [("Rom", "B-LOC"), ("sah", "O")],
            ],
            (
                "read as columns by tab, the word in column 2, the tag in column 3; choose "
                "others with --word and --column"
            ),
        ),
        (
            GERMEVAL,
            {"word": "2", "column": "4"},
            [[("Anna", "O"), ("sah", "O"), ("Uni Rom", "B-LOC")], [("Rom", "O"), ("sah", "O")]],
            "the word in column 2, the tag in column 4",
        ),
        (
            CONLL2009,
            {},
            [[("The", "DT"), ("bar", "NN")], [("It", "PRP"), ("runs", "VBZ")]],
            "the word in column 2, the tag in column 5",
        ),
        (
            CONLL2009,
            {"word": "3", "column": "6"},
            [[("the", "NN"), ("bar", "VB")], [("it", "PRP"), ("run", "VBZ")]],
            "column 3",
        ),
        (
            CONLL2012,
            {},
            [[("What", "WP"), ("is", "VBZ")], [("Big", "JJ"), ("Sea", "NN")]],
            "columns by blanks, the word in column 4, the tag in column 5",
        ),
        (
            CONLL2012,
            {"column": "11"},
            [[("What", "O"), ("is", "O")], [("Big", "B-ORG"), ("Sea", "I-ORG")]],
            "the word in column 4, the tag in column 11",
        ),
        (
            CONLL2003,
            {},
            [[("Mr.", "O")], [("#", "O"), ("5", "O")], [("Rom", "B-LOC"), ("#", "O")]],
            "the word in column 1, the tag in column 4",
        ),
        (
            CONLL2003,
            {"column": "2"},
            [[("Mr.", "NNP")], [("#", "#"), ("5", "CD")], [("Rom", "NNP"), ("#", "#")]],
            "the tag in column 2",
        ),
        (CUPT, {}, [[("de", "*"), ("le", "1:VID")]], "the word in column 2, the tag in column 11"),
        (
            CUPT,
            {"column": "UPOS"},
            [[("de", "ADP"), ("le", "DET")]],
            "the word in column 2, the tag in column 4",
        ),
        (
            TWEETS,
            {},
            [
                [("#nosleep", "O"), ("in", "O"), ("Rom", "B-LOC")],
                [("#", "O"), ("in", "O")],
                [("Rom", "B-LOC")],
            ],
            "read as a word and a tag by tab",
        ),
        (
            NAMED,
            {},
            [[("Anna", "B-PER"), ("ruft", "O")], [("Rom", "B-LOC")]],
            "the word in column 2, the tag in column 4",
        ),
        (
            NAMED,
            {"word": "Token", "column": "POS"},
            [[("Anna", "NN"), ("ruft", "VB")], [("Rom", "NN")]],
            "column 3",
        ),
        (
            "X a\nY b\n\nX c\n",
            {"word": "2", "column": "1"},
            [[("a", "X"), ("b", "Y")], [("c", "X")]],
            "column 1",
        ),
        (
            "10\xa0000 CD\nNew\xa0York NNP\n",
            {},
            [[("10\xa0000", "CD"), ("New\xa0York", "NNP")]],
            "by blanks",
        ),
        (
            "1\tA\n2\tB\n3\tA\n",
            {},
            [[("1", "A"), ("2", "B"), ("3", "A")]],
            "a word and a tag by tab",
        ),
    ],
)
def test_the_columns_of_shared_tasks(tmp_path, content, settings, sentences, told):
    found = read(tmp_path, content, **settings)
    assert [one for one in found if isinstance(one, list)] == sentences
    assert any(told in one for one in found if isinstance(one, str))


def test_spans_with_brackets_become_iob(tmp_path):
    rows = "a (PER*\nb *)\nc (LOC)\nd *\n\ne *\nf (PER*\ng *\nh *)\n"
    tags = [["B-PER", "I-PER", "B-LOC", "O"], ["O", "B-PER", "I-PER", "I-PER"]]
    found = read(tmp_path, rows)
    assert [[tag for _, tag in one] for one in found if isinstance(one, list)] == tags
    single = read(tmp_path, "a (PERSON)\nb *\n\nc *\nd (PERSON)\n")
    assert [[tag for _, tag in one] for one in single[:2]] == [["B-PERSON", "O"], ["O", "B-PERSON"]]
    assert read(tmp_path, "a (PER)\n\nb (LOC)\n")[:2] == [[("a", "B-PER")], [("b", "B-LOC")]]
    assert read(tmp_path, "a *\nb *\n")[0] == [("a", "O"), ("b", "O")]
    nested = read(tmp_path, "a (TOP(NP*\nb *)\nc *\nd (VP*))\n")
    assert [tag for _, tag in nested[0]] == ["(TOP(NP*", "*)", "*", "(VP*))"]


@pytest.mark.parametrize("tag", ["(A(B*", "(A)(B)", "A"])
def test_a_tag_that_is_no_single_span_is_refused(tag, tmp_path):
    """It was learned as a tag of its own, and the span after it had the type of another."""
    rows = "a (A*\nb *)\n\n" * 10_000
    with pytest.raises(DataError, match=r"conll:30001: the tag '.*' is no single span"):
        read(tmp_path, f"{rows}c {tag}\n")


def test_counted_columns_are_a_header(tmp_path):
    """A data frame without names is saved with 0, 1: the first word was "0", with the tag "1"."""
    sentences = [[("Rom", "B-LOC"), ("is", "O")], [("Oslo", "B-LOC")]]
    rows = "0\t1\nRom\tB-LOC\nis\tO\n\nOslo\tB-LOC\n"
    assert [one for one in read(tmp_path, rows, "a.tsv") if isinstance(one, list)] == sentences
    kept = read(tmp_path, "0\t1\nRom\t1\nis\t0\n", "a.tsv")[0]
    assert kept == [("0", "1"), ("Rom", "1"), ("is", "0")]


def test_comments_are_told(tmp_path):
    assert any("2 comment lines (# ...) left out" in one for one in read(tmp_path, MULTICONER))
    assert any("1 comment line (# ...) left out" in one for one in read(tmp_path, TWEETS))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("New York\tNNP\t_\nis\tVB\t_\n\nOslo\tNNP\t_\n", [["New York", "is"], ["Oslo"]]),
        ("the\nNew York\n\nOslo\n#\n#hashtag\n", [["the", "New York"], ["Oslo", "#", "#hashtag"]]),
        ("1\tAnna\n2\tsah\n\n1\tRom\n", [["Anna", "sah"], ["Rom"]]),
    ],
)
def test_untagged_columns(tmp_path, content, words):
    found = read(tmp_path, content, tagged=False)
    assert [[word for word, _ in one] for one in found if isinstance(one, list)] == words


def test_whole_numbers_as_tags_and_their_names(tmp_path):
    rows = '{"id": "0", "tokens": ["Anna", "ruft"], "ner_tags": [1, 0]}\n'
    found = read(tmp_path, rows, "a.jsonl")
    assert found[0] == [("Anna", "1"), ("ruft", "0")]
    assert any(
        "took 'ner_tags' for the tags; name another list with --tags" in one for one in found[1:]
    )
    assert any("integers without names" in one and "data.names=" in one for one in found[1:])
    found = read(tmp_path, rows, "a.jsonl", names=("O", "B-PER"))
    assert found[0] == [("Anna", "B-PER"), ("ruft", "O")]
    assert not any("whole numbers" in one for one in found[1:])


def test_a_run_remembers_the_columns(tmp_path, capsys):
    anna = "1\tAnna\tB-PER\tO\n2\tsah\tO\tO\n3\tRom\tB-LOC\tO\n\n"
    (tmp_path / "a.tsv").write_text(anna * 20)
    (tmp_path / "b.tsv").write_text(
        anna.splitlines(keepends=True)[1]
    )  # of its own it could be anything
    run = str(tmp_path / "run")
    assert main(["check", str(tmp_path / "a.tsv"), "--word", "2", "--column", "3"]) == 0
    train = ["train", "tag", str(tmp_path / "a.tsv"), "--model", "most-frequent-tag", "--out"]
    for more in ([], ["--word", "2", "--column", "3"], ["--set", "data.word=2"]):
        out = run + "".join(more)
        assert main([*train, out, *more]) == 0
        capsys.readouterr()
        assert main(["evaluate", out, str(tmp_path / "b.tsv"), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["details"]["unknown_words"] == 0
        assert main(["tag", out, str(tmp_path / "b.tsv"), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["tokens"] == ["sah"]


def test_parts_in_other_formats_than_that_of_training(tmp_path, capsys):
    row = "{}\t{}\t_\t{}\tx{}\t_\t_\t_\t_\t_\n"
    words = [("the", "D"), ("cat", "N"), ("runs", "V")]
    (tmp_path / "a.conllu").write_text(
        ("".join(row.format(n, word, tag, tag) for n, (word, tag) in enumerate(words, 1)) + "\n")
        * 20
    )
    (tmp_path / "b.tsv").write_text("".join(f"{word}\tx{tag}\n" for word, tag in words))
    (tmp_path / "c.jsonl").write_text(json.dumps({"tokens": ["the", "cat"], "tags": ["xD", "xN"]}))
    (tmp_path / "d.txt").write_text("It is prose.\nIt goes on here and there.\n")
    train = [
        "train",
        "tag",
        str(tmp_path / "a.conllu"),
        "--model",
        "most-frequent-tag",
        "--column",
        "xpos",
        "--out",
    ]
    parts = ["--valid", str(tmp_path / "c.jsonl"), "--test", str(tmp_path / "b.tsv")]
    assert main([*train, str(tmp_path / "run"), *parts]) == 0
    assert (
        json.loads((tmp_path / "run" / "result.json").read_text())["metrics"]["tag_accuracy"] == 1
    )
    capsys.readouterr()
    assert main([*train, str(tmp_path / "other"), "--test", str(tmp_path / "d.txt")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "d.txt:2: the line has 6 columns, and those before it have 3; correct the line" in error
