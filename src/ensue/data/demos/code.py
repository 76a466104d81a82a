"""Python source that every Python brings along: its standard library."""

import sysconfig
from pathlib import Path

from ensue.errors import UserError

MOST = 2_000_000
"""Characters; a module is never cut."""


def write_code(path: Path) -> None:
    """Write top-level modules of the standard library, sorted by their names, up to two million characters."""
    texts: list[str] = []
    for module in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = module.read_text(encoding="utf-8", errors="replace")
        if sum(map(len, texts)) + len(text) > MOST:
            break
        texts.append(text.strip("\n"))
    if not texts:
        raise UserError("this Python comes without its source", where="demo code", mend="try the demo text")
    path.write_text("\n\n\n".join(texts) + "\n", encoding="utf-8", newline="\n")
