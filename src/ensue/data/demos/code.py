"""Python source that every Python brings along: its standard library."""

import sysconfig
from collections.abc import Iterator
from pathlib import Path

from ensue.errors import UserError

MOST = 2_000_000
"""Characters; a module is never cut."""


def code() -> str:
    """Give top-level modules of the standard library, sorted by their names, up to two million
    characters."""
    texts: list[str] = []
    for _, text in modules():
        if sum(map(len, texts)) + len(text) > MOST:
            break
        texts.append(text.strip("\n"))
    return "\n\n\n".join(texts) + "\n"


def modules() -> Iterator[tuple[str, str]]:
    """Give the name and the source of each top-level module, sorted. Raises UserError where
    Python has no source."""
    found = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    if not found:
        raise UserError(
            "this Python comes without its source", where="demo", hint="try the demo text"
        )
    for module in found:
        yield module.stem, module.read_text(encoding="utf-8", errors="replace")
