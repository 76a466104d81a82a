"""Trace the methods of a cell once, on symbols, and report mistakes with their line."""

from __future__ import annotations

import inspect
import linecache
import re
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from math import isfinite
from types import MethodType

from ensue.cells.algebra import FUNCTIONS, Expr, Gate, Scalar, lift
from ensue.cells.contract import Cell, Gates, Names, Stage
from ensue.errors import UserError, did_you_mean

Line = tuple[str, int]
"""A file and a line number; 0 for none."""


def check_equations(cell: Cell, home: str) -> list[dict[str, Expr]]:
    """Return the results of each stage by name; `home` is the cell's file, or name, for errors.

    Raises UserError, with the line, on the first mistake.
    """
    _check_kinds(cell, home)
    stages = cell.all_stages()
    _check_names(cell, stages, home)
    readable = {name: Expr("state", detail=name) for name in cell.states}
    weight = Names(
        "there is no weight", {name: Expr("weight", detail=name) for name in cell.weights}
    )
    given: list[dict[str, Expr]] = []
    for stage in stages:
        if stage.of is not None and stage.of not in readable:
            what = f"stage {stage.name!r} multiplies {stage.of!r}, which is not defined"
            raise quote(what, "stages", home, did_you_mean(stage.of, readable))
        results = _write(cell, stage, Names("there is no state", readable), weight, home)
        _check_unique(
            "result", [*readable, *(name for name in results if name not in cell.states)], home
        )
        _check_unique("state", [name for part in [*given, results] for name in part], home)
        readable |= {
            name: Expr("result", detail=name) for name in results if name not in cell.states
        }
        given.append(results)
    for name in cell.states:
        if not any(name in results for results in given):
            hint = f"let the equation return it, as in {{{name!r}: ...}}"
            raise quote(f"the state {name!r} is never assigned", "states", home, hint)
    for name in given[-1]:
        if name not in cell.states:
            line = _end_of(getattr(cell, stages[-1].name))
            raise quote(f"{name!r} is not a state", line, home, did_you_mean(name, cell.states))
    return given


def quote(what: str, line: Line | str, home: str, hint: str | None = None) -> UserError:
    """Build an error that quotes its line, or the line that assigns an attribute.

    Only lines of the cell's own file are quoted.
    """
    file, number = find_line(line, home) if isinstance(line, str) else line
    source = linecache.getline(file, number).strip() if file == home else ""
    if not source:
        return UserError(what, where=home, hint=hint)
    return UserError(f"{what} in `{source}`", where=f"{home}:{number}", hint=hint)


def find_line(attribute: str, home: str) -> Line:
    """Find the line `attribute = ...` in a cell's file."""
    for number in count(1):
        text = linecache.getline(home, number)
        if not text:
            return home, 0
        if re.search(rf"(^|;)\s*{attribute}\s*[:=]", text):
            return home, number
    raise AssertionError("a file has an end")


def _end_of(method: MethodType) -> Line:
    """Return the last line of a method, which is its return."""
    code = method.__code__
    return code.co_filename, max(line for _, _, line in code.co_lines() if line)


def _check_kinds(cell: Cell, home: str) -> None:
    """Refuse attributes of a wrong type."""
    if not getattr(cell, "states", ()):
        what = "the cell has no states"
        raise UserError(what, where=home, hint='name them, as in states = ("h",)')
    for kind in ("states", "gates", "weights"):
        names = getattr(cell, kind)
        if not isinstance(names, tuple | list) or not all(map(_is_name, names)):
            like = (names,) if isinstance(names, str) else ("one", "two")
            raise quote(
                f"{kind} is not a list of names", kind, home, f"list them, as in {kind} = {like!r}"
            )
    if not all(isinstance(stage, Stage) for stage in cell.stages):
        raise quote("stages are not made by Stage(...)", "stages", home)
    starts = cell.bias.values() if isinstance(cell.bias, Mapping) else [None]
    if not all(isinstance(start, int | float) and isfinite(start) for start in starts):
        hint = 'write it as in bias = {"forget": 1.0}'
        raise quote("bias is not a finite number for each gate", "bias", home, hint)
    if cell.own_width is not None and (not isinstance(cell.own_width, int) or cell.own_width < 1):
        raise quote("own_width is not a positive integer", "own_width", home)
    if cell.recurrence not in WAYS:
        hint = did_you_mean(str(cell.recurrence), WAYS)
        raise quote(f"{cell.recurrence!r} is not an initialisation", "recurrence", home, hint)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isidentifier()


WAYS = ("orthogonal", "identity")
RESERVED = ("state", "weight", "zone")
"""Stage names that would clash with other parameters, which are called STAGE/input and the like."""


def _check_names(cell: Cell, stages: Iterable[Stage], home: str) -> None:
    gates = [name for stage in stages for name in stage.gates]
    _check_unique("state", cell.states, home)
    _check_unique("gate", gates, home)
    _check_unique("weight", cell.weights, home)
    _check_unique("stage", [stage.name for stage in stages], home)
    for stage in stages:
        if stage.name in RESERVED:
            raise quote(
                f"a stage cannot be called {stage.name!r}", "stages", home, "give it another name"
            )
    for name in cell.bias:
        if name not in gates:
            what = f"bias names the unknown gate {name!r}"
            raise quote(what, "bias", home, did_you_mean(name, gates))


def _check_unique(kind: str, names: Iterable[str], home: str) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            line = f"{kind}s" if find_line(f"{kind}s", home)[1] else "stages"
            raise quote(f"the {kind} name {name!r} is repeated", line, home, "give each its own")


def _write(cell: Cell, stage: Stage, state: Names, weight: Names, home: str) -> dict[str, Expr]:
    method: Callable[[Gates, Names, Names], Mapping[str, Scalar]] | None = getattr(
        cell, stage.name, None
    )
    if not inspect.ismethod(method):
        what = f"there is no method for the stage {stage.name!r}"
        raise quote(what, "stages", home, "write one of that name")
    end = _end_of(method)
    try:
        gates = Names("this stage has no gate", {name: Gate(name) for name in stage.gates})
        returned = method(gates, state, weight)
    except Exception as error:
        raise as_user_error(
            error, home, (method.__code__.co_filename, method.__code__.co_firstlineno)
        ) from None
    if not isinstance(returned, Mapping):
        raise quote("the method does not return a dict", end, home, "return one, as in {'h': ...}")
    try:
        results = {str(name): lift(value) for name, value in returned.items()}
    except UserError as error:
        raise quote(error.what, end, home, error.hint) from None
    for part in list_parts(results.values()):
        if part.op == "gate.h" and stage.of is None:
            raise quote(f"gate.{part.detail}.h is read, but the stage is of nothing", end, home)
        if part.op == "gate.x" and not stage.reads:
            raise quote(f"gate.{part.detail}.x is read, but the stage does not read x", end, home)
    return results


def list_parts(expressions: Iterable[Expr]) -> list[Expr]:
    """Return all subexpressions, each once, arguments first."""
    seen: dict[int, Expr] = {}
    pending = [(expression, False) for expression in reversed(list(expressions))]
    while pending:
        expression, ready = pending.pop()
        if id(expression) in seen:
            continue
        if ready:
            seen[id(expression)] = expression
        else:
            pending += [(expression, True), *((arg, False) for arg in reversed(expression.args))]
    return list(seen.values())


def as_user_error(error: BaseException, home: str, otherwise: Line = ("", 0)) -> UserError:
    """Convert an error to a UserError that quotes the line of the user's own file.

    `otherwise` is the line to quote if no frame of that file is in the traceback.
    """
    frames = traceback.extract_tb(error.__traceback__)
    lines = [(home, frame.lineno) for frame in frames if frame.filename == home and frame.lineno]
    what, hint = f"{type(error).__name__}: {error}", None
    if isinstance(error, UserError):
        what, hint = error.what, error.hint
    elif isinstance(error, NameError) and error.name:
        what, hint = f"{error.name!r} is not defined", did_you_mean(str(error.name), FUNCTIONS)
    elif isinstance(error, AttributeError) and isinstance(error.obj, Gate | Expr):
        what, hint = f"an expression has no {error.name!r}", "a gate has the parts .x and .h"
    return quote(what, lines[-1] if lines else otherwise, home, hint)
