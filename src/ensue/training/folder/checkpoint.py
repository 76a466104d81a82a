"""Checkpoint: everything that the rest of a training depends on, for bit-identical resuming.

It is a single file so that one rename replaces it: at every moment there is one complete
checkpoint. The file holds the SHA-256 of its own content. Floats survive JSON exactly, because
Python writes all digits that they need.
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
from ensue.batch import select_named
from ensue.training.contract import Snapshot
from ensue.training.folder.arrays import pack_tensors, unpack_tensors
from ensue.training.schedules import Plateau


@dataclass(frozen=True)
class LoopState:
    """State of the training loop, as plain values."""

    step: int = 0
    steps: int | None = None
    """Total steps; None until the timed start of a training by minutes has ended."""
    evaluate_every: int | None = None
    start: int = 0
    """Step at which the present budget began: 0, or where a finished run was resumed."""
    start_seconds: float = 0.0
    finished: bool = False
    seconds: float = 0.0
    nats: float = 0.0
    """Since the last line of metrics, like `count` and `norm`."""
    count: int = 0
    norm: float | None = None
    best: float | None = None
    best_step: int = 0
    waited: int = 0
    """Evaluations since the best one."""
    solved: int = 0
    """Consecutive evaluations with a loss below `fit.SOLVED`."""
    plateau: Plateau = field(default_factory=Plateau)


@dataclass(frozen=True)
class Checkpoint:
    """State of loop and learner, the best weights, and the sizes and sums of the logs."""

    state: LoopState
    learner: Snapshot
    best: Mapping[str, np.ndarray]
    """Weights with the lowest validation loss so far; empty before the first evaluation."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of each log; later bytes are cut off on resuming."""
    sums: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of these bytes of each log."""

    def with_logs(self, sizes: Mapping[str, int], sums: Mapping[str, str]) -> Checkpoint:
        """Return a copy with the sizes and sums of the logs."""
        return replace(self, sizes=dict(sizes), sums=dict(sums))

    def pack(self) -> bytes:
        """Serialise the checkpoint."""
        tensors = {f"learner/{name}": tensor for name, tensor in self.learner.tensors.items()}
        tensors |= {f"best/{name}": torch.tensor(array) for name, array in self.best.items()}
        values = {"state": asdict(self.state), "learner": dict(self.learner.values)}
        values |= {"sizes": dict(self.sizes), "sums": dict(self.sums)}
        return pack_tensors(tensors, json.dumps(values))

    @classmethod
    def unpack(cls, data: bytes, where: str) -> Checkpoint:
        """Deserialise the output of `pack`.

        Raises RunError that names the file if a byte of it has changed.
        """
        tensors, note = unpack_tensors(data, where)
        learner = select_named(tensors, "learner/")
        best = {name: one.numpy() for name, one in select_named(tensors, "best/").items()}

        def make(values: Any) -> Checkpoint:
            note = _NOTE.validate_python(values)
            _check(note.state)
            return cls(note.state, Snapshot(learner, note.learner), best, note.sizes, note.sums)

        return parse_json(note.encode(), where, make)


def _check(state: LoopState) -> None:
    """Raise ValueError for a state that no training reaches."""
    for name, one in [*asdict(state).items(), *asdict(state.plateau).items()]:
        if isinstance(one, int | float) and not (
            math.isfinite(one) and (one >= 0 or name in ("nats", "best"))
        ):
            raise ValueError(f"{name} is {one!r:.40}")
    last = state.step if state.steps is None else state.steps
    if not max(state.start, state.best_step) <= state.step <= last or state.evaluate_every == 0:
        raise ValueError("its steps contradict each other")


@dataclass(frozen=True)
class _Note:
    """Content of the note that is saved with the tensors."""

    state: LoopState
    learner: dict[str, Any]
    sizes: dict[str, int]
    sums: dict[str, str] = field(default_factory=dict)


_NOTE = TypeAdapter(_Note)
