"""Run the methods of a cell once, on symbols, and tell a person what is wrong with what they wrote."""

from __future__ import annotations

import inspect
import linecache
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from ensue.cells.algebra import FUNCTIONS, Expr, Gate, Scalar, lift
from ensue.cells.contract import Cell, Gates, Names, Stage
from ensue.errors import UserError, did_you_mean


def equations_of(cell: Cell, home: str) -> list[dict[str, Expr]]:
    """Give, for each stage of the cell, what it gives by name; `home` is the file, or name, of the cell for errors.

    Raises UserError, with the line, on the first mistake.
    """
    if not getattr(cell, "states", ()):
        raise UserError("the cell has no states", where=home, mend='name them, as in states = ("h",)')
    stages = cell.all_stages()
    _check_names(cell, stages, home)
    readable = {name: Expr("state", detail=name) for name in cell.states}
    weight = Names("weight", {name: Expr("weight", detail=name) for name in cell.weights})
    given: list[dict[str, Expr]] = []
    for stage in stages:
        if stage.of is not None and stage.of not in readable:
            known = did_you_mean(stage.of, readable)
            raise UserError(f"stage {stage.name!r} is of {stage.of!r}, which nothing gives", where=home, mend=known)
        results = _write(cell, stage, Names("state", readable), weight, home)
        _check_unique("result", [*readable, *(name for name in results if name not in cell.states)], home)
        _check_unique("state", [name for part in [*given, results] for name in part], home)
        readable |= {name: Expr("result", detail=name) for name in results if name not in cell.states}
        given.append(results)
    for name in cell.states:
        if not any(name in results for results in given):
            mend = f"let the equation return it, as in {{{name!r}: ...}}"
            raise UserError(f"the state {name!r} is never assigned", where=home, mend=mend)
    return given


def _check_names(cell: Cell, stages: Iterable[Stage], home: str) -> None:
    gates = [name for stage in stages for name in stage.gates]
    _check_unique("state", cell.states, home)
    _check_unique("gate", gates, home)
    _check_unique("weight", cell.weights, home)
    _check_unique("stage", [stage.name for stage in stages], home)
    for name in cell.bias:
        if name not in gates:
            raise UserError(f"bias is for the gate {name!r}, which is none", where=home, mend=did_you_mean(name, gates))


def _check_unique(kind: str, names: Iterable[str], home: str) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise UserError(f"the {kind} name {name!r} is used twice", where=home, mend="give each its own")


def _write(cell: Cell, stage: Stage, state: Names, weight: Names, home: str) -> dict[str, Expr]:
    method: Callable[[Gates, Names, Names], Mapping[str, Scalar]] | None = getattr(cell, stage.name, None)
    if method is None:
        raise UserError(f"there is no method for the stage {stage.name!r}", where=home, mend="write one of that name")
    place = f"{home}:{method.__code__.co_firstlineno}" if inspect.ismethod(method) else home
    try:
        results = {name: lift(value) for name, value in method(Gates(stage.gates), state, weight).items()}
    except Exception as error:
        raise as_user_error(error, home) from None
    for part in parts_of(results.values()):
        if part.op == "gate.h" and stage.of is None:
            raise UserError(f"gate.{part.detail}.h is read, but the stage is of nothing", where=place)
        if part.op == "gate.x" and not stage.reads:
            raise UserError(f"gate.{part.detail}.x is read, but the stage does not read x", where=place)
    return results


def parts_of(expressions: Iterable[Expr]) -> list[Expr]:
    """Give every expression inside some expressions, each once, arguments before what they are arguments of."""
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


def as_user_error(error: Exception | SystemExit, home: str) -> UserError:
    """Say what went wrong in the person's own file, quoting the line."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == home]
    quote = linecache.getline(home, lines[-1]).strip() if lines and lines[-1] else ""
    where = f"{home}:{lines[-1]}" if lines else home
    what, mend = f"{type(error).__name__}: {error}", None
    if isinstance(error, UserError):
        what, mend = error.what, error.mend
    elif isinstance(error, NameError):
        what, mend = f"{error.name!r} is unknown", did_you_mean(str(error.name), FUNCTIONS)
    elif isinstance(error, AttributeError) and isinstance(error.obj, Gate | Expr):
        what, mend = f"an expression has no {error.name!r}", "a gate has the parts .x and .h"
    return UserError(f"{what} in `{quote}`" if quote else what, where=where, mend=mend)
