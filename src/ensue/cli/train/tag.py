"""`ensue train tag`: learn one label for every word of a sentence."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from ensue.cli.train.options import DEFAULTS, Flags

app = App(name="tag")


@app.default
def tag(
    *data: Path,
    model: str | None = None,
    column: str | None = None,
    word: str | None = None,
    tokens: str | None = None,
    tags: str | None = None,
    vectors: Path | None = None,
    said: Flags = DEFAULTS,
) -> None:
    """Learn one label for every word of a sentence: word classes, names of people and places.

    Args:
        data: Files or folders: CoNLL-U; columns of CoNLL-2000 or CoNLL-2003; a word and its tag by
            tab; JSON Lines with a list of tokens and one of tags; also compressed. Or the name of a
            demo; with none, the demo `tokens`.
        model: lstm, gru or another cell, read both ways; convolution; onward; hmm; frequent.
        column: The column of the tags: in CoNLL-U upos, xpos, ...; else its number from 1, or its
            name in the first line.
        word: The column of the words: its number from 1, or its name in the first line.
        tokens: JSON Lines: the name of the list of words.
        tags: JSON Lines: the name of the list of tags.
        vectors: Vectors of words to start from, as word2vec or GloVe write them as text.
    """
    from ensue.cli.train.training import train

    train(
        "tag",
        data,
        said,
        model,
        column=column,
        word=word,
        tokens=tokens,
        tags=tags,
        vectors=vectors,
    )
