"""Print the result of a training: scores, recommendation, warnings, commands to try next."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ensue.api import get_task
from ensue.cli.output import print_json, show_line
from ensue.cli.tables import show_table
from ensue.tasks.model_card import summarise
from ensue.training.folder.run import Run


def show_result(run: Run, as_json: bool) -> None:
    """Show the result of a run that has finished."""
    if as_json:
        print_json({"event": "result", **run.read_json("result.json")})
        return
    summary = summarise(run, get_task(run).report)
    sys.stderr.flush()
    print()
    show_table(summary.columns, summary.rows, title="On the test part:")
    show_line("\n" + "\n".join(summary.lines), lines=True)
    show_line(f"\nNext, try:\n{format_commands(summary.commands)}", lines=True)


def format_commands(commands: Sequence[tuple[str, str]]) -> str:
    """List commands, each with its purpose as a comment.

    >>> print(format_commands([("ensue doctor", "look"), ("ensue demo", "try")]))
      ensue doctor  # look
      ensue demo    # try
    """
    width = max(len(command) for command, _ in commands)
    return "\n".join(f"  {command.ljust(width)}  # {why}" for command, why in commands)
