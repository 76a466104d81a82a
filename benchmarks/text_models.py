"""Networks, n-grams and their mixture on three classical texts, as `ensue train generate` gives
them.

    python benchmarks/text_models.py shakespeare [MINUTES [SEED]]    nats per character on the last tenth
    python benchmarks/text_models.py names [MINUTES]          seeded 90/10, the end of a name counts as a character
    python benchmarks/text_models.py nietzsche [EPOCHS]       windows of 40 with a jump of 3, LSTM of 128, one-hot

Wall-clock times are of the whole training, baselines and report included. The data is looked for in
the folder that ENSUE_DATA names, or in ../shared/data.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ensue
from ensue.tasks.generate.report import COLUMNS, cells

DATA = Path(os.environ.get("ENSUE_DATA", Path(__file__).parents[2] / "shared" / "data"))
CLASSICAL = (
    "body.width=128",
    "model.embedding=0",
    "batching.mode=windows",
    "batching.sequence_length=40",
    "batching.stride=3",
    "batching.loss_on=last",
    "batching.batch_size=128",
    "mixture.use=never",
    "evaluate_every=100000",
)


def train(path: Path, **choices: Any) -> tuple[Any, float]:
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        model = ensue.train("generate", path, out=Path(folder) / "run", **choices)
        seconds = time.perf_counter() - began
        show(model, seconds)
        return model.run.rows("metrics.jsonl"), seconds


def show(model: Any, seconds: float) -> None:
    import json

    result = json.loads(model.run.read("result.json"))
    print(f"\n{seconds:.0f} s in all, load average {os.getloadavg()[0]:.1f}")
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|")
    for row in cells(result["rows"]):
        print("| " + " | ".join(row) + " |")
    print(f"\n{result['recommendation']}", flush=True)


def shakespeare(minutes: float = 3.0, seed: float = 1) -> None:
    path = DATA / "tiny_shakespeare" / "input.txt"
    train(path, model="ngram")
    train(path, minutes=minutes, seed=int(seed))


def names(minutes: float = 3.0) -> None:
    train(DATA / "first_names" / "names_32k.txt", minutes=minutes)


def nietzsche(epochs: float = 20) -> None:
    """The loss over each epoch is that of training, as in the classical exercise."""
    path = DATA / "nietzsche" / "nietzsche.txt"
    for count in (1, int(epochs)):
        rows, _ = train(path, model="lstm", epochs=count, settings=CLASSICAL)
        last = [row["loss"] for row in rows if row["epoch"] > count - 1 and row["loss"] is not None]
        print(
            f"mean training loss in epoch {count}: {sum(last) / len(last):.4f} nats per character"
        )


if __name__ == "__main__":
    chosen = {"shakespeare": shakespeare, "names": names, "nietzsche": nietzsche}[sys.argv[1]]
    chosen(*map(float, sys.argv[2:4]))
