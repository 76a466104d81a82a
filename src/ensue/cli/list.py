"""`ensue list`: what there is to choose from."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Literal

from cyclopts import App

from ensue.cli.tables import show_table
from ensue.errors import SettingError, did_you_mean

Kind = Literal["models", "cells", "heads"]

app = App(name="list", help="Show what there is to choose from.")


@app.default
def list_(kind: Kind, name: str | None = None, /) -> None:
    """Show what there is to choose from, or all about one of them.

    Parameters
    ----------
    kind
        What to list.
    name
        Tell all about this one.
    """
    catalogue = catalogue_of(kind)
    if name is None:
        show_table([kind, "is"], [[one, first_line(part)] for one, part in catalogue.items()])
    elif name in catalogue:
        print(whole_page(catalogue[name]))
    else:
        raise SettingError(f"{name!r} is not among the {kind}", where="list", mend=did_you_mean(name, catalogue))


def catalogue_of(kind: Kind) -> Mapping[str, Any]:
    """Give the catalogue of a kind; only those of networks load torch."""
    if kind == "cells":
        from ensue.cells import CELLS

        return CELLS
    if kind == "heads":
        from ensue.heads import HEADS

        return HEADS
    from ensue.layers import LAYERS

    return LAYERS


def first_line(part: Any) -> str:
    """Say what a part is, in the words with which its file begins."""
    return (sys.modules[part.__module__].__doc__ or "").partition("\n")[0]


def whole_page(part: Any) -> str:
    """Give what the file of a part says about it, and the part's own words."""
    return f"{(sys.modules[part.__module__].__doc__ or '').strip()}\n\n{(part.__doc__ or '').strip()}"
