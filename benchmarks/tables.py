"""Shared code of the benchmarks: interleaved rounds, the roof of the machine, tables in results.md."""

import os
import re
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

RESULTS = Path(__file__).parent.parent / "docs" / "results.md"


def medians(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Time some ways of doing the same, in milliseconds; in turns, so that a busy moment meets all
    alike.

    On one thread it is the time of the processor, which other jobs do not count in; else that of
    the clock.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for warm in range(rounds + 1):
        for name, way in ways.items():
            before = clock()
            way()
            if warm:
                taken[name].append(1000 * (clock() - before))
    return {name: statistics.median(times) for name, times in taken.items()}


def product_rate(rounds: int = 9) -> float:
    """Measure the roof: floating-point operations a millisecond in torch's product of two large
    matrices."""
    a = torch.randn(1024, 1024)
    return 2 * 1024**3 / medians({"product": lambda: a @ a}, rounds)["product"]


def conditions() -> str:
    """Say under which conditions figures were taken."""
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return (
        f"{torch.get_num_threads()} of {os.cpu_count()} cores, load average {load}, torch "
        f"{torch.__version__}"
    )


def write_table(name: str, lines: list[str]) -> None:
    """Put a table between its marks in docs/results.md."""
    text = RESULTS.read_text(encoding="utf-8")
    marks = f"<!-- {name} -->", f"<!-- end of {name} -->"
    between = re.compile(f"(?<={re.escape(marks[0])}\n).*?(?={re.escape(marks[1])})", re.DOTALL)
    assert between.search(text), f"docs/results.md has no place for {name}"
    table = "\n".join(lines)
    RESULTS.write_text(between.sub(lambda _: f"{table}\n", text), encoding="utf-8")
