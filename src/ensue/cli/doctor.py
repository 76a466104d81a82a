"""`ensue doctor`: versions, devices and kernels of this machine, and a self-test."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, cast

from cyclopts import App

from ensue import native
from ensue.cli.output import print_json
from ensue.cli.tables import show_table

LIBRARIES = ("torch", "numpy", "scikit-learn", "pydantic", "cyclopts", "tokenizers", "safetensors")

app = App(name="doctor")


@app.default
def doctor(*, json: bool = False) -> int:
    """Show versions, devices and kernels, and test that training works here.

    Args:
        json: Print one JSON object.
    """
    facts, results = versions() | devices(), self_test()
    if json:
        print_json({**facts, "self_test": results})
    else:
        show_table(["component", "found"], list(facts.items()))
        show_table(
            ["self-test", "result"],
            [[name, "works" if ok else "FAILS"] for name, ok in results.items()],
        )
    return 0 if all(results.values()) else 1


def versions() -> dict[str, str]:
    """Return the versions of Python and the main libraries."""
    system = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return {"ensue": version("ensue"), "python": system} | {
        name: version(name) for name in LIBRARIES
    }


def devices() -> dict[str, str]:
    """Return the devices and kernels that are available."""
    import torch

    from ensue.engine import gpu

    cuda = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return {
        "cpu": (
            f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, "
            f"{torch.backends.cpu.get_cpu_capability()}"
        ),
        "cuda": ", ".join(cuda) or "none",
        "mps": "yes" if torch.backends.mps.is_available() else "none",
        "kernels": native.describe(),
        "kernels on a GPU": gpu.describe(),
    }


def self_test() -> dict[str, bool]:
    """Run small computations with known results."""
    tests = TESTS
    if native.library():
        tests = TESTS | {"the compiled kernels agree with torch": _kernels_agree}
    return {name: test() for name, test in tests.items()}


def _table_sums_to_one() -> bool:
    import numpy as np
    import torch

    from ensue.models.ngram import NgramSettings, estimate

    model = estimate(np.array([0, 1, 2, 0, 1]), np.array([0, 5]), 3, NgramSettings(order=2))
    distribution, _ = model(torch.tensor([[3, 0, 1]]), model.initial(1))
    return bool((cast(Any, distribution).probs.sum(-1) - 1).abs().max() < 1e-9)


def _network_learns() -> bool:
    """Train a network for 100 steps on the sequence 0, 1, 0, 1, ..."""
    import torch

    from ensue.models.sequence import SequenceSettings

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = SequenceSettings(
            embedding=4, body={"name": "recurrent", "cell": "lstm", "width": 16}
        ).build(size=2)
        optimiser = torch.optim.AdamW(model.parameters(), 0.01)
        symbols = torch.tensor([[2, 0, 1, 0, 1, 0, 1, 0]])
        loss = torch.zeros(())
        for _ in range(100):
            optimiser.zero_grad()
            loss = model.nats(symbols[:, :-1], symbols[:, 1:], model.initial(1))[0].mean()
            loss.backward()
            optimiser.step()
    return loss.item() < 0.1


def _kernels_agree() -> bool:
    """Compare output and gradients of the compiled kernels with those of torch."""
    import torch

    from ensue.cells import CELLS
    from ensue.engine import eager, paths, start, trace
    from ensue.engine import native as compiled

    program, generator = trace(CELLS["lstm"](), "lstm"), torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        values = {name: tensor.requires_grad_() for name, tensor in start(program, 3, 70).items()}
    values |= {f"state/{state}": torch.zeros(2, 70) for state in program.states}
    values["x"] = torch.randn(5, 2, 3, generator=generator)
    parameters = [value for value in values.values() if value.requires_grad]
    found = []
    for backend in (eager, compiled):
        path = paths(backend, program, values)[0]
        found.append([path, *torch.autograd.grad(path.square().sum(), parameters)])
    return all(
        torch.allclose(one, other, atol=1e-4, rtol=1e-4) for one, other in zip(*found, strict=True)
    )


TESTS: dict[str, Callable[[], bool]] = {
    "an n-gram's probabilities sum to one": _table_sums_to_one,
    "a network learns": _network_learns,
}
