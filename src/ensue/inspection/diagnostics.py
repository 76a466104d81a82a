"""What went wrong in a training, in words, from what it recorded and from its answers; each says
what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import log, pi, sqrt
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
OVERFITTED = 0.05
"""Rise of the validation loss over its best, as a share, that is no chance any more."""
FALLING = 0.05
"""Fall of the validation loss over the last quarter of its measurements, as a share, that goes
on with more time."""
SOLVED = 0.001
"""Nats below which nothing is left to learn, as in `training.fit`: gradients fade there, and
losses fall to nothing."""
MATTERS = 0.005
"""Rise or fall of the validation loss, in nats, below which nobody would notice it in any
answer."""
ENOUGH = 5
"""Examples of a label from which on it says something that none of them is recognised."""
WARMUP_STEPS = 30
"""Steps before which a network that is no better than frequencies is no sign of anything but too
little time."""
NAMED = 5
"""Labels that are named of those that are never told right."""
UNSURE, MEASURED = 0.1, 100
"""How far probabilities may be off in the mean, and the examples from which on that can be told."""
SHIFT_THRESHOLD = 0.15
"""The share of examples that would have to have another label for two parts to be alike."""


def diagnose(
    metrics: Sequence[Mapping[str, Any]],
    samples: Sequence[str],
    unigram: float | None = None,
    size: int | None = None,
) -> list[str]:
    """Name each failure that the lines of metrics.jsonl and the sampled texts show, one sentence
    each.

    `unigram` is the loss of symbol frequencies alone, in nats per symbol; `size` the number of
    symbols.

    >>> diagnose([], ["the the the the the the the the the "])
    ['A sample repeats itself: one part fills 100 % of it; train longer, or write with a higher
    --temperature']
    """
    course = (
        *_gradients(metrics),
        *_dead(metrics, unigram, size),
        *_overfitted(metrics),
        *_falling(metrics),
    )
    return [*course, *_repetition(samples)]


def diagnose_labels(
    costs: Sequence[tuple[str, float]],
    counts: Mapping[str, Mapping[str, int]],
    recalls: Iterable[tuple[str, int, float]],
    metrics: Sequence[Mapping[str, Any]] = (),
    of: str = "",
) -> list[str]:
    """Name what is wrong with the answers of a model of labels, or tags: `worse_than_baseline`,
    `label_shift`, `unrecognised`.

    `costs` are of the model that is recommended and, last, of the network that was trained; or
    empty. `counts` are of the labels in each part, `metrics` the lines of metrics.jsonl; `of` names
    the figure that costs are 1 less of.
    """
    found = (
        worse_than_baseline(costs[-1][1], dict(costs[:-1]), _time_helps(metrics), of)
        if costs
        else []
    )
    for part in ("validation", "test") if counts else ():
        found += label_shift(part, counts["train"], counts[part])
    return found + unrecognised(recalls, len(metrics) > 1 and _time_helps(metrics))


def worse_than_baseline(
    own: float, others: Mapping[str, float], more_time: bool = True, of: str = ""
) -> list[str]:
    """Say so where a network costs no less than a baseline, and something; both in the mean of the
    same test part.

    Without `more_time` a longer training is not advised, since this one had stopped to gain. `of`
    names the figure, such as F1, that costs are 1 less of: it is told instead.

    >>> worse_than_baseline(0.5, {"majority": 0.4})
    ['It is no better than majority (0.5 against 0.4); use that, or give it more examples or more
    --minutes']
    """
    if not own or not others or own < min(others.values()):
        return []
    best = min(others, key=lambda name: others[name])
    pair = [own, others[best]] if not of else [1 - own, 1 - others[best]]
    told = f"It is no better than {best} ({f'{of} {pair[0]:.3g}'.strip()} against {pair[1]:.3g})"
    return [f"{told}; use that, or give it more examples" + " or more --minutes" * more_time]


def unrecognised(recalls: Iterable[tuple[str, int, float]], more_time: bool = False) -> list[str]:
    """Name labels of which no example is told right; of each there is its count in the test part,
    and its recall.

    With `more_time` a longer training is advised first, since this one had not stopped to gain.

    >>> unrecognised([("spam", 12, 0.0), ("ham", 50, 0.9)])
    ["No example of 'spam' (12 in the test part) is told right; give more of them, or leave the
    label out"]
    """
    found = [
        f"{name!r} ({count:,}" for name, count, recall in recalls if count >= ENOUGH and not recall
    ]
    if not found:
        return []
    more = f", and of {len(found) - NAMED} more labels," * (len(found) > NAMED)
    named = "), ".join(found[:NAMED])
    longer = "train longer, " * more_time
    what = f"No example of {named} in the test part){more} is told right"
    return [f"{what}; {longer}give more of them, or leave the label out"]


def miscalibrated(error: float, count: int) -> list[str]:
    """Say so where calibrated probabilities are off, in the mean of `count` examples.

    >>> miscalibrated(0.2, 500)
    ['Its probabilities are 20 % off even after calibration; calibrate it on more examples
    (data.calibration)']
    """
    if error <= UNSURE or count < MEASURED:
        return []
    told = f"Its probabilities are {100 * error:.0f} % off even after calibration"
    return [f"{told}; calibrate it on more examples (data.calibration)"]


def label_shift(part: str, learned: Mapping[str, int], there: Mapping[str, int]) -> list[str]:
    """Say so where a part has other labels than the one that was learned, by more than chance; both
    are counts.

    >>> label_shift("test", {"ham": 900, "spam": 100}, {"ham": 100, "spam": 100})
    ["The test part has other labels than what was learned: 50 % are 'spam', and 10 % there; is it
    of the same kind?"]
    """
    every, own = sum(learned.values()), sum(there.values())
    if not every or not own:
        return []
    away = {
        name: there.get(name, 0) / own - learned.get(name, 0) / every
        for name in learned.keys() | there.keys()
    }
    distance = sum(map(abs, away.values())) / 2
    if distance <= SHIFT_THRESHOLD + sqrt(
        len(away) / (2 * pi * own)
    ):  # the mean of what chance does, at the most
        return []
    most = max(away, key=lambda name: (away[name], name))
    shares = there.get(most, 0) / own, learned.get(most, 0) / every
    told = f"{100 * shares[0]:.0f} % are {most!r}, and {100 * shares[1]:.0f} % there"
    return [
        f"The {part} part has other labels than what was learned: {told}; is it of the same kind?"
    ]


def undercoverage(promised: float, covered: float, count: int) -> list[str]:
    """Say so where sets or intervals hold less than they promise, by more than chance.

    >>> undercoverage(0.95, 0.7, 200)
    ['What promises 95 % holds 70 %: the test part is not like what it was fitted on; learn from
    later or more data']
    """
    if covered >= promised - 0.03 - 3 * sqrt(promised * (1 - promised) / max(count, 1)):
        return []
    told = f"What promises {100 * promised:.0f} % holds {100 * covered:.0f} %"
    return [
        f"{told}: the test part is not like what it was fitted on; learn from later or more data"
    ]


def _validations(metrics: Sequence[Mapping[str, Any]]) -> list[tuple[float, int]]:
    return [
        (row["validation"], row["step"]) for row in metrics if row.get("validation") is not None
    ]


def _solved(metrics: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether nothing was left to learn; a density may have a loss below zero, and learn
    on."""
    losses = [loss for loss, _ in _validations(metrics)]
    return bool(losses) and 0 <= min(losses) < SOLVED


def _time_helps(metrics: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether the validation loss was best at the end, or nearly: then a longer training
    may gain."""
    rows = _validations(metrics)
    return not rows or (min(rows) in rows[-3:] and not _solved(metrics))


def _gradients(metrics: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    norms = [(row["norm"], row["step"]) for row in metrics if row.get("norm") is not None]
    if len(norms) < 5:
        return
    if _solved(metrics):
        return
    # Norms fade as a network learns: what is usual at the end is no measure of how they began.
    middle = median(norm for norm, _ in norms)
    usual = max(middle, median(norm for norm, _ in norms[:5]))
    late = median(norm for norm, _ in norms[-max(len(norms) // 5, 1) :])
    worst, step = max(norms)
    if late < VANISHED:
        yield (
            f"Gradients vanished: their norm came down to {late:.1g}, so nothing is "
            f"learned any more; "
            "lower the rate, use a gated cell, or make the network less deep"
        )
    elif worst > EXPLODED * max(usual, VANISHED):
        yield (
            f"Gradients exploded: at step {step} the norm was {worst:.3g}, its median "
            f"{middle:.3g}; "
            "lower the rate, or clip more"
        )


def _dead(
    metrics: Sequence[Mapping[str, Any]], unigram: float | None, size: int | None
) -> Iterator[str]:
    if not (losses := _validations(metrics)):
        return
    best = min(losses)[0]
    if size is not None and best >= log(size):
        told = f"no better than guessing evenly ({log(size):.3f})"
    elif unigram is not None and best >= unigram:
        told = f"no better than the symbols' frequencies alone ({unigram:.3f})"
    else:
        return
    if (steps := losses[-1][1]) < WARMUP_STEPS:
        yield (
            f"The network has hardly begun: after {steps} steps its loss of {best:.3f} is "
            f"{told}; train longer"
        )
    else:
        yield (
            f"The network is dead: its loss of {best:.3f} is {told}; train longer, or change "
            f"the rate"
        )


def _overfitted(metrics: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows = _validations(metrics)
    if len(rows) < 4 or min(rows) in rows[-3:]:
        return
    best, step = min(rows)
    last = median(loss for loss, _ in rows[-3:])
    if last > (1 + OVERFITTED) * best and last - best > MATTERS:
        yield (
            f"The network began to learn the training part by heart: the validation loss "
            f"was best at step {step} "
            f"({best:.3f}) and rose to {last:.3f}; the weights of that step are kept; "
            f"more data, a smaller "
            "--size or more dropout would let it learn longer"
        )


def _falling(metrics: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    losses = [loss for loss, _ in _validations(metrics)]
    if len(losses) < 4:
        return
    before, last = losses[-1 - len(losses) // 4], losses[-1]
    if last == min(losses) and before - last > max(FALLING * abs(last), MATTERS):
        yield (
            f"The validation loss was still falling at the end: from {before:.3f} to "
            f"{last:.3f} over the last quarter; "
            "go on with `ensue resume RUN --minutes N`, or train longer"
        )


def _repetition(samples: Sequence[str]) -> Iterator[str]:
    share = max(
        (longest_repetition(text) / len(text) for text in samples if len(text) >= PERIOD),
        default=0.0,
    )
    if share >= COLLAPSED:
        yield (
            f"A sample repeats itself: one part fills {100 * share:.0f} % of it; "
            "train longer, or write with a higher --temperature"
        )


def longest_repetition(text: str) -> int:
    """Count the characters of the longest stretch that is one short part over and over, at least
    three times.

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
