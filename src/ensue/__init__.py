"""ensue: small models of what comes next, trained on your own data.

>>> import ensue
>>> ensue.__version__
'0.1.0'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ensue.api import open, resume, train

__version__ = "0.1.0"
__all__ = ["__version__", "open", "resume", "train"]

ROOMS = ("cells", "engine", "heads", "layers", "models", "sklearn", "testing")
"""Packages that are loaded when they are asked for."""


def __dir__() -> list[str]:
    """Name what is public, and loaded when it is asked for."""
    return sorted({*__all__, *ROOMS})


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is asked for: the command line's help must not wait for
    torch."""
    if name in ("open", "resume", "train"):
        return getattr(import_module("ensue.api"), name)
    if name in ROOMS:
        return import_module(f"ensue.{name}")
    raise AttributeError(f"module 'ensue' has no attribute {name!r}")
