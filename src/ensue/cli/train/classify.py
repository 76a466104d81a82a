"""`ensue train classify`: learn one label for a sequence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from ensue.cli.train.options import DEFAULTS, ColumnOptions, Flags

app = App(name="classify")


@app.default
def classify(
    *data: Path,
    model: str | None = None,
    codec: str | None = None,
    format: str | None = None,
    columns: Annotated[ColumnOptions, Parameter(name="*")] = ColumnOptions(),  # noqa: B008 - it is frozen
    pretrained: Path | None = None,
    auxiliary: Literal["lm"] | None = None,
    said: Flags = DEFAULTS,
) -> None:
    """Learn one label for a sequence, or several, one on a scale, or a number; and how sure it is.

    Args:
        data: Tables (CSV, TSV, JSONL, Parquet) with a column of text and one of labels; or a
            folder, or a file, for each class; or text with fastText's labels. Or the name of a demo
            (see `ensue list demos`); with none, the demo `modules`.
        model: convolution, bidirectional, lstm, gru or another cell, embedding-bag; or one fitted
            in closed form. See `ensue list models`.
        codec: What a step of text is: words, tokens (between blanks), characters, bytes or
        subwords.
        format: What the data is, if that is not clear from its files and columns; see `ensue list
        formats`.
        pretrained: Start from the codec and the weights of a run of `generate`, where they fit.
        auxiliary: lm adds a language model's loss on the same steps (multi-task training).
    """
    from ensue.cli.train.training import train

    own = {"format": format, "pretrained": pretrained, "auxiliary": auxiliary}
    train("classify", data, said, model, codec=codec, **own, **dict(columns))
