"""What came out of a training of a verb that predicts, as programs and the model card are told it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ensue.evaluation.intervals import Interval
from ensue.evaluation.standing import Standing


@dataclass(frozen=True)
class Result:
    """What came out of a training, all on the test part unless it says otherwise."""

    run: str
    task: str
    """The verb."""
    rows: tuple[Standing, ...]
    """Of each model, the last of them that of the run."""
    verdict: str
    chosen: tuple[str, ...]
    """What was chosen, and on which part."""
    details: Mapping[str, Any]
    symptoms: tuple[str, ...] = ()
    """What seems to have gone wrong, in words."""

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        *baselines, own = self.rows
        return {
            "run": self.run,
            "task": self.task,
            "metrics": dict(own.metrics),
            "baselines": {row.name: dict(row.metrics) for row in baselines},
            "rows": [row.to_json() for row in self.rows],
            "verdict": self.verdict,
            "chosen": list(self.chosen),
            "symptoms": list(self.symptoms),
            "details": dict(self.details),
        }


@dataclass(frozen=True)
class Scored:
    """The figures of data that a run did not train on."""

    metrics: dict[str, float]
    intervals: dict[str, Interval]
    details: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        return asdict(self)


def cells(
    rows: Sequence[Mapping[str, Any]], shown: Mapping[str, str], digits: int
) -> tuple[tuple[str, ...], list[list[str]]]:
    """Lay out rows, as Standing.to_json gives them, with the names of their columns.

    `shown` names the figures that have a column, in order; the first of them is told with its interval.
    """
    names = [name for name in shown if name in rows[-1]["metrics"]]
    columns = ("model", *(shown[name] for name in names), f"95 % interval of {shown[names[0]]}", "seconds", "numbers")
    laid = [
        [
            row["name"],
            *(f"{row['metrics'][name]:.{digits}f}" if name in row["metrics"] else "" for name in names),
            " to ".join(f"{end:.{digits}f}" for end in row["intervals"][names[0]]),
            f"{row['seconds']:.1f}",
            f"{row['parameters']:,}",
        ]
        for row in rows
    ]
    return columns, laid
