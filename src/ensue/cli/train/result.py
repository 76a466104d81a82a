"""What came out of a training: one table, one sentence, what the task has to say, and what to
try next."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ensue.api import task_of
from ensue.cli.output import print_json, show_line
from ensue.cli.tables import show_table
from ensue.training.folder.run import Run


def show_result(run: Run, as_json: bool) -> None:
    """Show the result of a run that has finished."""
    if as_json:
        print_json({"event": "result", **run.read_json("result.json")})
        return
    told = task_of(run).summarise(run)
    sys.stderr.flush()
    print()
    show_table(told.columns, told.rows, title="On the test part:")
    show_line("\n" + "\n".join(told.lines), lines=True)
    show_line(f"\nNext, try:\n{as_list(told.commands)}", lines=True)


def as_list(commands: Sequence[tuple[str, str]]) -> str:
    """Write commands one below the other, and what each is for.

    >>> print(as_list([("ensue doctor", "look"), ("ensue demo", "try")]))
      ensue doctor  # look
      ensue demo    # try
    """
    width = max(len(command) for command, _ in commands)
    return "\n".join(f"  {command.ljust(width)}  # {why}" for command, why in commands)
