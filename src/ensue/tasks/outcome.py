"""What came out of a training of a verb that predicts, as programs and the model card are told it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
