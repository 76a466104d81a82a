"""All tasks, by their verbs."""

from ensue.tasks.classify import CLASSIFY
from ensue.tasks.contract import Task
from ensue.tasks.forecast import FORECAST
from ensue.tasks.generate import GENERATE
from ensue.tasks.tag import TAG

TASKS: dict[str, Task] = {task.name: task for task in (GENERATE, CLASSIFY, TAG, FORECAST)}
