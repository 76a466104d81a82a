"""The places of rows for messages, as "file:line"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray


class Places(Sequence[str]):
    """A place for each row: a common beginning and a number, joined when a message names it.

    >>> import numpy as np
    >>> places = Places("a.csv:", np.array([2, 3, 5]))
    >>> places[1], list(places[1:])
    ('a.csv:3', ['a.csv:3', 'a.csv:5'])
    """

    def __init__(self, begin: str, numbers: NDArray[Any]) -> None:
        self.begin, self.numbers = begin, numbers

    def __getitem__(self, at: Any) -> Any:
        found = self.numbers[at]
        return Places(self.begin, found) if found.ndim else f"{self.begin}{found}"

    def __len__(self) -> int:
        return len(self.numbers)
