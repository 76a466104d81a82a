"""All verbs, one folder each. Read `verb.py` before adding one.

Verbs make the flags and the help of the command line, which must not wait for torch. So the tasks
themselves are imported when they are used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ensue.tasks.verb import Verb

if TYPE_CHECKING:
    from ensue.tasks.contract import Choices, Proposal, Task

    TASKS: dict[str, Task]
    """All tasks, by their verbs."""

__all__ = ["TASKS", "VERBS", "Choices", "Proposal", "Task", "Verb"]

NAMES = (
    "generate",
    "classify",
    "tag",
    "forecast",
)
VERBS: dict[str, Verb] = {name: import_module(f"ensue.tasks.{name}").VERB for name in NAMES}
"""All verbs, by their names."""


def __dir__() -> list[str]:
    """Name what is public, and loaded when it is asked for."""
    return __all__


def __getattr__(name: str) -> Any:
    """Import the tasks or their contract."""
    if name not in __all__:
        raise AttributeError(f"module 'ensue.tasks' has no attribute {name!r}")
    if name == "TASKS":
        return {verb: one.task for verb, one in VERBS.items()}
    return getattr(import_module("ensue.tasks.contract"), name)
