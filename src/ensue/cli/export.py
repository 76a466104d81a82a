"""`ensue export`: hand a run's n-gram to other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

if TYPE_CHECKING:
    from ensue.tasks.generate.trained import TextModel

app = App(name="export")


@app.default
def export(run: Path, file: Path, /) -> None:
    """Write the n-gram of a run as an ARPA file, which KenLM and other programs read.

    Args:
        run: The folder of the run; of a mixture, its n-gram is written.
        file: The file to write, packed if it ends in .gz, .xz or .bz2. Words are written as they
            are; in other symbols blanks and control characters are written as %XX.
    """
    from ensue.atomic_io import write_errors
    from ensue.cli.output import show_line
    from ensue.cli.progress import Ticking, follow_answer, opened
    from ensue.data.codecs import TokenCodec, WordCodec
    from ensue.models.ngram import write_arpa
    from ensue.training.contract import Working

    model: TextModel = opened(run, "generate")
    codec, ngram = model.codec, model.ngram()
    unfinished = file.with_name(f".tmp-{file.name}")
    symbols = [codec.symbol(id) for id in range(codec.size)]
    with Ticking(follow_answer()) as watch, write_errors(file):
        watch(Working("writing n-grams"))
        try:
            write_arpa(
                ngram,
                unfinished,
                symbols,
                codec.unknown,
                codec.end,
                words=isinstance(codec, WordCodec | TokenCodec),
            )
            unfinished.replace(file)
        finally:
            unfinished.unlink(missing_ok=True)
    show_line(f"{file}: an n-gram of order {ngram.order} over {codec.size} symbols")
