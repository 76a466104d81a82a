"""`ensue list`: the catalogues of tasks, models, cells, heads, codecs, formats and demos."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from inspect import cleandoc, getsource
from typing import Any, Literal

from cyclopts import App

from ensue.cells.contract import Cell
from ensue.cells.user import load_cell
from ensue.cli.output import show_line
from ensue.cli.tables import show_table
from ensue.errors import SettingError, did_you_mean

Catalogue = Literal["tasks", "models", "cells", "heads", "codecs", "formats", "demos"]

CATALOGUES = {
    "tasks": ("ensue.tasks", "VERBS"),
    "cells": ("ensue.cells", "CELLS"),
    "formats": ("ensue.data.readers.formats", "LABELLED"),
    "demos": ("ensue.data.demos", "DEMOS"),
}

app = App(name="list")


@app.default
def list_(catalogue: Catalogue, name: str | None = None, /) -> None:
    """List a catalogue, or describe one entry of it.

    Args:
        catalogue: Catalogue to list.
        name: Entry to describe; for cells also a Python file.
    """
    if catalogue == "cells" and name is not None and name.endswith(".py"):
        show_line(describe_cell(load_cell(name), name), lines=True)
        return
    parts = get_catalogue(catalogue)
    if name is None:
        if catalogue == "models":
            show_models()
        else:
            show_table(
                [catalogue, "description"], [[one, first_line(part)] for one, part in parts.items()]
            )
    elif name in parts:
        print(full_page(parts[name], as_source=catalogue == "cells"))
        if catalogue == "cells":
            print(f"\n{describe_cell(parts[name](), name)}")
    else:
        is_cell = catalogue == "models" and name in get_catalogue("cells")
        hint = (
            f"it is a cell: see `ensue list cells {name}`" if is_cell else did_you_mean(name, parts)
        )
        raise SettingError(f"{name!r} is not among the {catalogue}", where="list", hint=hint)


def get_catalogue(kind: Catalogue) -> Mapping[str, Any]:
    """Load a catalogue by its name."""
    if kind == "models":
        return {name: part for parts in load_models().values() for name, part in parts.items()}
    if kind == "heads":
        from ensue.heads import HEADS, LABEL_HEADS, TAG_HEADS
        from ensue.heads.numbers import NUMBERS

        return {**HEADS, **LABEL_HEADS, **TAG_HEADS, **NUMBERS}
    if kind == "codecs":
        from ensue.data.codecs import CODECS, CONTENT_SETTINGS

        return {**CODECS, **CONTENT_SETTINGS}
    module, catalogue = CATALOGUES[kind]
    return getattr(import_module(module), catalogue)


def load_models() -> dict[str, Mapping[str, Any]]:
    """Return the models of each verb."""
    from ensue.tasks import TASKS

    return {
        verb: {
            **{name: type(one) for name, one in task.models.others.items()},
            **task.models.parts,
            **task.models.layers,
        }
        for verb, task in TASKS.items()
    }


def show_models() -> None:
    """Print each model with the verbs that it supports."""
    verbs: dict[tuple[str, Any], list[str]] = {}
    for verb, parts in load_models().items():
        for model in parts.items():
            verbs.setdefault(model, []).append(verb)
    rows = [[name, ", ".join(of), first_line(part)] for (name, part), of in verbs.items()]
    show_table(["models", "for", "description"], rows)
    print("The name of a cell (`ensue list cells`) stands for a recurrent network of that cell.")


def describe_cell(cell: Cell, name: str) -> str:
    """Describe a cell: its programs forward and backward, and their cost."""
    from ensue.engine import trace
    from ensue.engine.describe import describe

    return describe(trace(cell, name))


def first_line(part: Any) -> str:
    """Return the description of a part, or the first paragraph of the docstring of its module."""
    return getattr(part, "description", None) or " ".join(_page(part).split("\n\n")[0].split())


def full_page(part: Any, as_source: bool) -> str:
    """Return the docstrings of a part; the source for a cell, because a cell is its equation."""
    if hasattr(part, "description"):
        return part.description
    own = getsource(part) if as_source else cleandoc(part.__doc__ or "")
    return f"{_page(part)}\n\n{own.rstrip()}"


def _page(part: Any) -> str:
    return (sys.modules[part.__module__].__doc__ or "").strip()
