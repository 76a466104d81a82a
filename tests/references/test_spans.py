"""Spans against conlleval: its rules written out word by word, and cases worked out by hand."""

from itertools import pairwise, product

import numpy as np
import pytest

from ensue.data.codecs.tag_schemes import find_violations, guess_scheme
from ensue.evaluation.spans import SpanCounts, SpanRules


def ends(last: str, tag: str) -> bool:
    """The script's `endOfChunk`, as it stands there."""
    (last, _, last_type), (tag, _, type_) = last.partition("-"), tag.partition("-")
    over = last in ("E", "S")
    over |= (last, tag) in {("B", "B"), ("B", "S"), ("B", "O"), ("I", "B"), ("I", "S"), ("I", "O")}
    return over or (last not in ("O", ".") and last_type != type_)


def starts(last: str, tag: str) -> bool:
    """The script's `startOfChunk`, as it stands there."""
    (last, _, last_type), (tag, _, type_) = last.partition("-"), tag.partition("-")
    fresh = tag in ("B", "S")
    fresh |= (last, tag) in {("E", "E"), ("E", "I"), ("S", "E"), ("S", "I"), ("O", "E"), ("O", "I")}
    return fresh or (tag not in ("O", ".") and last_type != type_)


def conlleval_chunks(tags: list[str]) -> set[tuple[int, int, str]]:
    """The script's walk over a sentence."""
    chunks, begin = set(), 0
    for place, (last, tag) in enumerate(pairwise(["O", *tags, "O"])):
        if ends(last, tag):
            chunks.add((begin, place, last.partition("-")[2]))
        if starts(last, tag):
            begin = place
    return chunks


def conlleval_counts(true: list[str], said: list[str]) -> tuple[int, int, int]:
    """The script's counts, which it keeps as it walks: spans that are there, that were found,
    that were found right."""
    there = found = right = 0
    inside = False
    for (last, tag), (last_said, tag_said) in zip(
        pairwise(["O", *true, "O"]), pairwise(["O", *said, "O"]), strict=True
    ):
        over, over_said = ends(last, tag), ends(last_said, tag_said)
        alike = tag.partition("-")[2] == tag_said.partition("-")[2]
        if inside and over and over_said and last.partition("-")[2] == last_said.partition("-")[2]:
            inside, right = False, right + 1
        elif inside and (over != over_said or not alike):
            inside = False
        fresh, fresh_said = starts(last, tag), starts(last_said, tag_said)
        inside |= fresh and fresh_said and alike
        there, found = there + fresh, found + fresh_said
    return there, found, right


def test_pairs_of_any_tags_are_counted_as_the_script_counts_them():
    tags = ["O", *(f"{letter}-{kind}" for letter in "BIES" for kind in "XY")]
    draws = np.random.default_rng(0)
    true = draws.integers(len(tags), size=(2000, 6))
    said = np.where(
        draws.random(true.shape) < 0.3, draws.integers(len(tags), size=true.shape), true
    )
    offsets = np.arange(2001) * 6
    counted = SpanCounts.of(
        *(SpanRules(tags).find(one.ravel(), offsets) for one in (true, said)), offsets
    )
    for row, (one, other) in enumerate(zip(true.tolist(), said.tolist(), strict=True)):
        expected = conlleval_counts([tags[id] for id in one], [tags[id] for id in other])
        assert (counted.actual[row], counted.predicted[row], counted.correct[row]) == expected


@pytest.mark.parametrize("letters", ["BI", "BIES"])
def test_every_sequence_has_the_spans_that_the_script_finds(letters):
    tags = ["O", *(f"{letter}-{kind}" for letter in letters for kind in "XY")]
    rules = SpanRules(tags)
    for ids in product(range(len(tags)), repeat=3 if len(tags) > 5 else 5):
        found = rules.find(np.array(ids), np.array([0, len(ids)]))
        ours = {(b, e, rules.kinds[kind]) for b, e, kind in found.tolist()}
        assert ours == conlleval_chunks([tags[id] for id in ids]), [tags[id] for id in ids]


def test_a_span_ends_with_its_sentence():
    rules = SpanRules(["O", "B-X", "I-X"])
    found = rules.find(np.array([1, 2, 2, 2, 0]), np.array([0, 2, 5]))
    assert found.tolist() == [[0, 2, 1], [2, 4, 1]]


CASES = [
    # The example of the task description of CoNLL-2000, with one type wrong, one end wrong and one
    # span too many.
    (
        "B-NP I-NP B-VP B-NP I-NP I-NP O B-PP B-NP",
        "B-NP I-NP B-NP B-NP I-NP O O B-PP B-NP",
        (5, 5, 3),
    ),
    ("I-PER I-PER O I-LOC", "B-PER I-PER O B-LOC", (2, 2, 2)),
    ("B-X B-X", "B-X I-X", (2, 1, 0)),
    ("S-X B-X E-X", "S-X S-X E-X", (2, 3, 1)),
    ("O O", "O O", (0, 0, 0)),
    ("O B-X", "O O", (1, 0, 0)),
    # I- without B-, a type that changes inside, E- and S- among I-, a letter that is none: as the
    # script reads them.
    ("I-X I-Y B-Y I-X", "B-X B-Y I-Y I-X", (4, 3, 2)),
    ("E-X I-X E-X E-X", "S-X B-X E-X S-X", (3, 3, 3)),
    ("S-X I-X B-X", "S-X B-X B-X", (3, 3, 3)),
    ("BI-X I-X L-X U-X", "O B-X E-X S-X", (2, 2, 2)),
]


@pytest.mark.parametrize(("there", "found", "counts"), CASES)
def test_cases_worked_out_by_hand(there, found, counts):
    there, found = there.split(), found.split()
    tags = sorted({*there, *found})
    rules, offsets = SpanRules(tags), np.array([0, len(there)])
    spans = [
        rules.find(np.array([tags.index(tag) for tag in one]), offsets) for one in (there, found)
    ]
    counted = SpanCounts.of(*spans, offsets)
    assert (counted.actual[0], counted.predicted[0], counted.correct[0]) == counts
    figures = counted.compute_metrics(np.array([0]))
    precision, recall = (
        counts[2] / counts[1] if counts[1] else np.nan,
        counts[2] / counts[0] if counts[0] else np.nan,
    )
    f1 = 2 * precision * recall / (precision + recall) if counts[2] else 0 if counts[0] else np.nan
    wanted = {"span_precision": precision, "span_recall": recall, "span_f1": f1}
    assert figures == pytest.approx(wanted, nan_ok=True)


@pytest.mark.parametrize(
    ("sentences", "scheme"),
    [
        ("O I-X I-X B-X", "IOB1"),
        ("B-X I-X|I-Y", "IOB1"),
        ("B-X I-X B-X O", "IOB2"),
        ("B-X E-X S-Y O", "BIOES"),
        ("U-X B-X L-X O", "BILOU"),
        ("O O", None),
        ("NOUN VERB", None),
        ("B I O", "IOB2"),
        ("B I V", None),
        ("I NOUN", None),
        ("BI-X O", None),
    ],
)
def test_the_scheme_is_guessed(sentences, scheme):
    assert guess_scheme(one.split() for one in sentences.split("|")) == scheme


@pytest.mark.parametrize(
    ("tags", "scheme", "places"),
    [
        ("O I-X I-Y I-X O", "IOB1", []),
        ("O B-X I-X B-X B-Y", "IOB1", [1, 4]),
        ("B-X I-X O I-X B-Y I-X", "IOB2", [3, 5]),
        ("B-X E-X S-X O B-X I-X O E-X I-X B-Y E-X", "BIOES", [5, 7, 8, 9, 10]),
    ],
)
def test_tags_that_break_a_scheme_are_found(tags, scheme, places):
    assert find_violations(tags.split(), scheme) == places


def test_spans_of_one_type_without_its_name_are_spans():
    tags = ["O", "B", "I"]
    draws = np.random.default_rng(5)
    rules = SpanRules(tags)
    for _ in range(200):
        ids = draws.integers(0, 3, 8)
        assert guess_scheme([[*(tags[one] for one in ids), "O", "B", "I"]]) in ("IOB1", "IOB2")
        found = rules.find(ids, np.array([0, 8]))[:, :2].tolist()
        assert sorted(map(tuple, found)) == sorted(
            one[:2] for one in conlleval_chunks([tags[one] for one in ids])
        )
