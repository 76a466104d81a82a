"""Demo of Python source: the standard library of this Python."""

import sysconfig
from collections.abc import Iterator
from pathlib import Path

from ensue.errors import UserError

MOST = 2_000_000
"""Maximum number of characters; modules are not cut."""


def read_code() -> str:
    """Return top-level modules of the standard library in alphabetical order.

    At most MOST characters.
    """
    texts: list[str] = []
    for _, text in read_modules():
        if sum(map(len, texts)) + len(text) > MOST:
            break
        texts.append(text.strip("\n"))
    return "\n\n\n".join(texts) + "\n"


def read_modules() -> Iterator[tuple[str, str]]:
    """Yield the name and source of each top-level module in alphabetical order.

    Raises UserError if Python comes without its source.
    """
    found = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    if not found:
        what = "this Python comes without its source"
        raise UserError(what, where="demo", hint="try the demo text")
    for module in found:
        yield module.stem, module.read_text(encoding="utf-8", errors="replace")
