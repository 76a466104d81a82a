"""One file ties a verb together."""

from ensue.tasks.classify import Classify
from ensue.tasks.contract import Choices, Proposal, Task
from ensue.tasks.forecast import ForecastTask
from ensue.tasks.generate import Generate
from ensue.tasks.tag import Tag

TASKS: dict[str, Task] = {task.name: task for task in (Generate(), Classify(), Tag(), ForecastTask())}

__all__ = ["TASKS", "Choices", "Proposal", "Task"]
