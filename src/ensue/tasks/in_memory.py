"""Check data given in Python: a string is one example, or one path, never its letters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from ensue.errors import DataError, SettingError, with_article

STDIN = Path("-")
"""The standard input, where a file may be given."""


def name_source(given: Any) -> str:
    """Name the source of data in a message: a file or folder, or else "the data"."""
    return str(given) if isinstance(given, Path) else "the data"


def as_text(given: Any, where: str) -> str:
    """Return a string, or bytes of UTF-8, as text. Raises DataError for anything else.

    >>> as_text(b"caf\\xc3\\xa9", "prompt")
    'café'
    """
    if isinstance(given, bytes | bytearray):
        try:
            return bytes(given).decode()
        except UnicodeDecodeError as error:
            what = f"byte 0x{given[error.start]:02X} is not UTF-8"
            hint = "decode the bytes first: text.decode(encoding)"
            raise DataError(what, where=where, hint=hint) from None
    if isinstance(given, str):
        return str(given)
    if isinstance(given, PathLike):
        raise DataError("a path is not a text", where=where, hint="give path.read_text()")
    what = f"{with_article(type(given).__name__)} is not a text"
    raise DataError(what, where=where, hint="give a string")


def as_lines(given: Any, where: str) -> str:
    r"""Return a text with the line ends of files that were read: CRLF and CR are line feeds.

    >>> as_lines("one\r\ntwo\r", "prompt")
    'one\ntwo\n'
    """
    return as_text(given, where).replace("\r\n", "\n").replace("\r", "\n")


def as_path(given: Any, where: str) -> Path:
    """Return a path. Raises SettingError for anything that is none."""
    if isinstance(given, str | PathLike) and isinstance(fspath(given), str) and str(given):
        return Path(given)
    what = (
        "it is empty"
        if isinstance(given, str)
        else f"{with_article(type(given).__name__)} is not a path"
    )
    raise SettingError(what, where=where, hint="give a path")


def as_examples(given: Any, where: str) -> list[Any]:
    """Return a list of examples; one text or one mapping is one example. Raises DataError.

    >>> as_examples("a film", "classify"), as_examples(["a film", b"two"], "classify")
    (['a film'], ['a film', 'two'])
    """
    if isinstance(given, str | bytes | bytearray | Mapping):
        given = [given]
    elif hasattr(given, "columns"):
        hint = "give its column with the texts: frame['text']"
        what = f"{with_article(type(given).__name__)} is not a list of examples"
        raise DataError(what, where=where, hint=hint)
    elif isinstance(given, PathLike) or not isinstance(given, Iterable):
        kind = "path" if isinstance(given, PathLike) else type(given).__name__
        what = f"{with_article(kind)} is not a list of examples"
        hint = "give a text, or a list of examples"
        raise DataError(what, where=where, hint=hint)
    return [as_text(one, where) if isinstance(one, bytes | bytearray) else one for one in given]


def as_paths(given: Any) -> list[Path]:
    """Return one path, or several, as a list. Raises DataError for anything else.

    >>> as_paths("a.csv") == as_paths([Path("a.csv")]) == [Path("a.csv")]
    True
    """
    several = [given] if isinstance(given, str | PathLike) else given
    if isinstance(several, Iterable) and not isinstance(several, bytes | bytearray | Mapping):
        listed = list(several)
        if all(isinstance(one, str | PathLike) for one in listed):
            return [as_path(one, "evaluate") for one in listed]
    what = f"{with_article(type(given).__name__)} is not a list of files"
    raise DataError(what, where="evaluate", hint="give paths of files")


def as_columns(given: Any, where: str) -> dict[str, Any]:
    """Check column names by role. Raises SettingError for anything else."""
    if isinstance(given, Mapping):
        several = {name: [one] if isinstance(one, str) else one for name, one in given.items()}
        if all(
            isinstance(names, list | tuple) and all(isinstance(one, str) and one for one in names)
            for names in several.values()
        ):
            return dict(given)
    hint = "give names by role, such as columns={'label': 'mood'}"
    raise SettingError("columns are not names by role", where=where, hint=hint)
