"""Speed of a training pass (forward and backward) against common and optimised torch code.

`python benchmarks/training.py [--threads N] [--write]`; `--write` puts the tables into
docs/results.md.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from tables import conditions, medians, product_rate, write_table
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ensue.cells import CELLS, Cell
from ensue.cells.user import load_cell
from ensue.engine import Program, packed_paths, scan, start, trace
from ensue.engine import native as compiled
from ensue.engine.layout import Layout

INPUTS, BATCH, STEPS, LONG = 64, 32, 64, 1024
USER = """
class Leaky(Cell):
    states = ("h",)
    gates = ("forget", "candidate")

    def equation(self, gate, state, weight):
        forget = sigmoid(gate.forget)
        return {"h": forget * state.h + (1 - forget) * tanh(gate.candidate)}
"""
Ways = dict[str, Callable[[], Tensor]]
Values = dict[str, Tensor]


def peephole(a: Tensor, h: Tensor, c: Tensor, p: Values) -> tuple[Tensor, Tensor]:
    write, keep, show, new = torch.addmm(a, h, p["equation/recurrent"].T).chunk(4, 1)
    old = c
    c = torch.sigmoid(keep + p["weight/keep"] * old) * old
    c = c + torch.sigmoid(write + p["weight/write"] * old) * new.tanh()
    return torch.sigmoid(show + p["weight/show"] * c) * c.tanh(), c


def mlstm(a: tuple[Tensor, Tensor], h: Tensor, c: Tensor, p: Values) -> tuple[Tensor, Tensor]:
    mixed = a[0] * (h @ p["mix/recurrent"].T)
    write, keep, show, new = torch.addmm(a[1], mixed, p["equation/recurrent"].T).chunk(4, 1)
    c = keep.sigmoid() * c + write.sigmoid() * new.tanh()
    return show.sigmoid() * c.tanh(), c


def leaky(a: Tensor, h: Tensor, c: Tensor, p: Values) -> tuple[Tensor, Tensor]:
    keep, new = torch.addmm(a, h, p["equation/recurrent"].T).chunk(2, 1)
    forget = keep.sigmoid()
    return forget * h + (1 - forget) * new.tanh(), c


LOOPS: dict[str, Callable[..., tuple[Tensor, Tensor]]] = {
    "peephole": peephole,
    "mlstm": mlstm,
    "user": leaky,
}


def loop(name: str, p: Values) -> Tensor:
    """What a careful person writes: one product for all inputs, one a tick for the state,
    autograd for the rest."""
    stages = [key.split("/")[0] for key in p if key.endswith("/input")]
    inputs = [
        F.linear(p["x"], p[f"{stage}/input"], p.get(f"{stage}/input_bias")) for stage in stages
    ]
    h = c = p["state/h"]
    path = []
    for a in zip(*(one.unbind(0) for one in inputs), strict=True):
        h, c = LOOPS[name](a if len(a) > 1 else a[0], h, c, p)
        path.append(h)
    return torch.stack(path)


def plain_loop(name: str, p: Values) -> Tensor:
    """What users write: the products with the input in each tick."""
    stages = [key.split("/")[0] for key in p if key.endswith("/input")]
    h = c = p["state/h"]
    path = []
    for x in p["x"]:
        a = [F.linear(x, p[f"{stage}/input"], p.get(f"{stage}/input_bias")) for stage in stages]
        h, c = LOOPS[name](a if len(a) > 1 else a[0], h, c, p)
        path.append(h)
    return torch.stack(path)


def log_space(name: str, p: Values) -> Tensor:
    """Feng et al. 2024, appendix B: the parallel scan of logarithms, for states above zero."""
    gates = F.linear(p["x"], p["equation/input"], p["equation/input_bias"])
    if name == "mingru":
        z, new = gates.chunk(2, -1)
        log_keep, log_write = -F.softplus(z), -F.softplus(-z)
    else:
        f, i, new = gates.chunk(3, -1)
        difference = F.softplus(-f) - F.softplus(-i)
        log_keep, log_write = -F.softplus(difference), -F.softplus(-difference)
    log_new = torch.where(new >= 0, (F.relu(new) + 0.5).log(), -F.softplus(-new))
    values = torch.cat([torch.full_like(log_new[:1], 0.5).log(), log_write + log_new])
    star = F.pad(log_keep.cumsum(0), (0, 0, 0, 0, 1, 0))
    return (star + torch.logcumsumexp(values - star, 0)).exp()[1:]


def values_for(program: Program, width: int, steps: int) -> Values:
    torch.manual_seed(0)
    values = {
        name: tensor.requires_grad_() for name, tensor in start(program, INPUTS, width).items()
    }
    values |= {f"state/{state}": torch.zeros(BATCH, width) for state in program.states}
    values["x"] = torch.randn(steps, BATCH, INPUTS)
    return values


def work(program: Program, width: int, real: int) -> float:
    """Count the operations of all matrix products, forward and twice as many backward, in `real`
    steps."""
    rows = sum(
        len(part.gates) * (INPUTS * part.reads + width * (part.of is not None))
        for part in program.stages
    )
    # No gradient goes to the input.
    less = sum(len(part.gates) * INPUTS * part.reads for part in program.stages)
    return 2 * real * width * (3 * rows - less)


def ours(program: Program, values: Values, lengths: Tensor | None = None) -> Tensor:
    layout = Layout.of(values["x"], lengths)
    return layout.unpack(packed_paths(compiled, program, values, layout)[0])


def torch_module(kind: type[nn.Module], values: Values, width: int, lengths: Tensor | None) -> Ways:
    module = kind(INPUTS, width)

    def packed() -> Tensor:
        x = pack_padded_sequence(values["x"], lengths, enforce_sorted=False)
        return pad_packed_sequence(module(x)[0], total_length=len(values["x"]))[0]

    return {"padded": lambda: module(values["x"])[0]} | (
        {} if lengths is None else {"packed": packed}
    )


def row(what: str, ways: Ways, operations: float, roof: float, rounds: int) -> list[str]:
    """Time one row; the first way is ours, the last the one to beat."""

    def whole(way: Callable[[], Tensor]) -> Callable[[], None]:
        return lambda: way().square().mean().backward()

    times = medians({name: whole(way) for name, way in ways.items()}, rounds)
    names = list(times)
    others = "; ".join(f"{name} {times[name]:.1f}" for name in names[1:])
    factor = times[names[-1]] / times[names[0]]
    share = operations / roof / times[names[0]]
    line = f"| {what} | {times[names[0]]:.1f} | {others} | {factor:.2f} x | {share:.0%} |"
    print(line, flush=True)
    return [line]


def user_cell() -> Cell:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "leaky.py"
        file.write_text(USER)
        return load_cell(file)


def rows(roof: float, rounds: int) -> list[str]:
    lines: list[str] = []
    lengths = torch.linspace(1, STEPS, BATCH).long()
    lstm, gru = trace(CELLS["lstm"](), "lstm"), trace(CELLS["gru"](), "gru")
    for width in (128, 256, 512):
        values = values_for(lstm, width, STEPS)
        ways = {"ensue": lambda v=values: ours(lstm, v, lengths)} | torch_module(
            nn.LSTM, values, width, lengths
        )
        lines += row(
            f"lstm {width}, unequal lengths",
            ways,
            work(lstm, width, int(lengths.sum())),
            roof,
            rounds,
        )
    for width in (128, 256, 512):
        values = values_for(lstm, width, STEPS)
        ways = {"ensue": lambda v=values: ours(lstm, v)} | torch_module(
            nn.LSTM, values, width, None
        )
        lines += row(
            f"lstm {width}, equal lengths (ensue hands over to torch)",
            ways,
            work(lstm, width, STEPS * BATCH),
            roof,
            rounds,
        )
    values = values_for(gru, 128, STEPS)
    ways = {"ensue": lambda: ours(gru, values)} | torch_module(nn.GRU, values, 128, None)
    lines += row("gru 128", ways, work(gru, 128, STEPS * BATCH), roof, rounds)
    for name, cell in (
        ("peephole", CELLS["peephole"]()),
        ("mlstm", CELLS["mlstm"]()),
        ("user", user_cell()),
    ):
        program = trace(cell, name)
        for width in (128, 256, 512):
            mine = values_for(program, width, STEPS)
            ways = {
                "ensue": lambda p=program, v=mine: ours(p, v),
                "loop": lambda n=name, v=mine: plain_loop(n, v),
                "careful loop": lambda n=name, v=mine: loop(n, v),
            }
            what = "a user's cell" if name == "user" else name
            lines += row(f"{what} {width}", ways, work(program, width, STEPS * BATCH), roof, rounds)
    for name in ("mingru", "minlstm"):
        program = trace(CELLS[name](), name)
        mine = values_for(program, 128, LONG)
        ways = {
            "ensue": lambda p=program, v=mine: ours(p, v),
            "our scan in torch": lambda p=program, v=mine: scan.run(p, v)[0],
            "log space": lambda n=name, v=mine: log_space(n, v),
        }
        lines += row(
            f"{name} 128, {LONG:,} ticks",
            ways,
            work(program, 128, LONG * BATCH),
            roof,
            max(3, rounds // 3),
        )
    return lines


def opening() -> list[str]:
    """Measure how long the native part takes to import, and to answer for the first time, in
    fresh processes."""
    program = (
        "import time, ctypes\n"
        "a = time.perf_counter()\n"
        "from ensue.native import library\n"
        "kernels = library()\n"
        "b = time.perf_counter()\n"
        "kernels.ensue_operation(b'tanh')\n"
        "x = (ctypes.c_float * 64)()\n"
        "kernels.ensue_apply(kernels.ensue_operation(b'tanh'), x, x, None, None, "
        "ctypes.c_int64(64))\n"
        "print(b - a, time.perf_counter() - b)"
    )
    before = "import ensue.errors, pathlib, ctypes, importlib\n"
    found = [
        subprocess.run(
            [sys.executable, "-c", before + program], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(7)
    ]
    imports, calls = zip(*(map(float, one.split()) for one in found), strict=True)
    milliseconds = [1000 * sorted(times)[len(times) // 2] for times in (imports, calls)]
    line = (
        f"| opening the library; its first call | {milliseconds[0]:.1f}; "
        f"{milliseconds[1]:.2f} | | | |"
    )
    print(line)
    return [line]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    roof = product_rate()
    began = time.strftime("%Y-%m-%d")
    lines = [
        "| cell and width | ensue | others | against the last | of the roof |",
        "|---|---|---|---|---|",
    ]
    lines += rows(roof, chosen.rounds) + opening()
    close = (
        f"{began}: {conditions()}; the roof is torch's product of large matrices, "
        f"{roof / 1e6:.0f} GFLOP/s."
    )
    print(close)
    if chosen.write:
        write_table(
            "training" if chosen.threads == 1 else f"training on {chosen.threads} threads",
            [*lines, "", close],
        )


if __name__ == "__main__":
    main()
