"""CUDA graphs: a chunk of ticks is recorded once, on memory of its own, and replayed.

A run copies its inputs into that memory and the results out of it, which is cheap beside the work
of ticks with many units. Rows of unequal length are launched tick by tick, because a recording
would have to compute padding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from ensue.engine.gpu.run import Run
from ensue.engine.memory import Memory
from ensue.engine.program import Program
from ensue.engine.schedule import Slot

LENGTH = 32
"""Ticks per recorded chunk."""
STEPS = {"path", "zone", "given", "gates", "kept", "gate_adjoints"}
WRITTEN = {"forward": {"path", "gates", "kept"}, "backward": {"gate_adjoints", "carry", "sum"}}
PRIVATE = {"scratch", "outgoing", "product"}
"""Slot kinds that live within one tick."""


def run_chunks(run: Run) -> None:
    """Run all ticks: in recorded chunks, and the rest one by one."""
    ticks = range(len(run.sizes))
    count = len(ticks) // LENGTH if run.memory.even else 0
    rest = ticks[count * LENGTH :]
    if run.backward:
        run.play(reversed(rest))
    if count:
        chunk = _get_chunk(
            run.request, run.memory.batch, tuple(run.units.items()), run.x.dtype, run.x.device
        )
        starts = ticks[: count * LENGTH : LENGTH]
        chunk.play(run, starts[::-1] if run.backward else starts)
    if not run.backward:
        run.play(rest)


class _Chunk:
    """A recorded chunk: memory for a few ticks, and the launches that use it."""

    def __init__(self, run: Run) -> None:
        self.run, self.written = run, WRITTEN[run.request[1]]
        self.replay = _record(self._ticks, run.x.device)

    def _ticks(self) -> None:
        ticks = range(LENGTH)
        self.run.play(reversed(ticks) if self.run.backward else ticks)

    def play(self, other: Run, starts: range) -> None:
        """Replay the chunk for another run, at the ticks from each of `starts` on."""
        tensors = {
            key: (mine, other.tensor(key))
            for key, mine in self.run.tensors.items()
            if key[0] not in PRIVATE
        }
        steps = {key: pair for key, pair in tensors.items() if self._moves(key)}
        for key in tensors.keys() - steps.keys():
            tensors[key][0].copy_(tensors[key][1])
        for start in starts:
            first = start * other.memory.batch
            moving = {
                key: (mine, all_steps[first : first + len(mine)])
                for key, (mine, all_steps) in steps.items()
            }
            for mine, theirs in moving.values():
                mine.copy_(theirs)
            self.replay()
            for key, (mine, theirs) in moving.items():
                if key[0] in self.written:
                    theirs.copy_(mine)
        for key in tensors.keys() - steps.keys():
            if key[0] in self.written:
                tensors[key][1].copy_(tensors[key][0])

    def _moves(self, key: Slot) -> bool:
        """Return whether a tensor has rows for every tick."""
        return key[0] in STEPS and (self.run.memory.keep or key[0] != "kept")


@lru_cache(maxsize=8)
def _get_chunk(
    request: tuple[Program, str, bool, frozenset[str]],
    batch: int,
    units: tuple[tuple[bool, int], ...],
    dtype: torch.dtype,
    device: torch.device,
) -> _Chunk:
    program, phase, keep, missing = request
    width, own = dict(units), program.own()

    def zeros(*shape: int) -> Tensor:
        return torch.zeros(shape, dtype=dtype, device=device)

    values = {"x": zeros(LENGTH * batch, 0)}
    for part in program.stages:
        rows = len(part.gates) * width[part.own]
        values[f"{part.name}/input"] = zeros(rows, 0)
        if part.of is not None:
            values[f"{part.name}/recurrent"] = zeros(rows, width[bool(own[part.of])])
        values[f"{part.name}/input_bias"] = values[f"{part.name}/recurrent_bias"] = zeros(rows)
    for weight in program.weights:
        values[f"weight/{weight.name}"] = zeros(width[weight.own])
    given: dict[str, Tensor | None] = {}
    for state in program.states:
        columns = width[state in program.own_states]
        values[f"state/{state}"] = zeros(batch, columns)
        values[f"zone/{state}"] = zeros(LENGTH * batch, columns)
        given[state] = None if state in missing else zeros(LENGTH * batch, columns)
    memory = Memory(program, values, (batch,) * LENGTH, {}, keep)
    memory.read()
    return _Chunk(Run(memory, given if phase == "backward" else {}, phase))


def _record(play: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Record the launches as a CUDA graph; without CUDA return `play` itself.

    Recording is not covered by tests on a CPU.
    """
    play()
    if device.type != "cuda":
        return play
    torch.cuda.synchronize(device)
    graph = torch.cuda.CUDAGraph()
    # Other threads may keep launching: only this thread is recorded.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        play()
    return graph.replay
