"""Programs run by Triton kernels that are written for each of them, as text (source.py).

Where the units are few, one launch goes over all ticks: each block of rows on its own, with no work
on padding and no waiting for others. Where they are many, a tick is a few launches with torch's
products between them, and stretches of ticks are recorded once as a CUDA graph (stretches.py).

Triton's interpreter runs all of this on a CPU, and so it is tested. What the interpreter cannot
show: how fast it is, whether a GPU has room for a kernel (if not, ticks are launched one by one),
and the recording of graphs.
"""

from __future__ import annotations

import importlib
import os
from functools import lru_cache

import torch
from torch import Tensor

from ensue.engine.differentiable import Given
from ensue.engine.eager import weigh as weigh
from ensue.engine.gpu.cuda_graphs import in_stretches
from ensue.engine.gpu.run import Run
from ensue.engine.memory import Memory, Values

DTYPES = {torch.float32, torch.bfloat16, torch.float16}
VARIABLE = "ENSUE_TRITON"
"""The environment variable that, set to "off", turns the kernels off."""


@lru_cache(maxsize=1)
def available() -> bool:
    """Say whether Triton is installed and not turned off."""
    if os.environ.get(VARIABLE) == "off":
        return False
    try:
        importlib.import_module("triton")
    except ImportError:
        return False
    return True


def describe() -> str:
    """Say in a few words what there is."""
    if available():
        return f"triton {importlib.import_module('triton').__version__}"
    return (
        f"turned off by {VARIABLE}"
        if os.environ.get(VARIABLE) == "off"
        else "triton is not installed"
    )


def usable(values: Values) -> bool:
    """Say whether the kernels can run on these values: on a GPU, in a type that Triton
    multiplies."""
    x = values["x"]
    alike = all(value.dtype == x.dtype for value in values.values() if value.is_floating_point())
    return x.is_cuda and x.dtype in DTYPES and alike and available()


def forward(memory: Memory) -> None:
    """Run the ticks from the first to the last."""
    memory.read()
    _go(Run(memory, {}, "forward"))


def backward(memory: Memory, given: Given) -> dict[str, Tensor]:
    """Run the ticks from the last to the first."""
    run = Run(memory, given, "backward")
    _go(run)
    return {state: run.tensor(("carry", state)).to(run.x.dtype) for state in given}


def _go(run: Run) -> None:
    with torch.cuda.device_of(run.x):
        if not run.at_once():
            in_stretches(run)
