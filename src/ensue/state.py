"""Operations on any recurrent state: nested dicts and tuples of tensors, every one batch first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias, cast

import torch
from torch import Tensor

State: TypeAlias = "Tensor | tuple[State, ...] | dict[str, State]"


def map_state(change: Callable[..., Tensor], state: State, *others: State) -> State:
    """Apply `change` to each tensor of `state`, with the matching tensors of `others` beside it."""
    if isinstance(state, Tensor):
        return change(state, *others)
    if isinstance(state, dict):
        matching = cast("tuple[dict[str, State], ...]", others)
        return {
            key: map_state(change, part, *(other[key] for other in matching))
            for key, part in state.items()
        }
    return tuple(map_state(change, *parts) for parts in zip(state, *others, strict=True))


def walk_tensors(state: State) -> Iterator[Tensor]:
    """Walk over the tensors of a state, always in the same order."""
    if isinstance(state, Tensor):
        yield state
        return
    parts = (state[key] for key in sorted(state)) if isinstance(state, dict) else state
    for part in parts:
        yield from walk_tensors(part)


def detach(state: State) -> State:
    """Cut the state off from the graph that computed it."""
    return map_state(Tensor.detach, state)


def select_rows(state: State, rows: Tensor) -> State:
    """Take the given rows (an index tensor), in that order: reorders beams, copies prompts,
    drops finished rows."""
    return map_state(lambda tensor: tensor.index_select(0, rows.to(tensor.device)), state)


def reset_rows(state: State, initial: State, fresh: Tensor) -> State:
    """Take `initial` for the rows where `fresh` (batch,) is true, `state` for the others.

    Where all rows are fresh, there may be more or fewer of them than `state` has.
    """
    if fresh.all():
        return initial

    def choose(old: Tensor, new: Tensor) -> Tensor:
        mask = fresh.to(old.device).view(-1, *[1] * (old.dim() - 1))
        return torch.where(mask, new, old)

    return map_state(choose, state, initial)
