"""One file ties a verb together."""

from ensue.tasks.contract import Choices, Proposal, Task
from ensue.tasks.generate import Generate

TASKS: dict[str, Task] = {task.name: task for task in (Generate(),)}

__all__ = ["TASKS", "Choices", "Proposal", "Task"]
