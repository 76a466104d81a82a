"""What went wrong in a training, in words, from what it recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import log
from statistics import median
from typing import Any

VANISHED = 1e-6
"""A gradient shorter than this moves nothing."""
EXPLODED = 100.0
"""A gradient longer than so many times the median has exploded."""
COLLAPSED = 0.6
"""Of a sample in one stretch that repeats itself is a collapse."""
PERIOD = 20
"""The longest repeated part that is looked for, in characters."""
OVERFITTED = 0.02
"""Rise of the validation loss over its best, as a share, that is no chance any more."""


def ailments(
    metrics: Sequence[Mapping[str, Any]], samples: Sequence[str], unigram: float | None = None, size: int | None = None
) -> list[str]:
    """Name each failure that the lines of metrics.jsonl and the sampled texts show, one sentence each.

    `unigram` is the loss of symbol frequencies alone, in nats per symbol; `size` the number of symbols.

    >>> ailments([], ["the the the the the the the the the "])
    ['A sample repeats itself: one part fills 100 % of it, so the model has collapsed or is used too greedily.']
    """
    return [*_gradients(metrics), *_dead(metrics, unigram, size), *_overfitted(metrics), *_repetition(samples)]


def _gradients(metrics: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    norms = [(row["norm"], row["step"]) for row in metrics if row.get("norm") is not None]
    if len(norms) < 5:
        return
    usual = median(norm for norm, _ in norms)
    late = median(norm for norm, _ in norms[-max(len(norms) // 5, 1) :])
    worst, step = max(norms)
    if late < VANISHED:
        yield (
            f"Gradients vanished: their norm came down to {late:.1g}, so nothing is learned any more; "
            "lower the rate, use a gated cell, or make the network less deep."
        )
    elif worst > EXPLODED * max(usual, VANISHED):
        yield (
            f"Gradients exploded: at step {step} the norm was {worst:.3g}, its median {usual:.3g}; "
            "lower the rate, or clip more."
        )


def _dead(metrics: Sequence[Mapping[str, Any]], unigram: float | None, size: int | None) -> Iterator[str]:
    losses = [row["validation"] for row in metrics if row.get("validation") is not None]
    if not losses:
        return
    best = min(losses)
    if size is not None and best >= log(size):
        yield f"The network is dead: its loss of {best:.3f} is no better than guessing evenly ({log(size):.3f})."
    elif unigram is not None and best >= unigram:
        yield (
            f"The network is dead: its loss of {best:.3f} is no better than the symbols' frequencies alone "
            f"({unigram:.3f}); train longer, or change the rate"
        )


def _overfitted(metrics: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows = [(row["validation"], row["step"]) for row in metrics if row.get("validation") is not None]
    if len(rows) < 3:
        return
    best, step = min(rows)
    last = median(loss for loss, _ in rows[-3:])
    if last > (1 + OVERFITTED) * best:
        yield (
            f"The network began to learn the training part by heart: the validation loss was best at step {step} "
            f"({best:.3f}) and rose to {last:.3f}; the weights of that step are kept."
        )


def _repetition(samples: Sequence[str]) -> Iterator[str]:
    share = max((longest_repetition(text) / len(text) for text in samples if len(text) >= PERIOD), default=0.0)
    if share >= COLLAPSED:
        yield (
            f"A sample repeats itself: one part fills {100 * share:.0f} % of it, "
            "so the model has collapsed or is used too greedily."
        )


def longest_repetition(text: str) -> int:
    """Count the characters of the longest stretch that is one short part over and over, at least three times.

    >>> longest_repetition("say ababab!"), longest_repetition("abcabc")
    (6, 0)
    """
    longest = 0
    for period in range(1, PERIOD + 1):
        same = 0
        for here, before in zip(text[period:], text, strict=False):
            same = same + 1 if here == before else 0
            if same >= 2 * period:
                longest = max(longest, same + period)
    return longest
