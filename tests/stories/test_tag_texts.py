"""What a tagger makes of texts: cut as its treebank is, a sentence a line, or words in columns
already."""

import io
import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

import ensue
from ensue.cli.main import main
from ensue.data.readers.tagged import TaggedReader, TaggedSettings
from ensue.data.readers.tagged.recognised import are_columns, guess_text_form
from ensue.data.readers.tagged.tokenizer import Tokenizer, fit_tokenizer
from ensue.data.sentence_splitting import split_sentences

EWT = Path(__file__).parents[3] / "shared" / "data" / "UD_English-EWT"
NOUNS = ["homme", "aube", "eau", "ami", "ordre", "air", "or", "arbre", "ombre", "argent"]
Piece = tuple[str, str, bool]
"""A token, its words with tags "form/TAG form/TAG", and whether a blank follows."""


def sentence(noun: str, other: str) -> list[Piece]:
    """C'est l'eau du roi d'aujourd'hui."""
    return [
        ("C'", "C'/PRON", False),
        ("est", "est/AUX", True),
        ("l'", "l'/DET", False),
        (noun, f"{noun}/NOUN", True),
        ("du", "de/ADP le/DET", True),
        (other, f"{other}/NOUN", True),
        ("d'", "d'/ADP", False),
        ("aujourd'hui", "aujourd'hui/ADV", False),
        (".", "./PUNCT", True),
    ]


def conllu(sentences: Sequence[Sequence[Piece]]) -> str:
    lines = []
    for pieces in sentences:
        place = 0
        for token, words, spaced in pieces:
            own = [word.rsplit("/", 1) for word in words.split()]
            misc = "_" if spaced else "SpaceAfter=No"
            if len(own) > 1:
                lines.append(
                    "\t".join([f"{place + 1}-{place + len(own)}", token, *"_______", misc])
                )
            for form, tag in own:
                place += 1
                lines.append(
                    "\t".join(
                        [str(place), form, "_", tag, *"_____", misc if len(own) == 1 else "_"]
                    )
                )
        lines.append("")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("french")
    pairs = [
        (one, other) for one in NOUNS for other in ("roi", "soir", "parc", "vin", "jour", "mur")
    ]
    (folder / "train.conllu").write_text(conllu([sentence(*pair) for pair in pairs]))
    (folder / "plain.tsv").write_text("the\tDET\nNew York\tNOUN\nis\tVERB\n.\tPUNCT\n\n" * 40)
    for name, out in (("train.conllu", "run"), ("plain.tsv", "columns")):
        line = ["train", "tag", str(folder / name), "--model", "hmm", "--out", str(folder / out)]
        assert main(line) == 0
    return folder


def told(capsys: pytest.CaptureFixture[str], *line: object) -> tuple[list[dict], str]:
    capsys.readouterr()
    assert main(["tag", *map(str, line), "--json"]) == 0
    out, error = capsys.readouterr()
    return [json.loads(row) for row in out.splitlines()], error


def test_a_text_is_cut_as_the_treebank_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, error = told(capsys, folder / "run", "C'est l'homme d'aujourd'hui.")
    assert found[0]["tokens"] == ["C'", "est", "l'", "homme", "d'", "aujourd'hui", "."]
    assert "and into words as in the training data" in error
    # Neither the nouns nor the pair of them were seen: the cutting is learned, not the words.
    found, _ = told(capsys, folder / "run", "C'est l'orage du dimanche d'aujourd'hui.")
    assert found[0]["tokens"] == [
        "C'",
        "est",
        "l'",
        "orage",
        "de",
        "le",
        "dimanche",
        "d'",
        "aujourd'hui",
        ".",
    ]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("C'est “l'eau”…", ["C'", "est", "“", "l'", "eau", "”", "…"]),
        ("l'e\u0301t\u00e9\u0301, l'eau", ["l'", "e\u0301t\u00e9\u0301", ",", "l'", "eau"]),
        ("C'est l'eau। यह है।", ["C'", "est", "l'", "eau", "।", "यह", "है", "।"]),
        ("«eau» \U0001f44d\U0001f3fd.", ["«", "eau", "»", "\U0001f44d\U0001f3fd", "."]),
    ],
)
def test_beside_signs_that_the_treebank_has_not_the_rules_cut(
    folder: Path, text: str, tokens: list[str]
) -> None:
    model = ensue.open(folder / "run")
    assert [
        word.text for _, words in split_sentences([text], model.tokenizer.words) for word in words
    ] == tokens


def test_what_the_treebank_writes_otherwise_comes_back_as_it_stood(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert (
        main(
            [
                "tag",
                str(folder / "run"),
                "C'est l'or du roi d'aujourd'hui.",
                "--out",
                str(folder / "b.conllu"),
            ]
        )
        == 0
    )
    lines = (folder / "b.conllu").read_text().splitlines()
    assert lines[1] == "# text = C'est l'or du roi d'aujourd'hui."
    assert lines[2:] == [*conllu([sentence("or", "roi")]).split("\n")[:-1]]
    assert main(["evaluate", str(folder / "run"), str(folder / "b.conllu")]) == 0


@pytest.mark.parametrize(
    ("name", "content", "tokens", "form"),
    [
        (
            "a.txt",
            "the DET\ncat NOUN\n\nthe DET\ndog NOUN\n",
            [["the", "cat"], ["the", "dog"]],
            "columns by blanks",
        ),
        (
            "b.txt",
            "the\tX\nNew York\tY\n\nthe\tX\n",
            [["the", "New York"], ["the"]],
            "a word and a tag by tab",
        ),
        (
            "c.txt",
            "the\ncat\n.\n\nOslo\n",
            [["the", "cat", "."], ["Oslo"]],
            "read as a word a line",
        ),
        (
            "d.txt",
            conllu([[("l'", "l'/X", False), ("a", "a/X", True)]]),
            [["l'", "a"]],
            "read as CoNLL-U",
        ),
        ("e.txt", '{"tokens": ["a b", "c"]}\n', [["a b", "c"]], "read as JSON Lines"),
        (
            "f.txt",
            "It rains.\nHe is Mr. Fox.\nWhy?\n",
            [["It", "rains", "."], ["He", "is", "Mr.", "Fox", "."], ["Why", "?"]],
            "one sentence a line",
        ),
        (
            "g.txt",
            "show me flights\nto rome\nbook it for me please\n",
            [["show", "me", "flights"], ["to", "rome"], ["book", "it", "for", "me", "please"]],
            "one sentence a line",
        ),
        (
            "h.txt",
            "the old man saw\nthe sea. He ran\nand ran.\n",
            [["the", "old", "man", "saw", "the", "sea", "."], ["He", "ran", "and", "ran", "."]],
            "plain text",
        ),
        (
            "i.txt",
            "A b. C d.\nE f. G h.\nI j k. L m.\n",
            [
                ["A", "b", "."],
                ["C", "d", "."],
                ["E", "f", "."],
                ["G", "h", "."],
                ["I", "j", "k", "."],
                ["L", "m", "."],
            ],
            "plain text",
        ),
    ],
)
def test_the_form_of_a_file_is_recognised(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: str,
    tokens: list[list[str]],
    form: str,
) -> None:
    (folder / name).write_text(content)
    found, error = told(capsys, folder / "columns", folder / name)
    assert [one["tokens"] for one in found] == tokens
    assert form in error
    monkeypatch.setattr("sys.stdin", io.StringIO(content))
    piped, error = told(capsys, folder / "columns", "-")
    assert piped == found
    assert form in error


def test_the_form_can_be_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "lines.txt").write_text("the old man saw\nthe sea. He ran\nand ran.\n")
    found, _ = told(capsys, folder / "columns", folder / "lines.txt", "--read", "lines")
    assert [(one["line"], len(one["tokens"])) for one in found] == [(1, 4), (2, 5), (3, 3)]
    found, _ = told(capsys, folder / "columns", folder / "a.txt", "--read", "text")
    assert [one["tokens"] for one in found] == [
        ["the", "DET", "cat", "NOUN"],
        ["the", "DET", "dog", "NOUN"],
    ]


def test_prose_is_no_columns() -> None:
    assert not are_columns(["the old king", "sees the cat", "", "He runs away."])
    assert not are_columns(["Anna Keller", "Boris Novak", "Elif Sato"])
    assert not are_columns(["Yes", "No"])
    assert guess_text_form(["cat", "dog", "fish", "bird"]) == "lines"
    assert are_columns(["The", "cat", "sat", "."])
    assert are_columns(
        ["a b X", *["the DET", "cat NOUN"] * 15, "", *["the DET", "cat NOUN"] * 15]
    )  # its reader refuses it
    prose = (
        "It was a bright cold day in May, and the clocks struck. Nobody but Mr. Fox knew "
        "why it was so. "
    ) * 9
    assert guess_text_form(textwrap.wrap(prose, 60)) == "text"
    assert guess_text_form(textwrap.wrap(prose.lower(), 60)) == "text"
    assert guess_text_form([prose[:-1], prose[:-1]]) == "paragraphs"
    verse = [
        "Now is the winter of our discontent",
        "Made glorious summer by this sun of York;",
        "And all the clouds,",
    ]
    assert (
        guess_text_form([*verse, "That lour'd upon our house, in the bosom", "Of the sea", "Now"])
        == "text"
    )
    web = [
        "What if it grew?",
        "[via Mary Jo]",
        "Four weeks",
        "He asked me - why not.",
        "Just now, and then",
        "See it!",
    ]
    assert (
        guess_text_form([*web, "A much longer line that says more than any of the others do here."])
        == "lines"
    )
    poem = [
        "I saw the man",
        "who went to the sea",
        "And there he",
        "sat for a very long time by the water",
        "none",
    ]
    assert guess_text_form(poem) == "text"
    assert guess_text_form(["One man.", "", "Two men"]) == "text"


def test_a_broken_line_of_columns_on_the_standard_input_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n\n" + "a\tX\n" * 30 + "b\n"))
    assert main(["tag", str(folder / "columns"), "-"]) == 2
    assert (
        "ensue: -:33: the line has 1 column, and those before it have 2" in capsys.readouterr().err
    )


def test_odd_numbers_of_tokens_and_very_long_words_do_no_harm() -> None:
    good = conllu([sentence(one, "roi") for one in NOUNS] * 3).split("\n\n")
    fields = "\t".join("_" * 9)
    odd = [
        (
            f"# a "
            f"1-2\t{fields}\n1-999999999\tdu\t{fields[2:]}\n{'9' * 5000}-2\tdu\t{fields[2:]}\n5-2\tdu\t{fields[2:]}\n"
        )
    ]
    found = fit_tokenizer(
        [_read(block) for block in [*(odd[0] + one for one in good if one), *good] if block.strip()]
    )
    assert found is not None
    assert [word.text for word in found.words("C'est l'homme")] == ["C'", "est", "l'", "homme"]
    long = "l'" * 100_000
    assert "".join(word.text for word in found.words(f"{long} {long[:-1]}")) == long + long[:-1]
    words = " ".join(f"d'eau{number}" for number in range(30_000))
    assert "".join(word.text + " " * word.spaced for word in found.words(words)).strip() == words


def test_words_with_blanks_are_put_together_again() -> None:
    text = conllu(
        [[("10 000", "10_000/NUM", True), ("francs", "francs/X", False), (".", "./X", True)]] * 30
    )
    lines = text.replace("10_000", "10 000").split("\n\n")
    found = fit_tokenizer([_read(block) for block in lines if block.strip()])
    assert found is not None
    again = Tokenizer.from_json(json.loads(json.dumps(found.to_json())))
    assert [word.text for word in again.words("10 000 francs.")] == ["10 000", "francs", "."]


def _read(block: str):
    from ensue.data.labelled import Example

    return Example({"words": []}, [], "a", 1, row={"lines": block.splitlines()})


@pytest.mark.skipif(not EWT.exists(), reason="UD_English-EWT is not on this machine")
@pytest.mark.slow
def test_english_is_cut_better_than_by_rules() -> None:
    parts = {
        part: list(
            TaggedReader([EWT / f"en_ewt-ud-{part}.conllu.gz"], TaggedSettings(), True).examples()
        )
        for part in ("train", "test")
    }
    tokenizer = fit_tokenizer(parts["train"])
    assert tokenizer is not None
    scores = [
        _f1(
            parts["test"],
            lambda text, cut=cut: [
                word.text for _, own in split_sentences([text], cut) for word in own
            ],
        )
        for cut in (None, tokenizer.words)
    ]
    assert scores[0] == pytest.approx(0.981, abs=0.003)
    assert scores[1] == pytest.approx(0.988, abs=0.003)


def _f1(sentences, cut) -> float:
    right = there = found = 0
    for one in sentences:
        text = next(line[9:] for line in one.row["lines"] if line.startswith("# text = "))
        true, said = _spans(text, one.content["words"]), _spans(text, cut(text))
        right, there, found = right + len(true & said), there + len(true), found + len(said)
    return 2 * right / (there + found)


def _spans(text: str, words: Sequence[str]) -> set[tuple[int, int]]:
    spans, place = set(), 0
    for word in words:
        begin = text.index(word, place)
        place = begin + len(word)
        spans.add((begin, place))
    return spans


def test_texts_in_python(folder: Path) -> None:
    run = ensue.open(folder / "run")
    tags = ["PRON", "AUX", "DET", "NOUN", "ADP", "ADV", "PUNCT"]
    assert run.tag("C'est l'homme d'aujourd'hui.") == [tags]


def test_a_text_of_unknown_words_alone_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, error = told(capsys, folder / "columns", "Zzgrub flomp wexit.")
    assert found[0]["known"] == [False, False, False, True]
    assert (
        "the data: none of the 3 words was in training; tags are guesses by spelling and context"
        in error
    )
    found, error = told(capsys, folder / "columns", "THE flomp.")
    assert found[0]["known"] == [True, False, True]
    assert "in training" not in error


def test_sentences_of_one_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "".join(
        f"{word}{n}\t{tag}\n\n" for n in range(30) for word, tag in (("cat", "N"), ("runs", "V"))
    )
    (tmp_path / "a.tsv").write_text(text)
    for model in ("hmm", "lstm", "convolution"):
        out = tmp_path / model
        tiny = ["--set", "training.steps=3", "--set", "hardware.threads=1"]
        tiny += ["--size", "tiny"] if model != "hmm" else []
        assert (
            main(
                [
                    "train",
                    "tag",
                    str(tmp_path / "a.tsv"),
                    "--model",
                    model,
                    "--out",
                    str(out),
                    *tiny,
                ]
            )
            == 0
        )
        assert len(told(capsys, out, tmp_path / "a.tsv")[0]) == 60


def test_tags_that_differ_in_case_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.tsv").write_text("cat\tN\nruns\tV \n\ncat\tn\nruns\tV\n\n" * 20)
    said = (
        "tags that differ only in case or signs: 'N' (20) and 'n' (20); correct them in the data, "
        "unless they are intended"
    )
    assert main(["check", str(tmp_path / "a.tsv"), "--task", "tag"]) == 0
    assert said in capsys.readouterr().out
    assert (
        main(
            [
                "train",
                "tag",
                str(tmp_path / "a.tsv"),
                "--model",
                "hmm",
                "--out",
                str(tmp_path / "run"),
            ]
        )
        == 0
    )
    assert "tags that differ only in case or signs: 'N' (" in capsys.readouterr().err
    assert "'V '" not in (tmp_path / "run" / "report.md").read_text()
