"""`ensue list`: what there is to choose from."""

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

Kind = Literal["tasks", "models", "cells", "heads", "codecs", "kinds", "demos"]

CATALOGUES = {
    "tasks": ("ensue.tasks", "TASKS"),
    "cells": ("ensue.cells", "CELLS"),
    "kinds": ("ensue.data.readers.formats", "LABELLED"),
    "demos": ("ensue.data.demos", "DEMOS"),
}

app = App(name="list")


@app.default
def list_(kind: Kind, name: str | None = None, /) -> None:
    """Show what there is to choose from, or all about one of them: of a cell, what the engine makes
    of it.

    Args:
        kind: What to list.
        name: Tell all about this one; a cell may be a Python file.
    """
    if kind == "cells" and name is not None and name.endswith(".py"):
        show_line(programs_of(load_cell(name), name), lines=True)
        return
    catalogue = catalogue_of(kind)
    if name is None:
        if kind == "models":
            show_models()
        else:
            show_table(
                [kind, "what it is"], [[one, first_line(part)] for one, part in catalogue.items()]
            )
    elif name in catalogue:
        print(whole_page(catalogue[name], as_source=kind == "cells"))
        if kind == "cells":
            print(f"\n{programs_of(catalogue[name](), name)}")
    else:
        is_cell = kind == "models" and name in catalogue_of("cells")
        hint = (
            f"it is a cell: see `ensue list cells {name}`"
            if is_cell
            else did_you_mean(name, catalogue)
        )
        raise SettingError(f"{name!r} is not among the {kind}", where="list", hint=hint)


def catalogue_of(kind: Kind) -> Mapping[str, Any]:
    """Give the catalogue of a kind; each is loaded when it is asked for."""
    if kind == "models":
        return {name: part for parts in models().values() for name, part in parts.items()}
    if kind == "heads":
        from ensue.heads import HEADS, LABEL_HEADS, TAG_HEADS
        from ensue.heads.numbers import NUMBERS

        return {**HEADS, **LABEL_HEADS, **TAG_HEADS, **NUMBERS}
    if kind == "codecs":
        from ensue.data.codecs import CODECS, CONTENT_SETTINGS

        return {**CODECS, **CONTENT_SETTINGS}
    module, catalogue = CATALOGUES[kind]
    return getattr(import_module(module), catalogue)


def models() -> dict[str, Mapping[str, Any]]:
    """Give the models of each verb."""
    from ensue.layers import ENCODERS, LAYERS
    from ensue.models.classifiers import CLASSIFIERS
    from ensue.models.forecasters import FORECASTERS
    from ensue.models.ngram import Ngram
    from ensue.models.taggers import TAGGERS

    both_ways = {"classify": {**ENCODERS, **CLASSIFIERS}, "tag": {**ENCODERS, **TAGGERS}}
    return {"generate": {"ngram": Ngram, **LAYERS}, **both_ways, "forecast": FORECASTERS}


def show_models() -> None:
    """Print each model with the verbs that it can learn."""
    verbs: dict[tuple[str, Any], list[str]] = {}
    for verb, parts in models().items():
        for model in parts.items():
            verbs.setdefault(model, []).append(verb)
    rows = [[name, ", ".join(of), first_line(part)] for (name, part), of in verbs.items()]
    show_table(["models", "for", "what it is"], rows)
    print("A cell's name (see `ensue list cells`) stands for a recurrent network of it.")


def programs_of(cell: Cell, name: str) -> str:
    """Give what the engine makes of a cell."""
    from ensue.engine import trace
    from ensue.engine.describe import describe

    return describe(trace(cell, name))


def first_line(part: Any) -> str:
    """Say what a part is: in its own words, or those with which its file begins."""
    return getattr(part, "description", None) or _page(part).partition("\n")[0]


def whole_page(part: Any, as_source: bool) -> str:
    """Give all that a part says about itself; a cell is its equation, so it is given as it is
    written."""
    if hasattr(part, "description"):
        return part.description
    own = getsource(part) if as_source else cleandoc(part.__doc__ or "")
    return f"{_page(part)}\n\n{own.rstrip()}"


def _page(part: Any) -> str:
    return (sys.modules[part.__module__].__doc__ or "").strip()
