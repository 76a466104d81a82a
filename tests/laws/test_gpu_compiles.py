"""The Triton kernels of every cell compile for GPUs, as far as it can be known without one: to
machine code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ensue.cells import CELLS
from ensue.engine import gpu

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not gpu.available(), reason=f"the kernels for a GPU cannot be compiled: {gpu.describe()}"
    ),
]
# In a process of its own: where Triton interprets, it does not compile.
PROGRAM = """
import json, sys
import torch
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from ensue.cells import CELLS
from ensue.engine import trace, with_normalised_gates, with_zoneout
from ensue.engine.gpu import run, source

TYPES = {"float32": "*fp32", "bfloat16": "*bf16"}
LONG = {"carry", "sum", "scratch", "outgoing"}


def shared(kernel, when, dtype, units, capability):
    "Compile a kernel, and give the bytes of shared memory that a block of it needs."
    function = run._function(kernel.source)
    names = function.arg_names
    types = {name: "*fp32" if key[0] in LONG else TYPES[dtype] for name, key in zip(names, kernel.places)}
    types |= {"firsts": "*i64", when: "*i64" if when == "reach" else "i32", "batch": "i32"}
    tile = max(run.LEAST, units)
    block, options = run.shape_of_block(4, tile, torch.empty(0, dtype=getattr(torch, dtype)).element_size())
    sizes = dict(zip(source.SIZES, (units, units, tile, tile, *block, "ieee")))
    types |= {name: "constexpr" for name in sizes}
    text = ASTSource(function, types, {(names.index(name),): value for name, value in sizes.items()})
    made = compile(text, target=GPUTarget("cuda", capability, 32), options={**options, "enable_fp_fusion": True})
    return made.metadata.shared


program = trace(CELLS[sys.argv[1]](), sys.argv[1])
most = 0
normalised = with_zoneout(with_normalised_gates(program))
for phase in ("forward", "backward"):
    most = max(most, shared(source.whole(program, phase, True), "reach", "float32", 128, 80))
    most = max(most, shared(source.whole(normalised, phase, True), "reach", "bfloat16", 32, 90))
    kernels = [piece for piece in source.pieces(program, phase, True) if isinstance(piece, source.Kernel)]
    most = max(most, *(shared(kernel, "tick", "bfloat16", 512, 90) for kernel in kernels))
print(json.dumps(most))
"""


@pytest.mark.parametrize("cell", CELLS)
def test_the_kernels_compile_and_have_room(cell: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, cell],
        env={
            "TRITON_CACHE_DIR": str(tmp_path),
            "PYTHONPATH": ":".join(sys.path),
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) <= 96 * 1024
