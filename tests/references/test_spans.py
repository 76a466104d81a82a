"""Spans against conlleval: its rules written out word by word, and cases worked out by hand."""

from itertools import product

import numpy as np
import pytest

from ensue.evaluation.spans import SpanCounts, SpanRules, guess_scheme


def conlleval_chunks(tags: list[str]) -> set[tuple[int, int, str]]:
    """The script's walk over a sentence, with its two functions as they stand there."""

    def end_of_chunk(last: str, tag: str, last_type: str, type_: str) -> bool:
        over = last in ("E", "S")
        over |= (last, tag) in {("B", "B"), ("B", "S"), ("B", "O"), ("I", "B"), ("I", "S"), ("I", "O")}
        return over or (last not in ("O", ".") and last_type != type_)

    def start_of_chunk(last: str, tag: str, last_type: str, type_: str) -> bool:
        fresh = tag in ("B", "S")
        fresh |= (last, tag) in {("E", "E"), ("E", "I"), ("S", "E"), ("S", "I"), ("O", "E"), ("O", "I")}
        return fresh or (tag not in ("O", ".") and last_type != type_)

    chunks, begin = set(), 0
    last, last_type = "O", ""
    for place, tag in enumerate([*tags, "O"]):
        letter, _, kind = tag.partition("-")
        if end_of_chunk(last, letter, last_type, kind):
            chunks.add((begin, place, last_type))
        if start_of_chunk(last, letter, last_type, kind):
            begin = place
        last, last_type = letter, kind
    return chunks


@pytest.mark.parametrize("letters", ["BI", "BIES"])
def test_every_sequence_has_the_spans_that_the_script_finds(letters):
    tags = ["O", *(f"{letter}-{kind}" for letter in letters for kind in "XY")]
    rules = SpanRules(tags)
    for ids in product(range(len(tags)), repeat=3 if len(tags) > 5 else 5):
        found = rules.find(np.array(ids), np.array([0, len(ids)]))
        ours = {(b, e, rules.kinds[kind]) for b, e, kind in found.keys().tolist()}
        assert ours == conlleval_chunks([tags[id] for id in ids]), [tags[id] for id in ids]


def test_a_span_ends_with_its_sentence():
    rules = SpanRules(["O", "B-X", "I-X"])
    found = rules.find(np.array([1, 2, 2, 2, 0]), np.array([0, 2, 5]))
    assert found.keys().tolist() == [[0, 2, 1], [2, 4, 1]]


CASES = [
    # The example of the task description of CoNLL-2000, with one type wrong, one end wrong and one span too many.
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
]


@pytest.mark.parametrize(("there", "found", "counts"), CASES)
def test_cases_worked_out_by_hand(there, found, counts):
    there, found = there.split(), found.split()
    tags = sorted({*there, *found})
    rules, offsets = SpanRules(tags), np.array([0, len(there)])
    spans = [rules.find(np.array([tags.index(tag) for tag in one]), offsets) for one in (there, found)]
    counted = SpanCounts.of(*spans, offsets)
    assert (counted.there[0], counted.found[0], counted.right[0]) == counts
    figures = counted.figures(np.array([0]))
    precision, recall = counts[2] / counts[1] if counts[1] else 0, counts[2] / counts[0] if counts[0] else 0
    assert figures["span_precision"] == precision
    assert figures["span_recall"] == recall
    assert figures["span_f1"] == pytest.approx(2 * precision * recall / (precision + recall) if counts[2] else 0)


@pytest.mark.parametrize(
    ("sentences", "scheme"),
    [
        ("O I-X I-X B-X", "IOB1"),
        ("B-X I-X|I-Y", "IOB1"),
        ("B-X I-X B-X O", "IOB2"),
        ("B-X E-X S-Y O", "BIOES"),
        ("U-X B-X L-X O", "BIOES"),
        ("O O", None),
        ("NOUN VERB", None),
        ("B I O", None),
        ("I NOUN", None),
    ],
)
def test_the_scheme_is_guessed(sentences, scheme):
    assert guess_scheme(one.split() for one in sentences.split("|")) == scheme
