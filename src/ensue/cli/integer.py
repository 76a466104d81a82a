"""A whole number as it is typed: 1.5 is none, where the parser by itself would round it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

from cyclopts import Parameter, Token


def _read(_kind: Any, tokens: Sequence[Token]) -> int:
    text = tokens[0].value
    try:
        return int(text)
    except ValueError:
        raise ValueError(f'"{text}" is no whole number') from None


Integer: TypeAlias = Annotated[int, Parameter(converter=_read)]
