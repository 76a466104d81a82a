"""Speed of a training pass on a GPU: ensue and its Triton kernels against common torch code.

Against torch's own module (cuDNN) for lstm and gru, with all rows equally long and on a packed
sequence; against the loop that people write for peephole, mlstm and a cell of their own. Run
`python benchmarks/gpu.py` on a machine with a GPU. Rounds are interleaved; figures are medians in
milliseconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ensue.cells import CELLS, Cell, sigmoid, tanh
from ensue.engine import Program, gpu, packed_paths, run, start, trace
from ensue.engine.layout import Layout

Way = Callable[[], Tensor]
Tick = Callable[[dict[str, Tensor], Tensor, list[Tensor]], list[Tensor]]
MODULES = {"lstm": nn.LSTM, "gru": nn.GRU}
REACH = {"equal": "0.95 x cuDNN", "unequal": "1.5 x cuDNN", "loop": "40 x the loop"}


class Mine(Cell):
    """A cell of a user: a slow memory in addition to the fast one."""

    states = ("h", "slow")
    gates = ("forget", "candidate", "slowly")

    def equation(self, gate: Any, state: Any, weight: Any) -> dict[str, Any]:
        slow = state.slow + 0.1 * sigmoid(gate.slowly) * (tanh(gate.candidate) - state.slow)
        forget = sigmoid(gate.forget)
        return {"h": forget * state.h + (1 - forget) * tanh(gate.candidate + slow), "slow": slow}


def product(values: dict[str, Tensor], stage: str, x: Tensor, h: Tensor) -> Tensor:
    """W x + U h + b as people write it, with both products in the loop."""
    inner = F.linear(x, values[f"{stage}/input"], values.get(f"{stage}/input_bias"))
    return inner + F.linear(h, values[f"{stage}/recurrent"])


def peephole(values: dict[str, Tensor], x: Tensor, states: list[Tensor]) -> list[Tensor]:
    h, c = states
    write, forget, show, new = product(values, "equation", x, h).chunk(4, 1)
    forget = torch.sigmoid(forget + values["weight/forget"] * c)
    write = torch.sigmoid(write + values["weight/input"] * c)
    c = forget * c + write * torch.tanh(new)
    return [torch.sigmoid(show + values["weight/output"] * c) * torch.tanh(c), c]


def mlstm(values: dict[str, Tensor], x: Tensor, states: list[Tensor]) -> list[Tensor]:
    h, c = states
    m = F.linear(x, values["mix/input"]) * F.linear(h, values["mix/recurrent"])
    write, forget, show, new = product(values, "equation", x, m).chunk(4, 1)
    c = torch.sigmoid(forget) * c + torch.sigmoid(write) * torch.tanh(new)
    return [torch.sigmoid(show) * torch.tanh(c), c]


def mine(values: dict[str, Tensor], x: Tensor, states: list[Tensor]) -> list[Tensor]:
    h, slow = states
    forget, new, slowly = product(values, "equation", x, h).chunk(3, 1)
    slow = slow + 0.1 * torch.sigmoid(slowly) * (torch.tanh(new) - slow)
    forget = torch.sigmoid(forget)
    return [forget * h + (1 - forget) * torch.tanh(new + slow), slow]


LOOPS: dict[str, Tick] = {"peephole": peephole, "mlstm": mlstm, "mine": mine}


def loop(tick: Tick, program: Program, values: dict[str, Tensor]) -> Tensor:
    now, path = [values[f"state/{state}"] for state in program.states], []
    for x in values["x"].unbind(0):
        now = tick(values, x, now)
        path.append(now[0])
    return torch.stack(path)


def ways(
    name: str, width: int, batch: int, steps: int, unequal: bool, where: dict
) -> dict[str, Way]:
    """Give the ways of running a cell forward; `where` is a device and a type."""
    program = trace(Mine() if name == "mine" else CELLS[name](), name)
    values = {
        key: tensor.to(**where).requires_grad_()
        for key, tensor in start(program, width, width).items()
    }
    values |= {f"state/{state}": torch.zeros(batch, width, **where) for state in program.states}
    values["x"] = torch.randn(steps, batch, width, **where)
    lengths = torch.linspace(steps // 8, steps, batch).long().flip(0) if unequal else None
    layout = Layout.of(values["x"], lengths)
    found: dict[str, Way] = {
        "ensue": lambda: run(program, values, lengths)[0],
        "kernels": lambda: packed_paths(gpu, program, values, layout)[0],
    }
    if name in MODULES:
        module = MODULES[name](width, width).to(**where)
        found["theirs"] = lambda: packed(module, values["x"], lengths)
    else:
        found["theirs"] = lambda: loop(LOOPS[name], program, values)
    return found


def packed(module: nn.Module, x: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is None:
        return module(x)[0]
    return pad_packed_sequence(module(pack_padded_sequence(x, lengths))[0], total_length=len(x))[0]


def milliseconds(way: Way) -> float:
    """Time a pass forward and backward, to the end of the GPU's work."""
    synchronise()
    before = time.perf_counter()
    way().float().square().mean().backward()
    synchronise()
    return 1000 * (time.perf_counter() - before)


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def cases() -> Iterator[tuple[str, str, int]]:
    """Give what is compared, the cell, and the batch."""
    for kind in ("equal", "unequal"):
        yield from ((kind, name, batch) for name in MODULES for batch in (16, 32, 64))
    yield from (("loop", name, batch) for name in LOOPS for batch in (16, 64))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=1024)
    parser.add_argument("--widths", type=int, nargs="*", default=[128, 256, 512, 1024])
    parser.add_argument("--dtype", choices=["bfloat16", "float16", "float32"], default="bfloat16")
    chosen = parser.parse_args()
    if not torch.cuda.is_available():
        print("There is no GPU here, so nothing was measured.")
        return
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {gpu.describe()}, "
        f"{chosen.dtype}"
    )
    print(
        f"{'':9}{'cell':10}{'width':>6}{'batch':>6}{'ensue':>10}{'kernels':>10}{'theirs':>10}{'ratio':>8} "
        f" to reach"
    )
    where = {"device": "cuda", "dtype": getattr(torch, chosen.dtype)}
    for kind, name, batch in cases():
        for width in chosen.widths:
            found = ways(name, width, batch, chosen.steps, kind == "unequal", where)
            rounds = [
                {way: milliseconds(go) for way, go in found.items()}
                for _ in range(chosen.rounds + 2)
            ][2:]
            median = {way: statistics.median(one[way] for one in rounds) for way in found}
            times = "".join(f"{median[way]:10.2f}" for way in ("ensue", "kernels", "theirs"))
            ratio = median["theirs"] / median["ensue"]
            print(
                f"{kind:9}{name:10}{width:6}{batch:6}{times}{ratio:8.2f}  {REACH[kind]}", flush=True
            )
    print(
        "load average:",
        ", ".join(f"{load:.2f}" for load in os.getloadavg()),
        f"on {os.cpu_count()} cores",
    )


if __name__ == "__main__":
    main()
