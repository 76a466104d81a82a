"""`ensue train generate`: learn what comes next in a text."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from ensue.cli.train.options import DEFAULTS, Flags

app = App(name="generate")


@app.default
def generate(
    *data: Path,
    model: str | None = None,
    codec: str | None = None,
    memory: str | None = None,
    said: Flags = DEFAULTS,
) -> None:
    """Learn what comes next in a text, so as to write more of it.

    Args:
        data: Files or folders: text, or CSV, TSV, JSONL or Parquet with a column of text; also
            compressed by gzip or xz. Or the name of a demo (see `ensue list demos`); with none, the
            demo `text`.
        model: See `ensue list models` and `ensue list cells`; or the path of a Python file that
        defines a cell.
        codec: What a symbol is: characters, bytes, words, tokens (as they stand between blanks) or
        subwords.
        memory: What counting n-grams may take, such as 4G: a text that needs more is counted in
        runs on disk.
    """
    from ensue.cli.train.training import train

    train("generate", data, said, model, codec=codec, memory=memory)
