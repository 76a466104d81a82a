"""`ensue train classify`: train a classifier of sequences."""

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
    options: Flags = DEFAULTS,
) -> None:
    """Train a classifier, with calibrated probabilities and prediction sets.

    Labels may be multiclass, multilabel, ordinal or numeric.

    Args:
        data: Labelled tables (CSV, TSV, JSONL, Parquet), a folder per class, fastText files, or a
            demo; by default the demo `modules`.
        model: Model, such as convolution, lstm, embedding-bag or nbsvm; see `ensue list models`.
        codec: Tokenisation of text: words, tokens (split at blanks), characters, bytes or subwords.
        format: Format of the data if it is not recognised; see `ensue list formats`.
        pretrained: Run of `generate` whose codec and matching weights initialise the model.
        auxiliary: Auxiliary loss: lm adds a language model's loss (multi-task training).
    """
    from ensue.cli.train.training import train

    own = {"format": format, "pretrained": pretrained, "auxiliary": auxiliary}
    train("classify", data, options, model, codec=codec, **own, **dict(columns))
