"""Forms of X: arrays in two or three dimensions, sequences of unequal length, texts, tokens."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import Any, Literal, TypeAlias

import numpy as np

from ensue.data.labelled import Content
from ensue.data.readers.series_file import VALUE
from ensue.data.tables.numbers import LARGEST

Form: TypeAlias = Literal["table", "sequences", "texts", "tokens"]
"""Form of X.

- table: numbers (samples, steps), which scikit-learn checks itself.
- sequences: numbers (samples, steps, channels), or a list of arrays (steps,) or (steps, channels).
- texts: a list of strings.
- tokens: a list of lists of strings.
"""

TOKEN = "token"
"""Name of the field that holds the tokens."""


def detect_form(X: Any) -> Form:
    """Detect the form of X; anything else is a table, which scikit-learn then refuses.

    >>> (detect_form([[1, 2], [3, 4]]), detect_form([[1, 2], [3]]), detect_form(["a text"]),
    ...  detect_form([["a", "list"]]))
    ('table', 'sequences', 'texts', 'tokens')
    """
    refuse_one_text(X)
    X = np.asarray(X) if hasattr(X, "__array__") and not hasattr(X, "shape") else X
    dimensions = len(getattr(X, "shape", (0,)))
    if dimensions != 1:
        strings = (
            isinstance(X, np.ndarray) and dimensions == 2 and X.size and isinstance(X[0, 0], str)
        )
        return "tokens" if strings else "sequences" if dimensions > 2 else "table"
    rows = list(X)
    if rows and isinstance(rows[0], str):
        return "texts"
    if not rows or not hasattr(rows[0], "__len__"):
        return "table"
    if any(isinstance(step, str) for step in rows[0][:1]):
        return "tokens"
    flat = all(np.ndim(step) == 0 for step in rows[0][:1]) and len({len(row) for row in rows}) == 1
    return "table" if flat else "sequences"


def refuse_one_text(X: Any) -> None:
    """Raise ValueError if X is a single text, a path or a data frame, and not a list of samples."""
    if isinstance(X, str | bytes):
        raise ValueError(
            f"X is one text, {X!r:.40}, and has to be a list of samples; give [X], or "
            f"[X.split()] for tokens"
        )
    if isinstance(X, PathLike):
        raise ValueError(
            "X is a path, and has to be a list of samples; use `ensue train` for files"
        )
    if hasattr(X, "columns"):
        first = zip(X.columns, np.asarray(X[:1]).ravel(), strict=False)
        if texts := [name for name, cell in first if isinstance(cell, str)]:
            raise ValueError(
                f"X is a data frame, and has to be one column of samples; give X[{texts[0]!r}]"
            )


def to_contents(X: Any, form: Form) -> list[Content]:
    """Convert samples to contents of examples. Raises ValueError for the first invalid sample.

    >>> to_contents([[1, 2], [3]], "sequences")[1]["value"].tolist()
    [[3.0]]
    """
    refuse_one_text(X)
    convert = {"texts": _to_text, "tokens": _to_token_steps}.get(form, _to_numbers)
    return [convert(row, place) for place, row in enumerate(X)]


def _to_text(row: Any, place: int) -> Content:
    if not isinstance(row, str) or not row.strip():
        raise ValueError(f"X[{place}] is {'an empty text' if isinstance(row, str) else 'no text'}")
    return row


def to_tokens(row: Iterable[Any], place: int) -> list[str]:
    """Convert a sample to tokens. Raises ValueError if there are none."""
    listed = hasattr(row, "__iter__") and not isinstance(row, str)
    tokens = [str(token) for token in row] if listed else []
    if not tokens:
        raise ValueError(
            f"X[{place}] is {'empty' if listed else f'{row!r:.40}'}, and has to be a list of tokens"
        )
    return tokens


def _to_token_steps(row: Iterable[Any], place: int) -> Content:
    return {TOKEN: to_tokens(row, place)}


def _to_numbers(row: Any, place: int) -> Content:
    steps = np.asarray(row, np.float64)
    steps = steps[:, None] if steps.ndim == 1 else steps
    if steps.ndim != 2 or not steps.size:
        raise ValueError(
            f"X[{place}] has the shape {np.shape(row)}, and has to be (steps,) or (steps, channels)"
        )
    if np.isinf(steps).any():
        raise ValueError(f"X[{place}] contains infinity; use NaN for a missing number")
    if (np.abs(steps) > LARGEST).any():
        raise ValueError(
            f"X[{place}] contains a number above {LARGEST:g}, whose square is infinite; scale X"
        )
    return {VALUE: steps}
