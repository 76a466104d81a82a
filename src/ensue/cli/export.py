"""`ensue export`: write the n-gram of a run for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

if TYPE_CHECKING:
    from ensue.tasks.generate.trained import TextModel

app = App(name="export")


@app.default
def export(run: Path, file: Path, /) -> None:
    """Export the n-gram of a run as an ARPA file, as KenLM and other programs read it.

    Args:
        run: Run folder; for a mixture, its n-gram is exported.
        file: Output file, compressed if it ends in .gz, .xz or .bz2.
    """
    from ensue.atomic_io import write_errors
    from ensue.cli.output import show_line
    from ensue.cli.progress import Heartbeat, follow_answer, open_run
    from ensue.data.codecs import FrequentCodec
    from ensue.models.ngram import write_arpa
    from ensue.training.contract import Working

    model: TextModel = open_run(run, "generate", "text")
    codec, ngram = model.codec, model.ngram()
    unfinished = file.with_name(f".tmp-{file.name}")
    symbols = [codec.symbol(id) for id in range(codec.size)]
    with Heartbeat(follow_answer()) as progress, write_errors(file):
        progress(Working("writing n-grams"))
        try:
            write_arpa(
                ngram,
                unfinished,
                symbols,
                codec.unknown,
                codec.end,
                words=isinstance(codec, FrequentCodec),
            )
            unfinished.replace(file)
        finally:
            unfinished.unlink(missing_ok=True)
    show_line(f"{file}: an n-gram of order {ngram.order} over {codec.size} symbols")
