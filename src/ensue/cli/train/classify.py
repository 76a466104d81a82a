"""`ensue train classify`: learn one label for a sequence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from ensue.cli.train.said import UNSAID, Columns, Flags

app = App(name="classify")


@app.default
def classify(
    *data: Path,
    model: str | None = None,
    codec: str | None = None,
    kind: str | None = None,
    columns: Annotated[Columns, Parameter(name="*")] = Columns(),  # noqa: B008 - it is frozen
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    also: Literal["generate"] | None = None,
    said: Flags = UNSAID,
) -> None:
    """Learn one label for a sequence, or several, one on a scale, or a number; and how sure it is.

    Args:
        data: Tables (CSV, TSV, JSONL, Parquet) with a column of text and one of labels; or a folder, or a file, for
            each class; or text with fastText's labels. Or the name of a demo (see `ensue list demos`); with none, the
            demo `modules`.
        model: convolution, bidirectional, lstm, gru or another cell, bag; or one that is fitted instead of trained. See
            `ensue list models`.
        codec: What a step of text is: words, tokens (between blanks), characters, bytes or subwords.
        kind: What the data is, if that is not clear from its files and columns; see `ensue list kinds`.
        from_: Start from the codec and the weights of a run of `generate`, where they fit.
        also: Learn what comes next as well, from the same steps.
    """
    from ensue.cli.train.training import train

    own = {"kind": kind, "from_run": from_, "also": also}
    train("classify", data, said, model, codec=codec, **own, **dict(columns))
