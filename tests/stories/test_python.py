"""What a person gives in Python: a text is one example, wherever examples are taken; a path is
one path."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import ensue
from ensue.errors import UserError
from ensue.sklearn import SequenceClassifier, SequenceTagger

TEXTS = [f"{word} film number {n}" for n in range(12) for word in ("good", "bad")]
MOODS = ["fine", "poor"] * 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("python")
    rows = "".join(f"{text},{mood}\n" for text, mood in zip(TEXTS, MOODS, strict=True))
    (folder / "a.csv").write_text("text,label\n" + rows)
    (folder / "a.tsv").write_text("She\tP\nca\tV\nn't\tT\ngo\tV\n.\tX\n\nBonn\tN\n\n" * 20)
    ensue.train("classify", folder / "a.csv", model="nbsvm", out=folder / "moods")
    ensue.train("tag", folder / "a.tsv", model="hmm", out=folder / "tags")
    return folder


def test_what_there_is_is_named_without_loading_it() -> None:
    program = (
        "import ensue, sys; assert {'train', 'open', 'resume', 'sklearn'} <= set(dir(ensue)); "
    )
    program += "assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_a_text_is_one_example_of_a_classifier(folder: Path) -> None:
    run = ensue.open(folder / "moods")
    assert run.classify("a good film")[0].label == run.classify(["a good film"])[0].label == "fine"
    assert len(run.classify("a good film")) == 1
    assert len(run.classify(b"a good film")) == 1
    assert len(run.classify(np.array(["a good film", "a bad film"]))) == 2
    assert len(run.classify(text for text in ("a good film", "a bad film"))) == 2


def test_a_text_is_one_example_of_a_tagger(folder: Path) -> None:
    run = ensue.open(folder / "tags")
    expected = ["P", "V", "T", "V", "X"]
    for given in (
        "She can't go.",
        b"She can't go.",
        ["She can't go."],
        [["She", "ca", "n't", "go", "."]],
    ):
        assert run.tag(given) == [expected]
    assert run.tag(["She can't go.", ["Bonn"]]) == [expected, ["N"]]
    assert run.tag([]) == []


def test_empty_and_missing_texts_are_answered_as_those_of_files_are(folder: Path) -> None:
    run = ensue.open(folder / "moods")
    given = ["a good film", "", " ", None, float("nan"), np.nan, pandas.NA, pandas.NaT, "None"]
    told = run.classify(given)
    assert [one.label for one in told] == ["fine", *[None] * 8]
    assert [one.note for one in told] == [
        "",
        *["the text is empty"] * 7,
        "nothing in it was seen in training",
    ]
    assert run.classify("")[0].set == ("fine", "poor")
    series = pandas.Series(["a good film", None], dtype="string")
    assert [one.label for one in run.classify(series)] == ["fine", None]


@pytest.mark.parametrize("verb", ["classify", "tag"])
def test_a_data_frame_is_no_list_of_its_columns_names(folder: Path, verb: str) -> None:
    run = ensue.open(folder / ("moods" if verb == "classify" else "tags"))
    frame = pandas.DataFrame({"text": ["a good film", "a bad film"]})
    with pytest.raises(
        UserError,
        match=r"a DataFrame is not a list of examples; give its column .* frame\['text'\]",
    ):
        getattr(run, verb)(frame)
    assert len(getattr(run, verb)(frame["text"])) == 2


@pytest.mark.parametrize(
    ("run", "given", "message"),
    [
        (
            "moods",
            Path("a.csv"),
            "classify: a path is not a list of examples; give a text, or a list of examples",
        ),
        ("moods", 3, "classify: an int is not a list of examples; give a text"),
        ("moods", None, "classify: a NoneType is not a list of examples"),
        (
            "moods",
            [3],
            "example 1: an int is not an example; give a text, or the fields of its steps by name",
        ),
        ("moods", [b"caf\xe9"], "classify: byte 0xE9 is not UTF-8; decode the bytes first"),
        ("tags", Path("a.csv"), "tag: a path is not a list of examples"),
        (
            "tags",
            [["a", 3]],
            'sentence 1: it is neither a text nor a list of words; give "a text" or ["a", "list"]',
        ),
        ("tags", ["a", 3], "sentence 2: it is neither a text nor a list of words"),
        ("tags", "", "sentence 1: there is no word; give"),
        ("tags", [[]], "sentence 1: there is no word; give"),
    ],
)
def test_what_is_no_example_is_refused_in_one_line(
    folder: Path, run: str, given: Any, message: str
) -> None:
    opened = ensue.open(folder / run)
    with pytest.raises(UserError, match=f"^{re.escape(message)}"):
        (opened.classify if run == "moods" else opened.tag)(given)


def test_one_path_is_one_file(folder: Path) -> None:
    for name, file in (("moods", "a.csv"), ("tags", "a.tsv")):
        run = ensue.open(folder / name)
        assert run.evaluate(str(folder / file)).metrics == run.evaluate([folder / file]).metrics
        assert run.evaluate(folder / file).metrics == run.evaluate([folder / file]).metrics
        assert run.evaluate().metrics == run.evaluate([]).metrics
        with pytest.raises(
            UserError, match="evaluate: an int is not a list of files; give paths of files"
        ):
            run.evaluate(3)


@pytest.mark.parametrize("text", ["a film", b"a film", Path("a.csv")])
def test_estimators_refuse_one_text(text: Any) -> None:
    said = (
        "X is a path"
        if isinstance(text, Path)
        else re.escape(f"X is one text, {text!r}, and has to be a list of")
    )
    classifier = SequenceClassifier("nbsvm").fit(TEXTS, MOODS)
    tagger = SequenceTagger("hmm").fit([["a", "b"]] * 4, [["X", "Y"]] * 4)
    with pytest.raises(ValueError, match=said):
        SequenceClassifier("nbsvm").fit(text, MOODS[:6])
    with pytest.raises(ValueError, match=said):
        SequenceTagger("hmm").fit(text, [["X"]] * 6)
    for asked in (classifier.predict, classifier.predict_proba, tagger.predict):
        with pytest.raises(ValueError, match=said):
            asked(text)
    with pytest.raises(ValueError, match=r"y\[0\] is one text, 'XY', and has to be a list of tags"):
        SequenceTagger("hmm").fit([["a", "b"]] * 4, ["XY"] * 4)
    with pytest.raises(
        ValueError, match="y is one text, 'XYXY', and has to be a list of tags for each sentence"
    ):
        SequenceTagger("hmm").fit([["a", "b"]] * 4, "XYXY")


def test_a_prompt_is_one_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the cat sat on the mat. " * 40)
    run = ensue.train("generate", tmp_path / "a.txt", model="ngram", settings=["model.order=3"])
    assert run.generate(b"the c", length=8, seed=1) == run.generate("the c", length=8, seed=1)
    with pytest.raises(UserError, match=r"prompt: a path is not a text; give path.read_text\(\)"):
        run.generate(tmp_path / "a.txt")
    assert run.novelty(b"the cat").characters == run.novelty("the cat").characters == 7
    with pytest.raises(UserError, match="novelty: a list is not a text; give a string"):
        run.novelty(["the", "cat"])
    with pytest.raises(UserError, match="prompt: a list is not a text; give a string"):
        run.generate(["the", "cat"])
