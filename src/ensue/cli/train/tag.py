"""`ensue train tag`: train a tagger of words."""

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
    options: Flags = DEFAULTS,
) -> None:
    """Train a tagger of words, such as parts of speech or named entities.

    Args:
        data: Tagged sentences (CoNLL-U, CoNLL columns, TSV, JSON Lines), or a demo; by default the
            demo `tokens`.
        model: Model: lstm, gru or another cell, convolution, recurrent, hmm, most-frequent-tag.
        column: Tag column: upos, xpos, ... in CoNLL-U; otherwise its number from 1 or its name.
        word: Word column: its number from 1 or its name in the header.
        tokens: Key of the list of words in JSON Lines.
        tags: Key of the list of tags in JSON Lines.
        vectors: Pretrained word vectors in the text format of word2vec or GloVe.
    """
    from ensue.cli.train.training import train

    train(
        "tag",
        data,
        options,
        model,
        column=column,
        word=word,
        tokens=tokens,
        tags=tags,
        vectors=vectors,
    )
