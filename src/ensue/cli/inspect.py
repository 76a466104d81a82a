"""`ensue inspect`: look inside a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from ensue.cli.integer import Integer

if TYPE_CHECKING:
    from ensue.tasks.generate.trained import TextModel

app = App(name="inspect")


@app.default
def inspect(
    run: Path,
    /,
    *data: Path,
    longest: Integer = 512,
    places: Integer = 512,
    json: bool = False,
) -> None:
    """Measure what the state remembers: the cost of a symbol, by how many before it the model may
    see.

    Args:
        run: The folder of the run.
        data: Files to measure on; with none, the run's own test part.
        longest: The most symbols before.
        places: At how many places of the text.
        json: Print one JSON object, for programs.
    """
    from dataclasses import asdict

    from ensue import api
    from ensue.cli.output import print_json
    from ensue.cli.progress import Ticking, follow, follow_answer
    from ensue.cli.tables import show_table
    from ensue.inspection.memory import MemorySettings, memory
    from ensue.settings import read
    from ensue.tasks.generate.evaluation import read_corpus
    from ensue.training.contract import Working

    settings = read(MemorySettings, {"longest": longest, "places": places}, where="inspect")
    model: TextModel = api.open(run, "generate")
    corpus = read_corpus(model, data) if data else model.parts.test
    with Ticking(follow_answer() if json else follow(False)) as watch:
        watch(
            Working(
                f"reading {settings.places} places with up to {settings.longest} symbols "
                f"before them"
            )
        )
        found = memory(model.model, corpus.ids, corpus.offsets, settings)
    if json:
        print_json({**asdict(found), "reach": found.reach})
        return
    rows = [
        [str(context), f"{nats:.4f}", f"{lost:+.4f}", f"{margin:.4f}"]
        for context, nats, lost, margin in zip(
            found.contexts, found.nats, found.lost, found.margins, strict=True
        )
    ]
    show_table(
        ["symbols seen before", "nats a symbol", f"more than with {found.contexts[-1]}", "±"], rows
    )
    print(found)
