"""Arguments of commands: integers (1.5 is refused, not rounded), requests, and data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from cyclopts import Parameter, Token

from ensue.tasks import Verb


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
Typed: TypeAlias = Annotated[str, Parameter(allow_leading_hyphen=True)]
"""A file or folder, a text, or - for standard input; `read_data` decides which."""


def read_data(typed: str, out: Path | None, verb: Verb) -> Path | str:
    """Return a path for the name of a file or folder and for -, and a text as it is.

    One word that ends as files of the verb do is the name of a file. Raises
    DataError if there is no such file, no text, or the output `out` would overwrite the data.
    """
    from ensue.data.files import existing_path, get_suffix, refuse_undecoded
    from ensue.errors import DataError
    from ensue.tasks.in_memory import STDIN

    if typed == str(STDIN):
        return STDIN
    refuse_undecoded(typed, verb.name)
    if path := existing_path(typed):
        if out and path.resolve() in (out.resolve(), *out.resolve().parents):
            what, hint = "the output would overwrite the data", "name another file with --out"
            raise DataError(what, where=str(out), hint=hint)
        return path
    if not typed.strip():
        raise DataError("the text is empty", where=verb.name, hint="give some text, or a file")
    suffix, endings = get_suffix(Path(typed)), verb.check.endings
    if len(typed.split()) == 1 and (suffix in endings if endings else suffix):
        hint = "check the spelling; a text of one word can be given by way of -"
        raise DataError("there is no such file", where=typed, hint=hint)
    return typed
