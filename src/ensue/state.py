"""Operations on recurrent states: nested dicts and tuples of tensors, batch first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias, cast

import torch
from torch import Tensor

State: TypeAlias = "Tensor | tuple[State, ...] | dict[str, State]"


def map_state(change: Callable[..., Tensor], state: State, *others: State) -> State:
    """Apply `change` to each tensor of `state` and the matching tensors of `others`."""
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
    """Iterate over the tensors of a state, always in the same order."""
    if isinstance(state, Tensor):
        yield state
        return
    parts = (state[key] for key in sorted(state)) if isinstance(state, dict) else state
    for part in parts:
        yield from walk_tensors(part)


def detach(state: State) -> State:
    """Detach the state from the autograd graph."""
    return map_state(Tensor.detach, state)


def select_rows(state: State, rows: Tensor) -> State:
    """Select rows by an index tensor: reorders beams, repeats prompts, drops finished rows."""
    return map_state(lambda tensor: tensor.index_select(0, rows.to(tensor.device)), state)


def reset_rows(state: State, initial: State, fresh: Tensor) -> State:
    """Replace rows where `fresh` (batch,) is true by the rows of `initial`.

    If all rows are fresh, `initial` may have another number of rows than `state`.
    """
    if fresh.all():
        return initial

    def choose(old: Tensor, new: Tensor) -> Tensor:
        mask = fresh.to(old.device).view(-1, *[1] * (old.dim() - 1))
        return torch.where(mask, new, old)

    return map_state(choose, state, initial)
