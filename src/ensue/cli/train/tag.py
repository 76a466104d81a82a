"""`ensue train tag`: learn one label for every word of a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from ensue.cli.whole import Whole

app = App(name="tag")


@app.default
def tag(  # noqa: PLR0913 - each is a flag
    *data: Path,
    out: Path | None = None,
    model: str | None = None,
    size: Literal["tiny", "small", "base", "large"] | None = None,
    minutes: float | None = None,
    epochs: Whole | None = None,
    seed: Whole | None = None,
    device: str | None = None,
    valid: Path | None = None,
    test: Path | None = None,
    column: str | None = None,
    tokens: str | None = None,
    tags: str | None = None,
    vectors: Path | None = None,
    set_: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    config: Path | None = None,
    show_settings: bool = False,
    json: bool = False,
) -> None:
    """Learn one label for every word of a sentence: word classes, names of people and places.

    Args:
        data: Files or folders: CoNLL-U; columns of CoNLL-2000 or CoNLL-2003; a word and its tag by tab; JSON Lines with
            a list of tokens and one of tags; also compressed. Or the name of a demo; with none, the demo `tokens`.
        out: Folder of the run that is written; run-1, run-2, ... if not given.
        model: lstm, gru or another cell, read both ways; convolution; onward; hmm; frequent.
        size: One dial for the size of the network.
        minutes: Time for training; 3 if neither this nor epochs is given.
        epochs: Passes over the training data, instead of minutes.
        seed: What every random choice follows from.
        device: Where to compute: cpu, cuda, cuda:1, mps or auto.
        valid: A file to choose on, instead of a part of the data.
        test: A file to report on, instead of a part of the data.
        column: The column of the tags: in CoNLL-U upos, xpos, ...; else its number from 1, the last if not given.
        tokens: JSON Lines: the name of the list of words.
        tags: JSON Lines: the name of the list of tags.
        vectors: Vectors of words to start from, as word2vec or GloVe write them as text.
        set_: Change any setting: --set body.width=256. May be repeated.
        config: A TOML file of settings, as --show-settings prints them, or the run.toml of a run.
        show_settings: Print every setting, filled in, and train nothing.
        json: Print one JSON object a line, for programs.
    """
    from ensue.cli.train.training import train
    from ensue.tasks import Choices

    choices = Choices(data, model, None, size, minutes, epochs, seed, device, valid, test, config, set_)
    own = {"column": column, "tokens": tokens, "tags": tags, "vectors": vectors}
    train("tag", choices, out, show_settings=show_settings, as_json=json, **own)
