"""Scores of networks, n-grams and their mixture on four classical texts, by `ensue train generate`.

    python benchmarks/text_models.py shakespeare [MINUTES [SEED]]    nats per character on the last tenth
    python benchmarks/text_models.py names [MINUTES]          seeded 90/10, the end of a name counts as a character
    python benchmarks/text_models.py wikitext                 perplexity per token, on the files' own test part
    python benchmarks/text_models.py nietzsche [EPOCHS]       windows of 40 with a jump of 3, LSTM of 128, one-hot

Wall-clock times are of the whole training, baselines and report included. The data is looked for in
the folder that ENSUE_DATA names, or in ../shared/data.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ensue
from ensue.tasks.generate.report import TEXT
from ensue.tasks.model_card import metrics_table, table
from ensue.tasks.results import RESULT, Result

DATA = Path(os.environ.get("ENSUE_DATA", Path(__file__).parents[2] / "shared" / "data"))
CLASSICAL = (
    "body.width=128",
    "model.embedding=0",
    "batching.name=windows",
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
    result = Result.from_json(model.run.read_json(RESULT))
    print(f"\n{seconds:.0f} s in all, load average {os.getloadavg()[0]:.1f}")
    print(table(*metrics_table(result, TEXT)))
    print(f"\n{result.recommendation.recommendation}", flush=True)


def shakespeare(minutes: float = 3.0, seed: float = 1) -> None:
    path = DATA / "tiny_shakespeare" / "input.txt"
    train(path, model="ngram")
    train(path, minutes=minutes, seed=int(seed))


def names(minutes: float = 3.0) -> None:
    train(DATA / "first_names" / "names_32k.txt", minutes=minutes)


def wikitext() -> None:
    """Tokens as they stand between blanks, each line's end one of them, as lmplz counts them."""
    with tempfile.TemporaryDirectory() as folder:
        model = ensue.train(
            "generate",
            DATA / "wikitext2",
            out=Path(folder) / "run",
            model="ngram",
            codec="tokens",
            settings=("model.order=5",),
        )
        for row in json.loads(model.run.read("result.json"))["rows"]:
            low, high = row["intervals"]["perplexity_per_token"]
            figure = f"{row['metrics']['perplexity_per_token']:.1f} | {low:.1f} to {high:.1f}"
            print(f"| {row['name']} | {figure} | {row['seconds']:.1f} |", flush=True)


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
    commands = {
        "shakespeare": shakespeare,
        "names": names,
        "wikitext": wikitext,
        "nietzsche": nietzsche,
    }
    chosen: Any = commands[sys.argv[1]]
    chosen(*map(float, sys.argv[2:4]))
