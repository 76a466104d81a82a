"""Tag schemes of spans (IOB1, IOB2, BIOES, BILOU): detection and validation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal, TypeAlias

Scheme: TypeAlias = Literal["IOB1", "IOB2", "BIOES", "BILOU"]

OUTSIDE = "O"
LETTERS = frozenset("BIES")
INSIDE: dict[Scheme, str] = {"IOB1": "B", "IOB2": "I", "BIOES": "IE", "BILOU": "IE"}
"""Letters that only follow a tag of the same span, or one before it."""
ALIKE = {"L": "E", "U": "S"}
"""Letters of BILOU, as those of BIOES."""


@lru_cache(1 << 12)
def split_tag(tag: str) -> tuple[str, str]:
    """Split a tag into its prefix and its type; a tag without a known prefix counts as outside.

    >>> split_tag("B-PER"), split_tag("U-LOC"), split_tag("I"), split_tag("O")
    (('B', 'PER'), ('S', 'LOC'), ('I', ''), ('O', ''))
    """
    letter, _, kind = tag.partition("-")
    letter = ALIKE.get(letter, letter)
    return (letter, kind) if letter in LETTERS else (OUTSIDE, "")


def guess_scheme(sentences: Iterable[Sequence[str]]) -> Scheme | None:
    """Infer the tag scheme with the fewest violations; None if the tags are not spans.

    With a single type of span, tags may omit its name.

    >>> (guess_scheme([["O", "I-PER", "I-PER"]]), guess_scheme([["B-PER", "I-PER"]]),
    ...  guess_scheme([["NOUN"]]))
    ('IOB1', 'IOB2', None)
    >>> guess_scheme([["B-A", "E-A", "S-A"]]), guess_scheme([["B-A", "L-A", "U-A"]])
    ('BIOES', 'BILOU')
    >>> (guess_scheme([["O", "B", "I"]]), guess_scheme([["O", "B", "V"]]),
    ...  guess_scheme([["O", "B", "I-PER"]]))
    ('IOB2', None, None)
    """
    sentences = list(sentences)
    letters, written, wrong = set(), set(), Counter[Scheme]({"IOB1": 0, "IOB2": 0})
    plain = (
        {OUTSIDE, "B"} <= {tag for tags in sentences for tag in tags} <= {OUTSIDE, *LETTERS, *ALIKE}
    )
    for tags in sentences:
        for tag in set(tags):
            letter, kind = split_tag(tag)
            if tag != OUTSIDE and not kind and not plain:
                return None
            letters.add(letter)
            written.add(tag[:1])
        wrong.update({scheme: len(find_violations(tags, scheme)) for scheme in wrong})
    if letters <= {OUTSIDE}:
        return None
    if letters & {"E", "S"}:
        return "BIOES" if written & {"E", "S"} else "BILOU"
    return min(wrong, key=lambda scheme: wrong[scheme])


def find_violations(tags: Sequence[str], scheme: Scheme) -> list[int]:
    """Return the positions of tags that violate the scheme.

    In IOB1 a span begins with I, or with B right after one of its type; in IOB2 always with B. In
    BIOES a span of one word is S, and a longer one ends with E. In BILOU these are U and L.

    >>> find_violations(["I-PER", "B-PER", "O", "B-LOC"], "IOB1")
    [3]
    >>> find_violations(["O", "I-PER"], "IOB2"), find_violations(["B-A", "O"], "BIOES")
    ([1], [0])
    """
    cut = [(OUTSIDE, ""), *map(split_tag, tags), (OUTSIDE, "")]
    inside, wrong = INSIDE[scheme], []
    for place, (this, kind) in enumerate(cut):
        if this == OUTSIDE:  # most words are
            continue
        (before, kind_before), (after, kind_after) = cut[place - 1], cut[place + 1]
        goes_on = kind_before == kind and before in "BI"
        unclosed = (
            scheme in ("BIOES", "BILOU")
            and this in "BI"
            and (kind_after != kind or after not in "IE")
        )
        if (this in inside and not goes_on) or unclosed:
            wrong.append(place - 1)
    return wrong


def may_follow(before: str, tag: str, scheme: Scheme) -> bool:
    """Whether a tag may follow another; the sentence begins and ends with O.

    >>> may_follow("O", "I-A", "IOB2"), may_follow("B-A", "I-A", "IOB2")
    (False, True)
    >>> may_follow("B-A", "O", "BIOES")
    False
    """
    (last, of_last), (this, kind) = split_tag(before), split_tag(tag)
    goes_on = kind == of_last and last in "BI"
    if scheme in ("BIOES", "BILOU") and last in "BI":
        return goes_on and this in "IE"
    return goes_on or this not in INSIDE[scheme]
