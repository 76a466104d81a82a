"""tanh, LSTM and GRU on torch's own kernels (oneDNN, cuDNN), with unchanged weights.

A program is recognised by what it computes, so an equal cell of a user gets the kernel too.
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


def find_kernel(program: Program) -> str | None:
    """Return the name of torch's kernel for a program, or None."""
    return _known().get(program)


def faster(program: Program, x: Tensor) -> bool:
    """Return whether torch's kernel is faster on rows of equal length.

    On a GPU it always is; on a CPU only the LSTM in float32 (oneDNN). There it trains as fast as
    our compiled kernels (0.95 to 1.16 of their time from 128 units on), and is faster with fewer
    units and without gradients (benchmarks/training.py).
    """
    kernel = find_kernel(program)
    if kernel is None or x.device.type not in ("cpu", "cuda"):
        return False
    return x.device.type == "cuda" or (kernel == "lstm" and x.dtype == torch.float32)


def run(
    program: Program, values: Mapping[str, Tensor], lengths: Tensor | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the path of the first state and the final states of each row.

    `lengths` must be above 0.
    """
    x = values["x"]
    weights = _weights(program, values)
    function = getattr(torch._VF, str(find_kernel(program)))
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
    """Return the weights in the form that torch's kernels expect."""
    name = program.stages[0].name
    input_bias = values[f"{name}/input_bias"]
    recurrent_bias = values.get(f"{name}/recurrent_bias", torch.zeros_like(input_bias))
    weights = [values[f"{name}/input"], values[f"{name}/recurrent"], input_bias, recurrent_bias]
    if input_bias.is_cuda:
        # cuDNN needs them in one piece of memory; otherwise it warns and copies them at every call.
        whole = torch.cat([weight.flatten() for weight in weights])
        pieces = whole.split([weight.numel() for weight in weights])
        weights = [piece.view_as(weight) for piece, weight in zip(pieces, weights, strict=True)]
    return weights
