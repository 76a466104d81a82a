"""Plain tanh, LSTM and GRU on torch's own kernels (oneDNN, cuDNN), with the weights as they are.

A program is recognised by what it computes, so a cell that a person wrote gets its kernel too.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from ensue.cells.elman import Elman
from ensue.cells.gru import GRU
from ensue.cells.lstm import LSTM
from ensue.engine.program import Program
from ensue.engine.tracing import trace


@lru_cache(maxsize=1)
def _known() -> dict[Program, str]:
    return {
        trace(Elman(), "tanh"): "rnn_tanh",
        trace(LSTM(), "lstm"): "lstm",
        trace(GRU(), "gru"): "gru",
    }


def kernel_of(program: Program) -> str | None:
    """Give the name of torch's kernel for a program, or None if there is none."""
    return _known().get(program)


def faster(program: Program, x: Tensor) -> bool:
    """Say whether torch's kernel is faster on rows of equal length: all on a GPU, LSTM in float32
    on a CPU (oneDNN).

    There it trains as fast as our compiled kernels (0.95 to 1.16 of their time from 128 units on),
    and is faster for fewer units and without gradients (benchmarks/training.py).
    """
    kernel = kernel_of(program)
    if kernel is None or x.device.type not in ("cpu", "cuda"):
        return False
    return x.device.type == "cuda" or (kernel == "lstm" and x.dtype == torch.float32)


def run(
    program: Program, values: Mapping[str, Tensor], lengths: Tensor | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Give the path of the first state, and every state after each row's own last step;
    `lengths` must be above 0."""
    x, weights, function = (
        values["x"],
        _weights(program, values),
        getattr(torch._VF, str(kernel_of(program))),
    )
    first = [values[f"state/{state}"][None] for state in program.states]
    options = (weights, True, 1, 0.0, torch.is_grad_enabled(), False)
    if lengths is None:
        path, *last = function(x, _start(first), *options, False)
        return path, {state: end[0] for state, end in zip(program.states, last, strict=True)}
    packed = pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)
    order, back = packed.sorted_indices, packed.unsorted_indices
    assert order is not None
    assert back is not None
    data, *last = function(
        packed.data, packed.batch_sizes, _start([one[:, order] for one in first]), *options
    )
    path, _ = pad_packed_sequence(
        PackedSequence(data, packed.batch_sizes, order, back), total_length=len(x)
    )
    return path, {state: end[0, back] for state, end in zip(program.states, last, strict=True)}


def _start(first: list[Tensor]) -> Tensor | list[Tensor]:
    states = [one.contiguous() for one in first]
    return states if len(states) > 1 else states[0]


def _weights(program: Program, values: Mapping[str, Tensor]) -> list[Tensor]:
    """Give the weights as torch's kernels expect them."""
    name = program.stages[0].name
    input_bias = values[f"{name}/input_bias"]
    recurrent_bias = values.get(f"{name}/recurrent_bias", torch.zeros_like(input_bias))
    weights = [values[f"{name}/input"], values[f"{name}/recurrent"], input_bias, recurrent_bias]
    if input_bias.is_cuda:
        # cuDNN wants them in one piece of memory, and copies them at every call, with a warning,
        # where they are not.
        whole = torch.cat([weight.flatten() for weight in weights])
        pieces = whole.split([weight.numel() for weight in weights])
        weights = [piece.view_as(weight) for piece, weight in zip(pieces, weights, strict=True)]
    return weights
