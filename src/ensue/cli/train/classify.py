"""`ensue train classify`: learn one label for a sequence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from ensue.cli.train.columns import Columns
from ensue.cli.whole import Whole

app = App(name="classify")


@app.default
def classify(  # noqa: PLR0913 - each is a flag
    *data: Path,
    out: Path | None = None,
    model: str | None = None,
    codec: str | None = None,
    size: Literal["tiny", "small", "base", "large"] | None = None,
    minutes: float | None = None,
    epochs: Whole | None = None,
    seed: Whole | None = None,
    valid: Path | None = None,
    test: Path | None = None,
    set_: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    config: Path | None = None,
    kind: str | None = None,
    columns: Annotated[Columns, Parameter(name="*")] = Columns(),  # noqa: B008 - it is frozen
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    also: Literal["generate"] | None = None,
    show_settings: bool = False,
    json: bool = False,
) -> None:
    """Learn one label for a sequence, or several, one on a scale, or a number; and how sure it is.

    Args:
        data: Tables (CSV, TSV, JSONL, Parquet) with a column of text and one of labels; or a folder, or a file, for
            each class. Or the name of a demo (see `ensue list demos`); with none, the demo `modules`.
        out: Folder of the run that is written; run-1, run-2, ... if not given.
        model: convolution, bidirectional, lstm, gru or another cell, bag; or one that is fitted instead of trained. See
            `ensue list models`.
        codec: What a step of text is: words, characters, bytes or subwords.
        size: One dial for the size of the network.
        minutes: Time for training; 3 if neither this nor epochs is given.
        epochs: Passes over the training data, instead of minutes.
        seed: What every random choice follows from.
        valid: A file to choose on, instead of a part of the data.
        test: A file to report on, instead of a part of the data.
        set_: Change any setting: --set body.width=512. May be repeated.
        config: A TOML file of settings, as --show-settings prints them, or the run.toml of a run.
        kind: What the data is, if that is not clear from its files and columns; see `ensue list kinds`.
        from_: Start from the codec and the weights of a run of `generate`, where they fit.
        also: Learn what comes next as well, from the same steps.
        show_settings: Print every setting, filled in, and train nothing.
        json: Print one JSON object a line, for programs.
    """
    from ensue.cli.train.training import train
    from ensue.tasks import Choices

    choices = Choices(data, model, codec, size, minutes, epochs, seed, None, valid, test, config, set_)
    own = {"kind": kind, **dict(columns), "from_run": from_, "also": also}
    train("classify", choices, out, show_settings=show_settings, as_json=json, **own)
