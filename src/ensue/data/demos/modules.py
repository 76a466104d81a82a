"""Lines of Python's own source, and the module each is from."""

import json
import sysconfig
from collections import Counter
from pathlib import Path

from ensue.errors import UserError

MODULES = (
    "argparse",
    "configparser",
    "difflib",
    "inspect",
    "mailbox",
    "pdb",
    "pickle",
    "tarfile",
    "turtle",
    "zipfile",
)
"""Long ones, about things of their own; of a package, what is in its first file."""

SHORTEST, MOST = 25, 500
"""Characters of a line that is worth a guess, and lines of each module."""


def module_lines() -> str:
    """Give lines that stand once in one of these modules alone, as many as that has, evenly from
    all of it."""
    folder = Path(sysconfig.get_path("stdlib"))
    sources = {module: _source(folder, module) for module in MODULES}
    lines = {
        module: [line.strip() for line in text.splitlines()]
        for module, text in sources.items()
        if text
    }
    if len(lines) < 2:
        raise UserError(
            "this Python comes without its source",
            where="demo modules",
            hint="give a file of your own",
        )
    counts = Counter(line for own in lines.values() for line in own)
    rows: list[str] = []
    for module, own in lines.items():
        told = [line for line in own if len(line) >= SHORTEST and counts[line] == 1]
        rows += [
            json.dumps({"line": line, "module": module})
            for line in told[:: max(len(told) // MOST, 1)][:MOST]
        ]
    return "\n".join(rows) + "\n"


def _source(folder: Path, module: str) -> str:
    """Give the source of a module, or nothing."""
    for path in (folder / f"{module}.py", folder / module / "__init__.py"):
        if path.exists():
            return path.read_text(encoding="utf-8", errors="replace")
    return ""
