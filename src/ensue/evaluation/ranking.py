"""Models side by side on the same data, and the sentence that says which to use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeVar

from ensue.evaluation.intervals import FEW, Interval

Role = Literal["baseline", "network", "mixture"]


class Ranked(Protocol):
    """A model with what it cost on the data, and what it cost to make."""

    @property
    def name(self) -> str:
        """What the table calls it."""
        ...

    @property
    def role(self) -> Role:
        """What it is among the others."""
        ...

    @property
    def seconds(self) -> float:
        """How long it took to train."""
        ...

    @property
    def unit(self) -> str:
        """What its cost is counted in, as in "1.40 nats per character"."""
        ...

    @property
    def cost(self) -> float:
        """What models are compared by; less is better."""
        ...

    @property
    def higher(self) -> bool:
        """Whether a person is told 1 - cost, such as F1, of which more is better."""
        ...

    @property
    def count(self) -> int:
        """How many independent things its cost is the mean of."""
        ...

    def paired_difference(self, other: Any) -> tuple[float, Interval]:
        """Give by how much this one costs more than the other, and the 95 % interval of that."""
        ...


R = TypeVar("R", bound=Ranked)

NEAR = 1.1
"""Of fewer than FEW things hardly a difference is ever proven: there, what costs by more than a
tenth more is not taken for as good."""


def best_model(rows: Sequence[R]) -> R:
    """Give, of the models that are not proven worse than the best, the one that trains fastest.

    It is proven where the 95 % interval of the difference is above zero. Of 2 to 5 models that are
    as good (simulated, 20 % errors, half of them shared), another than the fastest is named in 2 to
    7 % of tests of 300 or 1,500 examples; of 5 stretches that differ by 10 to 30 % by chance, and 2
    to 6 models, in 7 to 68 %. Of those that are alike in all of this it is the last, which a run
    holds, unless that is a network; then the first.
    """
    best = min(rows, key=_cost)
    tied = [other for other in rows if other is best or (_open(other, best) and _near(other, best))]
    return min(
        tied,
        key=lambda other: (
            _shown(other),
            other.cost,
            other.role == "network",
            other is not rows[-1],
        ),
    )


def _near(other: Ranked, best: Ranked) -> bool:
    return best.count >= FEW or other.cost <= NEAR * best.cost


def _shown(row: Ranked) -> float:
    """Give the seconds of training as they are shown: nobody waits for less."""
    return round(row.seconds, 1)


def _open(other: Ranked, best: Ranked) -> bool:
    return other.paired_difference(best)[1][0] <= 0


def explain_recommendation(rows: Sequence[Ranked]) -> str:
    """Say which model to use, and whether the network earns what it costs."""
    best, chosen = min(rows, key=_cost), best_model(rows)
    sentence = f"use {chosen.name}: {_with_unit(chosen)}"
    if best.cost < chosen.cost or _shown(best) > _shown(chosen):
        sentence += (
            f" ({best.name}, {_metric(best):.3f}, does not differ beyond chance and takes "
            f"longer to train)"
        )
    quicker = [other for other in rows if other is not chosen and _shown(other) <= _shown(chosen)]
    quicker = [other for other in quicker if _open(other, chosen)]
    if quicker:
        least = min(quicker, key=_cost)
        saved, ends = least.paired_difference(chosen)
        if saved == ends[0] == ends[1] == 0:
            sentence += f", the same as {least.name}"
        else:
            difference = f"the difference, {saved:.3f}{_ends(*ends)}, may be chance"
            sentence += f", not proven against {least.name}, {_metric(least):.3f}: {difference}"
    networks = [other for other in rows if other.role == "network"]
    baselines = [other for other in rows if other.role == "baseline"]
    if not networks or not baselines or (quicker and chosen in networks):
        return sentence
    return f"{sentence}; {_earnings(min(networks, key=_cost), min(baselines, key=_cost))}"


def _earnings(network: Ranked, baseline: Ranked) -> str:
    saved, (low, high) = baseline.paired_difference(network)
    unit = network.unit
    if low > 0:
        verb = "gains" if network.higher else "saves"
        what = (
            f"earns its cost: it {verb} {saved:.3f} {unit}{_ends(low, high)} over {baseline.name}"
        )
    elif high < 0:
        what = (
            f"does not earn its cost: {baseline.name} is better by {-saved:.3f} "
            f"{unit}{_ends(-high, -low)}"
        )
    elif saved == low == high == 0:
        what = f"does not earn its cost: it is no better than {baseline.name}"
    else:
        what = f"does not earn its cost: its difference from {baseline.name}, {saved:+.3f} {unit}"
        what += f"{_ends(low, high, '+')}, may be chance"
    times = f"{_time(network.seconds)} of training against {_time(baseline.seconds)}"
    return f"the network ({network.name}) {what}, with {times}"


def _ends(low: float, high: float, sign: str = "") -> str:
    """Write an interval; one without end, as of one thing alone, says nothing."""
    return "" if high == float("inf") else f" [{low:{sign}.3f}, {high:{sign}.3f}]"


def _with_unit(row: Ranked) -> str:
    return f"{row.unit} {_metric(row):.3f}" if row.higher else f"{row.cost:.3f} {row.unit}"


def _metric(row: Ranked) -> float:
    return 1 - row.cost if row.higher else row.cost


def _cost(row: Ranked) -> float:
    return row.cost


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
