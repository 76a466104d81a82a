"""Backend of Triton kernels, which are generated as text for each program (source.py).

With few units, one launch runs all ticks: each block of rows is independent, with no work on
padding and no synchronisation. With many units, a tick is a few launches with torch's products
between them, and runs of ticks are recorded as a CUDA graph (cuda_graphs.py).

Triton's interpreter runs all of this on a CPU, which the tests use. The interpreter cannot show the
speed, whether a GPU has room for a kernel (if not, ticks are launched one by one), or the recording
of graphs.
"""

from __future__ import annotations

import importlib
import os
from functools import lru_cache

import torch
from torch import Tensor

from ensue.engine.differentiable import Given
from ensue.engine.eager import weigh as weigh
from ensue.engine.gpu.cuda_graphs import run_chunks
from ensue.engine.gpu.run import Run
from ensue.engine.memory import Memory, Values

DTYPES = {torch.float32, torch.bfloat16, torch.float16}
VARIABLE = "ENSUE_TRITON"
"""Environment variable: "off" disables the kernels."""


@lru_cache(maxsize=1)
def available() -> bool:
    """Return whether Triton is installed and not disabled."""
    if os.environ.get(VARIABLE) == "off":
        return False
    try:
        importlib.import_module("triton")
    except ImportError:
        return False
    return True


def describe() -> str:
    """Describe the backend, for reports."""
    if available():
        return f"triton {importlib.import_module('triton').__version__}"
    if os.environ.get(VARIABLE) == "off":
        return f"disabled by {VARIABLE}"
    return "triton is not installed"


def usable(values: Values) -> bool:
    """Return whether the kernels support these values: on a GPU, in a supported type."""
    x = values["x"]
    alike = all(value.dtype == x.dtype for value in values.values() if value.is_floating_point())
    return x.is_cuda and x.dtype in DTYPES and alike and available()


def forward(memory: Memory) -> None:
    """Run the ticks from the first to the last."""
    memory.read()
    _execute(Run(memory, {}, "forward"))


def backward(memory: Memory, given: Given) -> dict[str, Tensor]:
    """Run the ticks from the last to the first."""
    run = Run(memory, given, "backward")
    _execute(run)
    return {state: run.tensor(("carry", state)).to(run.x.dtype) for state in given}


def _execute(run: Run) -> None:
    with torch.cuda.device_of(run.x):
        if not run.at_once():
            run_chunks(run)
