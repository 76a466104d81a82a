"""What X may be: numbers in two or three dimensions, sequences of unequal length, texts, lists
of tokens."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import Any, Literal, TypeAlias

import numpy as np

from ensue.data.labelled import Content
from ensue.data.readers.series_file import VALUE
from ensue.data.tables.numbers import LARGEST

Form: TypeAlias = Literal["table", "sequences", "texts", "tokens"]
"""Numbers (samples, steps), which scikit-learn checks itself; numbers (samples, steps, channels),
or a list of them, (steps,) or (steps, channels), each as long as it is; strings; lists of strings.
"""

TOKEN = "token"
"""The field of the steps of lists of strings."""


def form_of(X: Any) -> Form:
    """Tell what X is; what is none of these is a table that scikit-learn refuses.

    >>> (form_of([[1, 2], [3, 4]]), form_of([[1, 2], [3]]), form_of(["a text"]),
    ...  form_of([["a", "list"]]))
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
    """Let lists pass. Raises ValueError for one text, which is a sample, and not as many as it
    has letters."""
    if isinstance(X, str | bytes):
        raise ValueError(
            f"X is one text, {X!r:.40}, and has to be a list of samples: give [X], or "
            f"[X.split()] for tokens"
        )
    if isinstance(X, PathLike):
        raise ValueError("X is a path; an estimator takes samples, and `ensue train` takes files")
    if hasattr(X, "columns"):
        first = zip(X.columns, np.asarray(X[:1]).ravel(), strict=False)
        if texts := [name for name, cell in first if isinstance(cell, str)]:
            raise ValueError(
                f"X is a data frame, of which one column holds the samples: give X[{texts[0]!r}]"
            )


def contents_of(X: Any, form: Form) -> list[Content]:
    """Give the samples as contents of examples. Raises ValueError that names the first that is
    none.

    >>> contents_of([[1, 2], [3]], "sequences")[1]["value"].tolist()
    [[3.0]]
    """
    refuse_one_text(X)
    read = {"texts": _text, "tokens": _tokens}.get(form, _numbers)
    return [read(row, place) for place, row in enumerate(X)]


def _text(row: Any, place: int) -> Content:
    if not isinstance(row, str) or not row.strip():
        raise ValueError(f"X[{place}] is {'an empty text' if isinstance(row, str) else 'no text'}")
    return row


def tokens_of(row: Iterable[Any], place: int) -> list[str]:
    """Give the tokens of a sample. Raises ValueError if there are none."""
    listed = hasattr(row, "__iter__") and not isinstance(row, str)
    tokens = [str(token) for token in row] if listed else []
    if not tokens:
        raise ValueError(
            f"X[{place}] is {'empty' if listed else f'{row!r:.40}'}, and not a list of tokens"
        )
    return tokens


def _tokens(row: Iterable[Any], place: int) -> Content:
    return {TOKEN: tokens_of(row, place)}


def _numbers(row: Any, place: int) -> Content:
    steps = np.asarray(row, np.float64)
    steps = steps[:, None] if steps.ndim == 1 else steps
    if steps.ndim != 2 or not steps.size:
        raise ValueError(
            f"X[{place}] has the shape {np.shape(row)}, which is neither (steps,) nor "
            f"(steps, channels)"
        )
    if np.isinf(steps).any():
        raise ValueError(f"X[{place}] contains infinity; NaN stands for what is missing")
    if (np.abs(steps) > LARGEST).any():
        raise ValueError(
            f"X[{place}] contains a number above {LARGEST:g}, whose square is infinite; scale X"
        )
    return {VALUE: steps}
