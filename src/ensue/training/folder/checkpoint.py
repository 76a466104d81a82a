"""Everything that the rest of a training depends on, as one file: resuming from it ends with the
same bits.

It is a single file so that one rename replaces all of it: at every moment there is one whole
checkpoint. The file carries the SHA-256 of its own content. Running sums that JSON holds come back
exactly: Python writes a float with all the digits that it needs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter

from ensue.atomic_io import parse_json
from ensue.training.contract import Snapshot
from ensue.training.folder.arrays import pack_tensors, unpack_tensors
from ensue.training.schedules import Plateau


@dataclass(frozen=True)
class LoopState:
    """What the loop itself remembers, as plain values."""

    step: int = 0
    steps: int | None = None
    """In all; None while a training by minutes has not timed itself."""
    evaluate_every: int | None = None
    start: int = 0
    """The step at which the present budget began: 0, or where a finished run was taken up again."""
    start_seconds: float = 0.0
    finished: bool = False
    seconds: float = 0.0
    nats: float = 0.0
    """Since the last line of metrics, as are `count` and `norm`."""
    count: int = 0
    norm: float | None = None
    best: float | None = None
    best_step: int = 0
    waited: int = 0
    """Evaluations since the best."""
    solved: int = 0
    """Evaluations in a row that found nothing left to learn."""
    plateau: Plateau = field(default_factory=Plateau)


@dataclass(frozen=True)
class Checkpoint:
    """A moment of a training."""

    state: LoopState
    learner: Snapshot
    best: Mapping[str, np.ndarray]
    """The weights that did best on validation so far; empty before the first evaluation."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of each log at that moment; what is past them is cut off on resuming."""
    sums: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of that much of each log."""

    def with_logs(self, sizes: Mapping[str, int], sums: Mapping[str, str]) -> Checkpoint:
        """Add what the logs held."""
        return replace(self, sizes=dict(sizes), sums=dict(sums))

    def pack(self) -> bytes:
        """Write it as the content of a file."""
        tensors = {f"learner/{name}": tensor for name, tensor in self.learner.tensors.items()}
        tensors |= {f"best/{name}": torch.tensor(array) for name, array in self.best.items()}
        values = {"state": asdict(self.state), "learner": dict(self.learner.values)}
        values |= {"sizes": dict(self.sizes), "sums": dict(self.sums)}
        return pack_tensors(tensors, json.dumps(values))

    @classmethod
    def unpack(cls, data: bytes, where: str) -> Checkpoint:
        """Read what `pack` wrote. Raises RunError that names the file if a byte of it has
        changed."""
        tensors, note = unpack_tensors(data, where)
        learner = {
            name.removeprefix("learner/"): t
            for name, t in tensors.items()
            if name.startswith("learner/")
        }
        best = {
            name.removeprefix("best/"): t.numpy()
            for name, t in tensors.items()
            if name.startswith("best/")
        }

        def make(values: Any) -> Checkpoint:
            said = _NOTE.validate_python(values)
            _check(said.state)
            return cls(said.state, Snapshot(learner, said.learner), best, said.sizes, said.sums)

        return parse_json(note.encode(), where, make)


def _check(course: LoopState) -> None:
    """Raise ValueError for what no training comes to."""
    for name, one in [*asdict(course).items(), *asdict(course.plateau).items()]:
        if isinstance(one, int | float) and not (
            math.isfinite(one) and (one >= 0 or name in ("nats", "best"))
        ):
            raise ValueError(f"{name} is {one!r:.40}")
    last = course.step if course.steps is None else course.steps
    if not max(course.start, course.best_step) <= course.step <= last or course.evaluate_every == 0:
        raise ValueError("its steps do not follow each other")


@dataclass(frozen=True)
class _Note:
    """What stands beside the tensors."""

    state: LoopState
    learner: dict[str, Any]
    sizes: dict[str, int]
    sums: dict[str, str] = field(default_factory=dict)


_NOTE = TypeAdapter(_Note)
