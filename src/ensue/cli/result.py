"""What came out of a training: one table, one sentence, a sample with its novelty, and what to try next."""

from __future__ import annotations

import json
import shlex
import sys

from ensue.cli.machine import print_json
from ensue.cli.tables import show_table
from ensue.tasks.report import COLUMNS, cells
from ensue.training.run import Run


def show_result(run: Run, as_json: bool) -> None:
    """Show the result of a run that has finished."""
    result = json.loads(run.read("result.json"))
    if as_json:
        print_json({"event": "result", **result})
        return
    sys.stderr.flush()
    print()
    show_table(COLUMNS, cells(result["rows"]), title="On the test part:")
    print(f"\n{result['verdict'][:1].upper()}{result['verdict'][1:]}.")
    for symptom in result["symptoms"]:
        print(f"Look at this: {symptom}.")
    for sample in result["samples"][:1]:
        print(f"\nA sample:\n\n{sample['text']}\n")
        if sample["novelty"]:
            print(f"novelty: {sample['novelty']['sentence']}")
    print(f"\nNext, try:\n{next_commands(run)}")


def next_commands(run: Run) -> str:
    """Name the three commands to try next, for the run that was made."""
    name = shlex.quote(str(run.path))
    commands = [
        (f"ensue generate {name} --temperature 0.8 --novelty", "write more, and see what of it is copied"),
        (f"ensue evaluate {name} FILE --surprising 10", "score a text of your own, and find what is odd in it"),
        ("ensue train generate FILE --minutes 3", "learn from a text of your own"),
    ]
    width = max(len(command) for command, _ in commands)
    return "\n".join(f"  {command.ljust(width)}  # {why}" for command, why in commands)
