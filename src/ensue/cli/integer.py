"""Integer flags: 1.5 is refused, where the parser by itself would round it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

from cyclopts import Parameter, Token


def _read(_kind: Any, tokens: Sequence[Token]) -> int:
    text = tokens[0].value
    try:
        return int(text)
    except ValueError:
        raise ValueError(f'"{text}" is not an integer') from None


Integer: TypeAlias = Annotated[int, Parameter(converter=_read)]
