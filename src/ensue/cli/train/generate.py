"""`ensue train generate`: learn what comes next in a text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from ensue.cli.whole import Whole

app = App(name="generate")


@app.default
def generate(  # noqa: PLR0913 - each is a flag
    *data: Path,
    out: Path | None = None,
    model: str | None = None,
    codec: str | None = None,
    size: Literal["tiny", "small", "base", "large"] | None = None,
    minutes: float | None = None,
    epochs: Whole | None = None,
    seed: Whole | None = None,
    device: str | None = None,
    valid: Path | None = None,
    test: Path | None = None,
    set_: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    config: Path | None = None,
    memory: str | None = None,
    show_settings: bool = False,
    json: bool = False,
) -> None:
    """Learn what comes next in a text, so as to write more of it.

    Args:
        data: Files or folders: text, or CSV, TSV, JSONL or Parquet with a column of text; also compressed by
            gzip or xz. Or the name of a demo (see `ensue list demos`); with none, the demo `text`.
        out: Folder of the run that is written; run-1, run-2, ... if not given.
        model: See `ensue list models` and `ensue list cells`; or the path of a Python file that defines a cell.
        codec: What a symbol is: characters, bytes, words or subwords.
        size: One dial for the size of the network.
        minutes: Time for training; 3 if neither this nor epochs is given.
        epochs: Passes over the training data, instead of minutes.
        seed: What every random choice follows from.
        device: Where to compute: cpu, cuda, cuda:1, mps or auto.
        valid: A file to choose on (early stopping, order, weights of the mixture), instead of a part of the
            data.
        test: A file to report on, instead of the end of the data.
        set_: Change any setting: --set body.width=512. May be repeated.
        config: A TOML file of settings, as --show-settings prints them, or the run.toml of a run.
        memory: What counting n-grams may take, such as 4G: a text that needs more is counted in runs on disk.
        show_settings: Print every setting, filled in, and train nothing.
        json: Print one JSON object a line, for programs.
    """
    from ensue.cli.train.training import train
    from ensue.tasks import Choices

    choices = Choices(data, model, codec, size, minutes, epochs, seed, device, valid, test, config, set_, memory)
    train("generate", choices, out, show_settings=show_settings, as_json=json)
