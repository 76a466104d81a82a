"""Integer flags, which refuse 1.5 where the parser would round it, and flags made from requests."""

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


def _show_default(value: Any) -> str | None:
    """Return a default for the help; one that stands for nothing given is not shown."""
    return None if value is None or value is False or value == "" else str(value)


Integer: TypeAlias = Annotated[int, Parameter(converter=_read)]
FLAGS = Parameter(name="*", show_default=_show_default)
"""Annotates the request of a command: each of its fields is a flag."""
