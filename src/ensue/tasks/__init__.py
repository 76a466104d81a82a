"""One folder ties a verb together; `requests` says what each verb accepts.

Requests make the flags of the command line, whose help must not wait for torch. So the tasks
themselves are imported when they are used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ensue.tasks.catalogue import TASKS
    from ensue.tasks.contract import Choices, Proposal, Task

__all__ = ["TASKS", "Choices", "Proposal", "Task"]


def __getattr__(name: str) -> Any:
    """Import the tasks or their contract."""
    if name not in __all__:
        raise AttributeError(f"module 'ensue.tasks' has no attribute {name!r}")
    return getattr(
        import_module(f"ensue.tasks.{'catalogue' if name == 'TASKS' else 'contract'}"), name
    )
