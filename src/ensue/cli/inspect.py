"""`ensue inspect`: measure how much context a model uses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from ensue.cli.flags import Integer

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
    """Measure how much context a model uses: its loss by the number of symbols it may see.

    Args:
        run: Run folder.
        data: Text files; by default the run's own test part.
        longest: Maximum context in symbols.
        places: Number of sampled positions.
        json: Print one JSON object.
    """
    from dataclasses import asdict

    from ensue import api
    from ensue.cli.output import print_json
    from ensue.cli.progress import Heartbeat, follow, follow_answer
    from ensue.cli.tables import show_table
    from ensue.inspection.memory import MemorySettings, memory
    from ensue.settings import read
    from ensue.tasks.generate.evaluation import read_corpus
    from ensue.training.contract import Working

    settings = read(MemorySettings, {"longest": longest, "places": places}, where="inspect")
    model: TextModel = api.open(run, "generate", "text")
    corpus = read_corpus(model, data) if data else model.parts.test
    with Heartbeat(follow_answer() if json else follow(False)) as progress:
        what = f"{settings.places} positions with up to {settings.longest} symbols of context"
        progress(Working(f"scoring {what}"))
        found = memory(model.model, corpus.ids, corpus.offsets, settings)
    if json:
        print_json({**asdict(found), "effective_context": found.effective_context})
        return
    rows = [
        [str(context), f"{nats:.4f}", f"{excess:+.4f}", f"{margin:.4f}"]
        for context, nats, excess, margin in zip(
            found.contexts, found.nats, found.excess, found.half_widths, strict=True
        )
    ]
    show_table(
        ["context", "nats per symbol", f"excess over context {found.contexts[-1]}", "±"], rows
    )
    print(found)
