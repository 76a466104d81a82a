"""Taggers of spans are compared by span F1: against a bootstrap written out, and where words say
the contrary."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from ensue.cli.main import main
from ensue.evaluation.ranking import best_model, explain_recommendation
from ensue.evaluation.scores import Measured, Role, Score
from ensue.evaluation.spans import SpanRules
from ensue.evaluation.tagging import TaggedTruth
from ensue.inspection.diagnostics import worse_than_baseline

TAGS = ["B-A", "I-A", "O"]


def truth(count: int) -> TaggedTruth:
    """Sentences of ten words with one span of two."""
    draws = np.random.default_rng(0)
    true = np.full((count, 10), 2)
    for row, place in enumerate(draws.integers(0, 8, count)):
        true[row, place : place + 2] = [0, 1]
    ids = true.ravel()
    return TaggedTruth(
        ids, np.ones(len(ids), bool), np.arange(0, len(ids) + 1, 10), TAGS, 3, "IOB2"
    )


def standing(
    name: str, role: Role, truth: TaggedTruth, said: np.ndarray, seconds: float = 1.0
) -> Score:
    spans = truth.get_comparison_spans(said)
    return Measured({}, {}, truth.losses(said), "span F1", spans).of(name, role, seconds, 0)


def damaged(truth: TaggedTruth, share: float, tag: int, seed: int) -> np.ndarray:
    """Give some words another tag."""
    draws = np.random.default_rng(seed)
    return np.where(draws.random(len(truth.true)) < share, tag, truth.true)


def test_the_difference_is_that_of_f1_over_the_same_sentences_drawn_again() -> None:
    one = truth(200)
    said = [damaged(one, 0.2, 2, 1), damaged(one, 0.05, 0, 2)]
    rows = [standing("a", "baseline", one, said[0]), standing("b", "network", one, said[1])]
    rules = SpanRules(TAGS)

    def counts(own: np.ndarray) -> np.ndarray:
        found = []
        for sentence in range(200):
            words, ends = slice(10 * sentence, 10 * sentence + 10), np.array([0, 10])
            true = set(map(tuple, rules.find(one.true[words], ends).tolist()))
            mine = set(map(tuple, rules.find(own[words], ends).tolist()))
            found.append([len(true), len(mine), len(true & mine)])
        return np.array(found)

    by_sentence = {id(own): counts(own) for own in said}

    def f1(own: np.ndarray, sentences: np.ndarray) -> float:
        there, found, right = by_sentence[id(own)][sentences].sum(0)
        return 2 * right / (there + found)

    assert rows[0].cost == pytest.approx(1 - f1(said[0], np.arange(200)))
    less, (low, high) = rows[0].paired_difference(rows[1])
    assert less == pytest.approx(f1(said[1], np.arange(200)) - f1(said[0], np.arange(200)))
    draws = np.random.default_rng(7)
    drawn = [draws.integers(0, 200, 200) for _ in range(300)]
    again = [f1(said[1], sentences) - f1(said[0], sentences) for sentences in drawn]
    assert [low, high] == pytest.approx(np.percentile(again, [2.5, 97.5]).tolist(), abs=0.02)


def test_a_tagger_of_spans_is_not_recommended_for_its_words() -> None:
    one = truth(300)
    none = np.full(len(one.true), 2)  # 80 % of the words are right, and no span
    bold = np.where(np.arange(len(one.true)) % 10 < 3, damaged(one, 0.9, 0, 3), one.true)
    rows = [standing("words", "baseline", one, none), standing("spans", "network", one, bold)]
    assert rows[0].losses.mean() < rows[1].losses.mean()
    assert best_model(rows).name == "spans"
    found = explain_recommendation(rows)
    assert found.recommendation.startswith("spans (span F1 0.")
    (network,) = found.comparison
    assert network.startswith("The network (spans) is better than words by 0.")
    assert "span F1 [" in network


def test_a_network_that_is_no_better_in_spans_is_worse() -> None:
    one = truth(300)
    poor = damaged(one, 0.75, 2, 4)
    other = damaged(one, 0.75, 2, 5)
    rows = [
        standing("hmm", "baseline", one, poor, 0.1),
        standing("network", "network", one, other, 60.0),
    ]
    rows[1].losses[:] = 0  # every word right could not help
    found = explain_recommendation(rows)
    assert found.recommendation == f"hmm (span F1 {1 - rows[0].cost:.3f})"
    assert 1 - rows[0].cost < 0.2
    (network,) = found.comparison
    lost = rows[1].cost - rows[0].cost
    assert network.startswith(f"The network (network) is worse than hmm by {lost:.3f} span F1 [")


def test_without_spans_in_the_test_words_are_compared() -> None:
    one = truth(10)
    empty = TaggedTruth(np.full(100, 2), one.known, one.offsets, TAGS, 3, "IOB2")
    assert empty.get_comparison_spans(np.full(100, 2)) is None


def test_the_warning_tells_f1() -> None:
    messages = worse_than_baseline(0.9, {"hmm": 0.6}, metric="span F1")
    assert messages == [
        (
            "The network is no better than hmm (span F1 0.1 against 0.4); use that, more data "
            "or a larger --minutes"
        )
    ]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, dice = tmp_path_factory.mktemp("spans"), random.Random(0)
    lines = []
    for _ in range(200):
        words = [
            (dice.choice(["sees", "in", "the", "old"]), "O") for _ in range(dice.randint(3, 8))
        ]
        place = dice.choice(["Rome", "Bern", "Kiel", "May"])
        tags = [(place, "B-LOC" if place != "May" or dice.random() < 0.5 else "O")]
        lines += [f"{word}\t{tag}\n" for word, tag in words + tags] + ["\n"]
    (folder / "a.tsv").write_text("".join(lines))
    train = ["train", "tag", str(folder / "a.tsv"), "--out"]
    assert main([*train, str(folder / "hmm"), "--model", "hmm"]) == 0
    tiny = ["--size", "tiny", "--set", "training.steps=3", "--set", "hardware.threads=1"]
    assert main([*train, str(folder / "network"), "--model", "lstm", *tiny]) == 0
    return [folder / "hmm", folder / "network"]


def test_result_report_and_comparison_go_by_span_f1(
    runs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for run in runs:
        result = json.loads((run / "result.json").read_text())
        assert result["details"]["primary_metric"] == "span_f1"
        assert "span F1 0." in result["recommendation"]
        assert "errors per word" not in result["recommendation"]
        assert "| model | span F1 | tag accuracy |" in (run / "report.md").read_text()
        assert "95 % interval of span F1" in (run / "report.md").read_text()
    network = json.loads((runs[1] / "result.json").read_text())
    assert "is better" not in network["comparison"][0]
    assert any("span F1 0" in symptom for symptom in network["warnings"])
    capsys.readouterr()
    assert main(["compare", *map(str, runs)]) == 0
    assert "interval of span F1" in " ".join(capsys.readouterr().out.split())


def test_models_that_answer_alike_are_called_the_same_and_the_one_of_the_run_is_named() -> None:
    one = truth(40)
    first, own = (
        standing(name, "baseline", one, one.true) for name in ("hmm", "most-frequent-tag")
    )
    found = explain_recommendation([first, own])
    assert found.recommendation == "most-frequent-tag (span F1 1.000)"
    assert found.comparison[0].startswith("hmm is as good as most-frequent-tag on every item; ")
    network = standing("lstm", "network", one, one.true)
    assert best_model([first, network]) is first
    slow = standing("lstm", "network", one, one.true, seconds=9.0)
    times = f"training time 9.0 s against {first.seconds:.1f} s"
    assert explain_recommendation([first, slow]).comparison == (
        f"The network (lstm) is as good as hmm on every item; {times}",
    )
