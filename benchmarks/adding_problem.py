"""The adding problem: which cells remember two numbers over a hundred steps and more?

Each step shows a number from [0, 1] and a mark; two steps of a sequence are marked, one in each
half, and after the last step the target is the sum of their numbers (Hochreiter & Schmidhuber 1997;
in this form Le, Jaitly & Hinton 2015, arXiv:1504.00941). Always answering 1 has a mean squared
error of 0.1767; a cell has solved the problem when its error on sequences that it never saw is
below 0.01.

    python benchmarks/adding_problem.py --cells irnn lstm --lengths 100 --steps 4000
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from math import isnan
from time import perf_counter

import torch
from torch import Tensor, nn

from ensue.layers import RecurrentSettings

SOLVED, CHANCE = 0.01, 0.1767
RATES = {"tanh": 1e-3, "irnn": 1e-3, "lstm": 5e-3, "gru": 5e-3}
"""Highest stable learning rate of each cell; cells not named here use 2e-3."""


def sequences(rows: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw inputs (rows, length, 2) and the target sums (rows,)."""
    numbers = torch.rand(rows, length, generator=generator)
    marks = torch.zeros(rows, length)
    half = length // 2
    for first, last in ((0, half), (half, length)):
        at = torch.randint(first, last, (rows, 1), generator=generator)
        marks.scatter_(1, at, 1.0)
    return torch.stack([numbers, marks], 2), (numbers * marks).sum(1)


class Adder(nn.Module):
    """A recurrent layer whose last output answers."""

    def __init__(self, cell: str, width: int) -> None:
        super().__init__()
        self.layer = RecurrentSettings(cell=cell, width=width, depth=1).build(2)
        self.answer = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.layer(x, self.layer.initial(len(x)))
        return self.answer(y[:, -1])[:, 0]


def errors(cell: str, length: int, options: argparse.Namespace) -> Iterator[tuple[int, float]]:
    """Train, and give the mean squared error on held-out sequences now and then."""
    torch.manual_seed(options.seed)
    draws = torch.Generator().manual_seed(options.seed)
    held_out = sequences(1000, length, torch.Generator().manual_seed(options.seed + 1))
    model = Adder(cell, options.width).to(options.device)
    optimiser = torch.optim.Adam(model.parameters(), options.rate or RATES.get(cell, 2e-3))
    for step in range(1, options.steps + 1):
        x, wanted = (tensor.to(options.device) for tensor in sequences(options.rows, length, draws))
        loss = (model(x) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % options.every == 0 or step == options.steps:
            with torch.no_grad():
                x, wanted = (tensor.to(options.device) for tensor in held_out)
                yield step, (model(x) - wanted).square().mean().item()


def last_error(cell: str, length: int, options: argparse.Namespace) -> tuple[int, float]:
    """Train until it is solved or the budget is spent; give the step and the error there."""
    begin, last = perf_counter(), (0, CHANCE)
    for last in errors(cell, length, options):
        if last[1] < SOLVED or isnan(last[1]) or perf_counter() - begin > 60 * options.minutes:
            break
    return last


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    print(
        f"{'cell':<12}{'length':>7}{'steps':>8}{'seconds':>9}{'error':>9}  (always 1: "
        f"{CHANCE}; solved: < {SOLVED})"
    )
    for length in options.lengths:
        for cell in options.cells:
            begin = perf_counter()
            step, error = last_error(cell, length, options)
            verdict = "solved" if error < SOLVED else "not solved"
            seconds = perf_counter() - begin
            print(
                f"{cell:<12}{length:>7}{step:>8}{seconds:>9.0f}{error:>9.4g}  {verdict}", flush=True
            )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cells", nargs="+", default=["tanh", "irnn", "lstm", "gru"])
    parser.add_argument("--lengths", nargs="+", type=int, default=[100, 200])
    parser.add_argument(
        "--steps", type=int, default=10_000, help="most updates for each cell and length"
    )
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="most minutes for each cell and length"
    )
    parser.add_argument("--rows", type=int, default=50, help="sequences in a batch")
    parser.add_argument("--width", type=int, default=100, help="hidden units")
    parser.add_argument(
        "--rate", type=float, help="learning rate of Adam, in place of each cell's own"
    )
    parser.add_argument(
        "--every", type=int, default=100, help="updates between two looks at the held-out error"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
