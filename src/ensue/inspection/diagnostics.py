"""Diagnose a training from its metrics and predictions: one sentence per problem, with a fix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import log, pi, sqrt
from statistics import median
from typing import Any

VANISHED = 1e-6
"""Gradient norm below which the weights no longer move."""
EXPLODED = 100.0
"""A gradient has exploded if its norm is this many times the median."""
COLLAPSED = 0.6
"""A sample has collapsed if one repeated part fills this share of it."""
PERIOD = 20
"""Longest repeated part that is searched for, in characters."""
OVERFITTED = 0.05
"""Relative rise of the validation loss over its best that is no longer noise."""
FALLING = 0.05
"""Relative fall of the validation loss over its last quarter that promises more with more time."""
SOLVED = 0.001
"""Loss in nats below which nothing is left to learn, as in `training.fit`: gradients fade there,
and losses fall to nothing."""
MATTERS = 0.005
"""Change of the validation loss, in nats, below which nobody would notice it in a prediction."""
ENOUGH = 5
"""Examples of a label from which a recall of 0 is evidence."""
WARMUP_STEPS = 30
"""Before this step, a network no better than symbol frequencies shows only that time was short."""
NAMED = 5
"""Labels with a recall of 0 that are named; the others are counted."""
UNSURE, MEASURED = 0.1, 100
"""Expected calibration error that is reported, and the examples needed to measure it."""
SHIFT_THRESHOLD = 0.15
"""Total variation distance between the labels of two parts that is reported."""


def diagnose(
    metrics: Sequence[Mapping[str, Any]],
    samples: Sequence[str],
    unigram: float | None = None,
    size: int | None = None,
) -> list[str]:
    """Diagnose a training from the rows of metrics.jsonl and its sampled texts.

    `unigram` is the loss of a unigram model in nats per symbol; `size` is the vocabulary size.

    >>> diagnose([], ["the the the the the the the the the "])
    ['A sample repeats itself: one part fills 100 % of it; train longer, or generate with a higher
    --temperature']
    """
    found = (
        *_gradients(metrics),
        *_worse_than_unigram(metrics, unigram, size),
        *_overfitted(metrics),
        *_falling(metrics),
    )
    return [*found, *_repetition(samples)]


def diagnose_labels(
    costs: Sequence[tuple[str, float]],
    counts: Mapping[str, Mapping[str, int]],
    recalls: Iterable[tuple[str, int, float]],
    metrics: Sequence[Mapping[str, Any]] = (),
    metric: str = "",
) -> list[str]:
    """Diagnose a classifier or tagger: `worse_than_baseline`, `label_shift`, `unrecognised`.

    `costs` holds the recommended model and, last, the trained network; it may be empty. `counts`
    holds label counts per part, `metrics` the rows of metrics.jsonl. If costs are 1 - a metric such
    as F1, `metric` is its name.
    """
    found = []
    if costs:
        found = worse_than_baseline(costs[-1][1], dict(costs[:-1]), _time_helps(metrics), metric)
    for part in ("validation", "test") if counts else ():
        found += label_shift(part, counts["train"], counts[part])
    return found + unrecognised(recalls, len(metrics) > 1 and _time_helps(metrics))


def worse_than_baseline(
    own: float, others: Mapping[str, float], more_time: bool = True, metric: str = ""
) -> list[str]:
    """Warn if the network costs no less than a baseline, and more than nothing.

    Costs are means over the same test part. Without `more_time`, longer training is not advised,
    because the network had stopped improving. If costs are 1 - a metric, `metric` is its name, and
    the message shows the metric.

    >>> worse_than_baseline(0.5, {"majority": 0.4})
    ['The network is no better than majority (0.5 against 0.4); use that, more data or a larger
    --minutes']
    """
    if not own or not others or own < min(others.values()):
        return []
    best = min(others, key=lambda name: others[name])
    pair = [own, others[best]] if not metric else [1 - own, 1 - others[best]]
    values = f"{metric} {pair[0]:.3g}".strip() + f" against {pair[1]:.3g}"
    fix = "use that, more data or a larger --minutes" if more_time else "use that, or more data"
    return [f"The network is no better than {best} ({values}); {fix}"]


def unrecognised(recalls: Iterable[tuple[str, int, float]], more_time: bool = False) -> list[str]:
    """Warn of labels with a recall of 0; `recalls` holds name, test examples and recall of each.

    With `more_time`, longer training is advised first, because the network was still improving.

    >>> unrecognised([("spam", 12, 0.0), ("ham", 50, 0.9)])
    ["No example is recognised of 'spam' (12 in the test part); add examples of them, or drop the
    label"]
    """
    found = [
        f"{name!r} ({count:,}" for name, count, recall in recalls if count >= ENOUGH and not recall
    ]
    if not found:
        return []
    more = f", and of {len(found) - NAMED} more labels" * (len(found) > NAMED)
    named = "), ".join(found[:NAMED])
    longer = "train longer, " * more_time
    problem = f"No example is recognised of {named} in the test part){more}"
    return [f"{problem}; {longer}add examples of them, or drop the label"]


def miscalibrated(error: float, count: int) -> list[str]:
    """Warn of a large expected calibration error, measured on `count` examples after calibration.

    >>> miscalibrated(0.2, 500)
    ['The expected calibration error is 20 % even after calibration; calibrate on more examples
    (data.calibration)']
    """
    if error <= UNSURE or count < MEASURED:
        return []
    problem = f"The expected calibration error is {100 * error:.0f} % even after calibration"
    return [f"{problem}; calibrate on more examples (data.calibration)"]


def label_shift(
    part: str, train_counts: Mapping[str, int], part_counts: Mapping[str, int]
) -> list[str]:
    """Warn if the label distribution of a part differs from training by more than chance.

    >>> label_shift("test", {"ham": 900, "spam": 100}, {"ham": 100, "spam": 100})
    ["The labels of the test part are distributed unlike those in training: 50 % are 'spam', against
    10 % in training; check that it is the same kind of data"]
    """
    train_total, part_total = sum(train_counts.values()), sum(part_counts.values())
    if not train_total or not part_total:
        return []
    changes = {
        name: part_counts.get(name, 0) / part_total - train_counts.get(name, 0) / train_total
        for name in train_counts.keys() | part_counts.keys()
    }
    distance = sum(map(abs, changes.values())) / 2
    # Sampling alone gives a mean distance of at most the square root.
    if distance <= SHIFT_THRESHOLD + sqrt(len(changes) / (2 * pi * part_total)):
        return []
    most = max(changes, key=lambda name: (changes[name], name))
    shares = part_counts.get(most, 0) / part_total, train_counts.get(most, 0) / train_total
    values = f"{100 * shares[0]:.0f} % are {most!r}, against {100 * shares[1]:.0f} % in training"
    return [
        f"The labels of the {part} part are distributed unlike those in training: {values}; "
        "check that it is the same kind of data"
    ]


def undercoverage(target: float, covered: float, count: int) -> list[str]:
    """Warn if prediction sets or intervals cover less than their target, by more than chance.

    >>> undercoverage(0.95, 0.7, 200)
    ['The coverage is 70 % with a target of 95 %: the test part is unlike the calibration part;
    train on later or more data']
    """
    if covered >= target - 0.03 - 3 * sqrt(target * (1 - target) / max(count, 1)):
        return []
    problem = f"The coverage is {100 * covered:.0f} % with a target of {100 * target:.0f} %"
    return [f"{problem}: the test part is unlike the calibration part; train on later or more data"]


def _validations(metrics: Sequence[Mapping[str, Any]]) -> list[tuple[float, int]]:
    return [
        (row["validation"], row["step"]) for row in metrics if row.get("validation") is not None
    ]


def _solved(metrics: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether nothing was left to learn; a density's loss may be negative and still fall."""
    losses = [loss for loss, _ in _validations(metrics)]
    return bool(losses) and 0 <= min(losses) < SOLVED


def _time_helps(metrics: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether longer training may help: the best validation loss is among the last three."""
    rows = _validations(metrics)
    return not rows or (min(rows) in rows[-3:] and not _solved(metrics))


def _gradients(metrics: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    norms = [(row["norm"], row["step"]) for row in metrics if row.get("norm") is not None]
    if len(norms) < 5:
        return
    if _solved(metrics):
        return
    # Norms fade as a network learns: the median of all would call the first ones exploded.
    middle = median(norm for norm, _ in norms)
    usual = max(middle, median(norm for norm, _ in norms[:5]))
    late = median(norm for norm, _ in norms[-max(len(norms) // 5, 1) :])
    worst, step = max(norms)
    if late < VANISHED:
        yield (
            f"Gradients vanished: their norm fell to {late:.1g}, and training has stopped; "
            "lower the learning rate, use a gated cell, or use fewer layers"
        )
    elif worst > EXPLODED * max(usual, VANISHED):
        yield (
            f"Gradients exploded: at step {step} the norm was {worst:.3g}, its median "
            f"{middle:.3g}; lower the learning rate or max_grad_norm"
        )


def _worse_than_unigram(
    metrics: Sequence[Mapping[str, Any]], unigram: float | None, size: int | None
) -> Iterator[str]:
    if not (losses := _validations(metrics)):
        return
    best = min(losses)[0]
    if size is not None and best >= log(size):
        problem = f"no better than uniform guessing ({log(size):.3f})"
    elif unigram is not None and best >= unigram:
        problem = f"no better than symbol frequencies alone ({unigram:.3f})"
    else:
        return
    if (steps := losses[-1][1]) < WARMUP_STEPS:
        yield (
            f"The training was too short: after {steps} steps the validation loss of {best:.3f} "
            f"is {problem}; train longer"
        )
    else:
        yield (
            f"The network has learned nothing: its validation loss of {best:.3f} is {problem}; "
            "train longer, or change the learning rate"
        )


def _overfitted(metrics: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows = _validations(metrics)
    if len(rows) < 4 or min(rows) in rows[-3:]:
        return
    best, step = min(rows)
    last = median(loss for loss, _ in rows[-3:])
    if last > (1 + OVERFITTED) * best and last - best > MATTERS:
        yield (
            f"The network overfitted: the validation loss was best at step {step} ({best:.3f}), "
            f"whose weights are saved, and rose to {last:.3f}; use more data, a smaller --size or "
            "more dropout"
        )


def _falling(metrics: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    losses = [loss for loss, _ in _validations(metrics)]
    if len(losses) < 4:
        return
    before, last = losses[-1 - len(losses) // 4], losses[-1]
    if last == min(losses) and before - last > max(FALLING * abs(last), MATTERS):
        yield (
            f"The validation loss was still falling at the end: from {before:.3f} to {last:.3f} "
            "over the last quarter; continue with `ensue resume RUN --minutes N`, or train longer"
        )


def _repetition(samples: Sequence[str]) -> Iterator[str]:
    share = max(
        (longest_repetition(text) / len(text) for text in samples if len(text) >= PERIOD),
        default=0.0,
    )
    if share >= COLLAPSED:
        yield (
            f"A sample repeats itself: one part fills {100 * share:.0f} % of it; "
            "train longer, or generate with a higher --temperature"
        )


def longest_repetition(text: str) -> int:
    """Return the length of the longest run of one short part, repeated at least three times.

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
