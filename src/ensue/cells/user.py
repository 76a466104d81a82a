"""Cells defined in a user's Python file such as this; `--set cell=mine.py` trains it.

class Mine(Cell):
    states = ("h",)
    gates = ("forget", "candidate")

    def equation(self, gate, state, weight):
        forget = sigmoid(gate.forget)
        return {"h": forget * state.h + (1 - forget) * tanh(gate.candidate)}
"""

from __future__ import annotations

import ast
import linecache
from pathlib import Path
from typing import Any

from ensue.cells.algebra import FUNCTIONS
from ensue.cells.contract import Cell, Gates, Names, Stage
from ensue.cells.equations import as_user_error, check_equations, quote
from ensue.errors import UserError


def load_cell(path: str | Path) -> Cell:
    """Execute a Python file and return the one Cell that it defines, its equations checked.

    Cell, Stage and the functions of the algebra are defined in the file without an import. Raises
    UserError with file and line if the file is missing or not Python, defines no Cell or several,
    or has a wrong equation.
    """
    file = str(path)
    space = _run(file)
    found = [
        value
        for value in space.values()
        if isinstance(value, type)
        and issubclass(value, Cell)
        and value.__module__ == space["__name__"]
    ]
    if len(found) != 1:
        several = f"there are {len(found)} cells: {', '.join(kind.__name__ for kind in found)}"
        what = several if found else "there is no cell"
        raise UserError(what, where=file, hint="define one class that inherits from Cell")
    if found[0].__abstractmethods__:
        what = f"{found[0].__name__} has no equation"
        raise UserError(what, where=file, hint="write a method `equation`")
    try:
        cell = found[0]()
    except Exception as error:
        raise as_user_error(error, file) from None
    check_equations(cell, file)
    return cell


def _run(file: str) -> dict[str, Any]:
    try:
        source = Path(file).read_text(encoding="utf-8")
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise UserError(what, where=file, hint="give the path of a Python file") from None
    except UnicodeDecodeError:
        what = "is not UTF-8 text"
        raise UserError(what, where=file, hint="give the path of a Python file") from None
    space: dict[str, Any] = {"__name__": "cell_of_a_person", "__file__": file, **FUNCTIONS}
    space |= {"Cell": Cell, "Stage": Stage, "Gates": Gates, "Names": Names}
    linecache.checkcache(file)
    try:
        exec(compile(source, file, "exec"), space)
    except SyntaxError as error:
        raise quote(error.msg, (file, error.lineno or 1), file, "correct the syntax") from None
    except (Exception, SystemExit) as error:
        raise as_user_error(error, file) from None
    _check_keys(ast.parse(source), file)
    return space


def _check_keys(tree: ast.AST, file: str) -> None:
    """Refuse a dict with a repeated key: Python would silently keep the last value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            keys = [key for key in node.keys if isinstance(key, ast.Constant)]
            names = [key.value for key in keys]
            for key in keys:
                if names.count(key.value) > 1:
                    raise quote(
                        f"{key.value!r} is given twice",
                        (file, key.lineno),
                        file,
                        "give each its own name",
                    )
