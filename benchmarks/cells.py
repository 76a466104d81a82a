"""How fast a training pass over a sequence is: the engine, plain loops of torch, and torch's own module.

`ensue` is what a layer runs, `eager` the eager engine, `ticks` its plain reference, `loop` a careful loop by hand.

Run `python benchmarks/cells.py [--threads N]`. Rounds are interleaved, so that a busy moment meets all alike;
figures are medians in milliseconds, and what the load was is printed beside them.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ensue.cells import CELLS
from ensue.engine import eager, paths, run, start, ticks, trace

TORCH = {"tanh": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def lstm(a: Tensor, b: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    write, keep, new, show = (a + b).chunk(4, 1)
    c = keep.sigmoid() * c + write.sigmoid() * new.tanh()
    return show.sigmoid() * c.tanh(), c


def gru(a: Tensor, b: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    (r, z, n), (s, y, m) = a.chunk(3, 1), b.chunk(3, 1)
    n = (n + (r + s).sigmoid() * m).tanh()
    return (n + (z + y).sigmoid() * (h - n),)


def tanh(a: Tensor, b: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    return ((a + b).tanh(),)


LOOPS: dict[str, Callable[..., tuple[Tensor, ...]]] = {"tanh": tanh, "lstm": lstm, "gru": gru}


def loop(tick: Callable[..., tuple[Tensor, ...]], values: dict[str, Tensor], states: int) -> Tensor:
    """What a careful person writes: one product for all inputs, one a tick for the state, autograd for the rest."""
    inputs = F.linear(values["x"], values["equation/input"], values["equation/input_bias"])
    now, path = (values["state/h"],) * states, []
    for a in inputs.unbind(0):
        b = F.linear(now[0], values["equation/recurrent"], values.get("equation/recurrent_bias"))
        now = tick(a, b, *now)
        path.append(now[0])
    return torch.stack(path)


def passes(name: str, steps: int, batch: int, inputs: int, width: int) -> dict[str, Callable[[], Tensor]]:
    """Give the ways of running a cell forward, each returning the path of its first state."""
    program = trace(CELLS[name](), name)
    values = {key: tensor.requires_grad_() for key, tensor in start(program, inputs, width).items()}
    values |= {f"state/{state}": torch.zeros(batch, width) for state in program.states}
    values["x"] = torch.randn(steps, batch, inputs)
    ways: dict[str, Callable[[], Tensor]] = {
        "ensue": lambda: run(program, values)[0],
        "eager": lambda: paths(eager, program, values)[0],
        "ticks": lambda: ticks(program, values)[0],
    }
    if name in LOOPS:
        ways["loop"] = lambda: loop(LOOPS[name], values, len(program.states))
    if name in TORCH:
        module = TORCH[name](inputs, width)
        ways["torch"] = lambda: module(values["x"])[0]
    return ways


def milliseconds(way: Callable[[], Tensor]) -> float:
    before = time.perf_counter()
    way().square().mean().backward()
    return 1000 * (time.perf_counter() - before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cells", nargs="*", default=["tanh", "lstm", "peephole", "gru", "gru_before", "mlstm", "mingru"]
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=11)
    for name, default in (("steps", 64), ("batch", 32), ("inputs", 65), ("width", 256)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    columns = ("ensue", "eager", "ticks", "loop", "torch")
    print(f"{'cell':12}" + "".join(f"{column:>9}" for column in columns) + "   loop/ensue  torch/ensue   (ms, median)")
    for name in chosen.cells:
        ways = passes(name, chosen.steps, chosen.batch, chosen.inputs, chosen.width)
        rounds = [{way: milliseconds(run_it) for way, run_it in ways.items()} for _ in range(chosen.rounds + 1)][1:]
        median = {way: statistics.median(one[way] for one in rounds) for way in ways}
        figures = "".join(f"{median[way]:9.1f}" if way in median else f"{'-':>9}" for way in columns)
        against = "".join(f"{median[way] / median['ensue']:13.2f}" for way in ("loop", "torch") if way in median)
        print(f"{name:12}{figures}{against}")
    print("load average:", ", ".join(f"{load:.2f}" for load in os.getloadavg()), f"on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
