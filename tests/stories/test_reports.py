"""report.html: in every run, without scripts and without anything from outside, its pictures
well-formed, and all that comes from data only shown."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import check_page, svgs
from tiny_runs import made

import ensue
from ensue.api import find_task
from ensue.inspection import pictures
from ensue.tasks import document
from ensue.tasks.model_card import write_sections
from ensue.tasks.results import Result
from ensue.training.folder.run import Run

PICTURES = {
    ("generate", "lstm"): ["Each model", "Loss by training step"],
    ("generate", "ngram"): ["Each model"],
    ("classify", "convolution"): [
        *("Each model", "Accuracy by confidence", "At most 16 labels", "All test examples"),
        "Loss by training step",
    ],
    ("tag", "lstm"): ["Each model", "Loss by training step"],
    ("tag", "hmm"): ["Each model"],
    ("forecast", "lstm"): [
        "Each model",
        "Forecasts of the test",
        "All test forecasts",
        "Loss by training step",
    ],
}
"""The captions of a report, by verb and model."""


@pytest.mark.parametrize(("task", "model"), PICTURES, ids=map("-".join, PICTURES))
def test_every_verb_writes_it(tmp_path: Path, task: str, model: str) -> None:
    run = made(task, "finished", tmp_path, model)
    page, card = (run / "report.html").read_text(), (run / "report.md").read_text()
    read = check_page(page)
    captions = re.findall("<figcaption>(.*?)</figcaption>", page)
    pairs = zip(captions, PICTURES[task, model], strict=True)
    assert [one for one, begin in pairs if not one.startswith(begin)] == []
    assert len(svgs(page)) == len(captions)
    # All of the model card is there: its titles, and the cells of its tables.
    shown, titles = "".join(read.shown), re.findall("(?m)^## (.*)", card)
    assert [one for one in titles if f"<h2>{one}</h2>" not in page] == []
    rows = [line for line in card.splitlines() if line.startswith("| ")]
    assert page.count("<tr>") == len(rows)
    cells = {cell for row in rows for cell in row.strip("| ").replace("\\\\", "\\").split(" | ")}
    assert [cell for cell in cells if cell not in shown] == []
    assert "report.html" in json.loads((run / "manifest.json").read_text())["sha256"]
    assert find_task(task).results[-3:] == ("report.md", "report.html", "result.json")


def rewritten(run: Path) -> str:
    opened = Run.open(run)
    report = find_task(opened.about["task"]).report
    result = opened.parse("result.json", Result.from_json)
    return document.write_report(*write_sections(result, report, opened)).html


def test_the_same_results_make_the_same_bytes(tmp_path: Path) -> None:
    run = made("classify", "finished", tmp_path, "convolution")
    assert rewritten(run) == rewritten(run) == (run / "report.html").read_text()


def test_a_copied_span_is_marked(tmp_path: Path) -> None:
    run = made("generate", "finished", tmp_path, "ngram")
    samples = json.loads((run / "result.json").read_text())["details"]["samples"]
    marked = re.findall("(?s)<mark>(.*?)</mark>", (run / "report.html").read_text())
    assert marked == [one["novelty"]["longest"] for one in samples]
    assert all(marked)


@pytest.mark.parametrize(
    ("text", "at", "page"),
    [
        ("ab cd", 1, "a<mark>b c</mark>d"),
        ("<b>b c", 0, "&lt;b&gt;<mark>b c</mark>"),
        ("nothing", 0, "nothing<mark></mark>"),
    ],
)
def test_a_span_is_marked_where_it_is(text: str, at: int, page: str) -> None:
    novelty = {"longest": "b c", "characters": 3, "at": at, "sentence": "x"}
    details = {"samples": [{"text": text, "novelty": novelty}]}
    result: Any = Result("a", "generate", (), None, (), (), (), details)  # type: ignore[arg-type]
    found = find_task("generate").report.sections(result, None)
    assert found[0].blocks[0].html == f"<pre>{page}</pre>"


def test_sentences_show_their_wrong_tags(tmp_path: Path) -> None:
    data, run = tmp_path / "a.tsv", tmp_path / "run"
    # The tag of "b" cannot be known.
    data.write_text("".join(f"a\tX\nb\t{'YZZ'[n % 3]}\n\n" for n in range(90)))
    ensue.train("tag", data, out=run, model="most-frequent-tag")
    examples = json.loads((run / "result.json").read_text())["details"]["examples"]
    assert len(examples) == 9
    assert all([word for word, *_ in one] == ["a", "b"] for one in examples)
    wrong = [one for words in examples for one in words if one[1] != one[2]]
    assert {tuple(one) for one in wrong} == {("b", "Z", "Y")}
    page, card = (run / "report.html").read_text(), (run / "report.md").read_text()
    assert page.count("border: 2px") == page.count("<sub>Z (actual Y)</sub>") == len(wrong)
    assert "    a/X b/Z (actual Y)" in card


def test_a_picture_that_fails_costs_nothing_but_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError("<no room>")

    monkeypatch.setattr("ensue.tasks.document.to_svg", fail)
    run = made("tag", "finished", tmp_path, "hmm")
    page = (run / "report.html").read_text()
    assert "This picture could not be drawn: MemoryError(&#x27;&lt;no room&gt;&#x27;)" in page
    assert (run / "result.json").exists()


@pytest.mark.parametrize(
    ("draw", "values"),
    [
        (pictures.draw_curves, ([{"step": 1, "loss": 2.0, "validation": None}], {}, "nats")),
        (
            pictures.draw_curves,
            ([{"step": 1, "loss": 2.0, "validation": 1.0}], {"a": 1.0}, "nats"),
        ),
        (pictures.draw_line, ([1, 2], [None, 0.5], ("x", "y"))),
        (pictures.draw_scores, ([], "accuracy", "accuracy")),
        (pictures.draw_reliability, ({"before": [], "after": []},)),
        (pictures.draw_confusion, (["a", "b"], np.zeros((2, 2), int))),
        (pictures.draw_confusion, ([f"{n}" * 99 for n in range(60)], np.ones((60, 60), int))),
        (pictures.draw_line, ([1, 2], [0.1, 0.5], ("日本語", "$a$ <b> \\frac"))),
    ],
)
def test_pictures_of_little_and_of_much(draw: Any, values: Any) -> None:
    (picture,) = svgs(pictures.to_svg(draw, *values))
    size = [float(one) for one in picture.attrib["viewBox"].split()[2:]]
    assert max(size) < 1000
    for one in picture.iter():
        assert len(one.text or "") < 100


def test_baselines_are_lines_in_the_unit_of_the_curve(tmp_path: Path) -> None:
    """Each baseline's loss is the one that the log of its own training has."""
    data = tmp_path / "a.tsv"
    data.write_text("".join(f"a\tX\nb\t{'YZZ'[n % 3]}\n\n" for n in range(300)))
    ensue.train("tag", data, out=tmp_path / "run", model="lstm", size="tiny", epochs=1)
    rows = Run.open(tmp_path / "run").parse("result.json", Result.from_json).scores
    found = {one.name: one.nats_per_item for one in rows}
    # A third of the words b has the tag Y, and two thirds Z.
    expected = -(np.log(1 / 3) / 3 + 2 * np.log(2 / 3) / 3) / 2
    assert found["most-frequent-tag"] == pytest.approx(expected, abs=0.03)
    labels = re.findall(
        r"most-frequent-tag, test \((.*?)\)", (tmp_path / "run" / "report.html").read_text()
    )
    assert labels == [f"{found['most-frequent-tag']:.3f}"]
