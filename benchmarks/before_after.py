"""Speed of training and generation on two trees, such as before and after a change.

    git worktree add ../before COMMIT
    python benchmarks/before_after.py ../before . [--rounds 31]

Each tree runs its own rows of `training.py` and `generation.py` in a process of its own, on one
thread and with the kernels that are installed. The two take turns at every row, so that a busy
moment meets both alike. A row has the median times in milliseconds of the processor, and the median
of the ratios before / after: above 1, the second tree is faster.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

SYMBOLS = 1000
GENERATED = (("lstm", 128, 1, 1), ("lstm", 512, 2, 1), ("gru", 256, 1, 1), ("lstm", 128, 1, 32))
"""Cell, width, depth and streams."""


def make_rows(tree: Path) -> dict[str, Callable[[], object]]:
    """Import a tree's package and benchmarks, and make a function a row."""
    sys.path[:0] = [str(tree / "benchmarks"), str(tree / "src")]
    import generation
    import torch
    import training

    import ensue
    from ensue.cells import CELLS
    from ensue.engine import Program, trace

    if not Path(ensue.__file__).is_relative_to(tree):
        raise SystemExit(f"ensue is imported from {ensue.__file__}, not from {tree}")
    torch.set_num_threads(1)

    def train(program: Program, width: int, unequal: bool) -> Callable[[], object]:
        values = training.values_for(program, width, training.STEPS)
        lengths = torch.linspace(1, training.STEPS, training.BATCH).long() if unequal else None
        return lambda: training.ours(program, values, lengths).square().mean().backward()

    cells = {name: trace(kind(), name) for name, kind in CELLS.items()}
    cells["a user's"] = trace(training.user_cell(), "user")
    found: dict[str, Callable[[], object]] = {
        f"train {name} {width}{', unequal lengths' * unequal}": train(program, width, unequal)
        for name, program in cells.items()
        for width, unequal in ((128, False), (128, True), (256, False))
    }
    for cell, width, depth, streams in GENERATED:
        torch.manual_seed(1)
        write = generation.ours(generation.network(cell, width, depth), streams)
        name = f"generate {cell} {width} x {depth}, streams: {streams}"
        found[name] = partial(write, SYMBOLS // streams)
    return found


def answer(tree: Path) -> None:
    """Print the names of the rows, then the time of each row that is asked for."""
    rows = make_rows(tree)
    print(json.dumps(list(rows)), flush=True)
    for line in sys.stdin:
        began = time.process_time()
        rows[line.rstrip("\n")]()
        print(time.process_time() - began, flush=True)


def compare(before: Path, after: Path, rounds: int) -> None:
    """Time the rows that both trees have in turns, and print a table."""
    trees = [
        subprocess.Popen(
            [sys.executable, __file__, "--answer", str(tree)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        for tree in (before, after)
    ]

    def run(tree: subprocess.Popen[str], row: str) -> float:
        assert tree.stdin
        assert tree.stdout
        print(row, file=tree.stdin, flush=True)
        return float(tree.stdout.readline())

    old, new = (json.loads(tree.stdout.readline()) for tree in trees if tree.stdout)
    print("| row | before, ms | after, ms | before / after |\n|---|---|---|---|")
    for row in (name for name in old if name in new):
        times: list[list[float]] = []
        for number in range(rounds + 2):
            order = trees if number % 2 else trees[::-1]
            found = {tree.pid: run(tree, row) for tree in order}
            times.append([found[tree.pid] for tree in trees])
        pairs = times[2:]  # the first two warm up
        first, second = (1000 * statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(one / other for one, other in pairs)
        print(f"| {row} | {first:.2f} | {second:.2f} | {ratio:.2f} |", flush=True)
    for tree in trees:
        tree.terminate()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("trees", type=Path, nargs="+", help="the tree before, and the one after")
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--answer", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    trees = [tree.resolve() for tree in given.trees]
    if given.answer:
        answer(trees[0])
    elif len(trees) == 2:
        compare(*trees, given.rounds)
    else:
        parser.error("name two trees")


if __name__ == "__main__":
    main()
