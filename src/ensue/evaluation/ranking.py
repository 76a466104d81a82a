"""Compare models on the same test data, and recommend one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ensue.evaluation.intervals import FEW
from ensue.evaluation.scores import Score


@dataclass(frozen=True)
class Recommendation:
    """The recommended model, and how the others compare with it, one sentence a line."""

    recommendation: str
    """Name and metric: "nbsvm (0.000 errors per example)"."""
    comparison: tuple[str, ...]
    """Sentences without a full stop: the network, and models that are as good."""
    retrain: str | None = None
    """The command that trains the recommended model, where the run contains another."""


NEAR = 1.1
"""With fewer than FEW items hardly any difference is significant. Then a model whose cost is more
than a tenth above the best does not count as equally good."""


def best_model(rows: Sequence[Score]) -> Score:
    """Choose the simplest of the models that are not significantly worse than the best.

    A model is significantly worse if the 95 % interval of its paired difference is above zero. A
    baseline is simpler than a network; then fewer parameters are simpler. Measured times decide
    nothing, so that the same scores give the same model on every machine.

    Simulated with 2 to 5 equally good models (20 % errors, half of them shared): another than the
    simplest is chosen in 2 to 7 % of tests of 300 or 1,500 examples. With 5 forecast windows that
    differ by 10 to 30 % by chance, and 2 to 6 models, it is 7 to 68 %.

    Of equally simple models the one with the lowest cost is chosen, then the run's own (the last
    row), then the first. A model that was selected on the validation part is chosen among all that
    tie, since the run holds it.
    """
    best, own = min(rows, key=_cost), rows[-1]
    tied = [row for row in rows if row is best or (_not_worse(row, best) and _near(row, best))]
    if own.selected and any(row is own for row in tied):
        return own
    return min(tied, key=lambda row: (*_complexity(row), row.cost, row is not own))


def _near(row: Score, best: Score) -> bool:
    """Whether a model of a small test is near the best; a single item excludes none."""
    return best.items >= FEW or best.items < 2 or row.cost <= NEAR * best.cost


def _complexity(row: Score) -> tuple[bool, int]:
    return row.role != "baseline", row.parameters


def _not_worse(row: Score, best: Score) -> bool:
    return row.paired_difference(best)[1][0] <= 0


def explain_recommendation(rows: Sequence[Score]) -> Recommendation:
    """Recommend a model, and compare it with the network, the lowest cost and a simpler model."""
    best, selected = min(rows, key=_cost), best_model(rows)
    simpler = [
        row
        for row in rows
        if row is not selected
        and _complexity(row) <= _complexity(selected)
        and _not_worse(row, selected)
    ]
    pairs = [(best, selected)]
    if simpler:
        pairs.append((min(simpler, key=_cost), selected))
    networks = [row for row in rows if row.role == "network"]
    baselines = [selected] if selected.role == "baseline" else _baselines(rows)
    # A simpler baseline that is as good says more against the network than the best baseline does.
    if selected.role == "network" and (alike := _baselines(simpler)):
        networks, baselines = [selected], alike
    if networks and baselines:
        pairs.insert(0, (min(networks, key=_cost), min(baselines, key=_cost)))
    once: dict[frozenset[int], tuple[Score, Score]] = {}
    for pair in pairs:
        once.setdefault(frozenset(map(id, pair)), pair)
    lines = [_compare(*pair) for pair in once.values() if pair[0] is not pair[1]]
    return Recommendation(f"{selected.name} ({_with_unit(selected)})", tuple(lines))


def _baselines(rows: Sequence[Score]) -> list[Score]:
    return [row for row in rows if row.role == "baseline"]


def _compare(model: Score, reference: Score) -> str:
    """Write the paired difference of a model from a reference, with both training times."""
    difference, (low, high) = model.paired_difference(reference)
    name = f"The network ({model.name})" if model.role == "network" else model.name
    if model.items < 2:
        what = f"not comparable with {reference.name}: a single independent item shows no "
        what += f"significance ({_with_unit(model)} against {_with_unit(reference)})"
    elif high < 0:
        what = f"better than {reference.name} by {-difference:.3f} {model.unit}"
        what += f" [{-high:.3f}, {-low:.3f}]"
    elif low > 0:
        what = f"worse than {reference.name} by {difference:.3f} {model.unit}"
        what += f" [{low:.3f}, {high:.3f}]"
    elif difference == low == high == 0:
        what = f"as good as {reference.name} on every item"
    else:
        if model.higher:
            difference, low, high = -difference, -high, -low
        what = f"not significantly different from {reference.name}: {difference:+.3f} {model.unit}"
        what += f" [{low:.3f}, {high:.3f}]"
    times = f"training time {_time(model.seconds)} against {_time(reference.seconds)}"
    return f"{name} is {what}; {times}"


def _with_unit(row: Score) -> str:
    return f"{row.unit} {1 - row.cost:.3f}" if row.higher else f"{row.cost:.3f} {row.unit}"


def _cost(row: Score) -> float:
    return row.cost


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
