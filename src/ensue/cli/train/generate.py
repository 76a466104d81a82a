"""`ensue train generate`: train a language model."""

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
    options: Flags = DEFAULTS,
) -> None:
    """Train a language model on text.

    Args:
        data: Text files, folders, tables with a text column, or a demo (`ensue list demos`); by
            default the demo `text`.
        model: Model or cell (`ensue list models`, `ensue list cells`), or a Python file that
            defines a cell.
        codec: Tokenisation: characters, bytes, words, tokens (split at blanks) or subwords.
        memory: Memory limit for counting n-grams, such as 4G; larger counts are sorted on disk.
    """
    from ensue.cli.train.training import train

    train("generate", data, options, model, codec=codec, memory=memory)
