"""Demo of lines of Python source, labelled with their modules."""

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
"""Long modules on distinct subjects; for a package, its `__init__.py`."""

SHORTEST, MOST = 25, 500
"""Minimum number of characters in a line, and maximum number of lines of a module."""


def read_module_lines() -> str:
    """Return lines that occur once in a single module, spread evenly over it."""
    folder = Path(sysconfig.get_path("stdlib"))
    sources = {module: _read_source(folder, module) for module in MODULES}
    lines = {
        module: [line.strip() for line in text.splitlines()]
        for module, text in sources.items()
        if text
    }
    if len(lines) < 2:
        what = "this Python comes without its source"
        raise UserError(what, where="demo modules", hint="give a file of your own")
    counts = Counter(line for own in lines.values() for line in own)
    rows: list[str] = []
    for module, own in lines.items():
        chosen = [line for line in own if len(line) >= SHORTEST and counts[line] == 1]
        rows += [
            json.dumps({"line": line, "module": module})
            for line in chosen[:: max(len(chosen) // MOST, 1)][:MOST]
        ]
    return "\n".join(rows) + "\n"


def _read_source(folder: Path, module: str) -> str:
    """Return the source of a module; empty if there is none."""
    for path in (folder / f"{module}.py", folder / module / "__init__.py"):
        if path.exists():
            return path.read_text(encoding="utf-8", errors="replace")
    return ""
