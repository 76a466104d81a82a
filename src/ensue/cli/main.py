"""The command `ensue`: one verb a file, and the boundary at which errors become a line and an exit
code.

Nothing here, and nothing that it imports, loads torch: `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from cyclopts import App, Parameter
from cyclopts.exceptions import CycloptsError
from pydantic import ValidationError

import ensue
from ensue.atomic_io import DISK_FULL, disk_error
from ensue.errors import Interrupted, UserError
from ensue.escape import for_terminal
from ensue.native import SlowerWarning

DONE, BUG, WRONG_INPUT, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 130, 141

AS_PYTHON_SAYS = warnings.formatwarning

app = App(
    name="ensue",
    version=ensue.__version__,
    suppress_keyboard_interrupt=False,
    help="""Train small models of what comes next on your own data, and use them.

    Start with `ensue demo`, or with a text of your own: `ensue train generate FILE --out RUN`.""",
    default_parameter=Parameter(negative=(), show_default=False),
)
# By name, so that a command is imported only when it is used.
VERBS = {
    "train": "Learn a verb from data.",
    "resume": "Go on with a training that was interrupted or killed.",
    "generate": "Write more of what a run has learned.",
    "classify": "Say of texts or other sequences what they are.",
    "tag": "Say of every word of a text what it is.",
    "forecast": "Say what comes next in series of numbers, with intervals.",
    "evaluate": (
        "Score a text in nats and bits; or examples, by how often a run is right, or how far "
        "it is off."
    ),
    "compare": "Compare runs: settings that differ, metrics with intervals, time and size.",
    "inspect": "Measure what the state of a run remembers.",
    "export": "Write a run's n-gram as an ARPA file.",
    "check": "Look at data: what it is, how it is read, and what is wrong with it, by line.",
    "demo": "Train on embedded data for about a minute, and show what comes out.",
    "doctor": "Show versions, devices and kernels, and test that training works here.",
    "list": (
        "Show what there is to choose from: tasks, models, cells, heads, codecs, kinds of "
        "data, demos."
    ),
}
for verb, about in VERBS.items():
    app.command(f"ensue.cli.{verb}:app", name=verb, help=about)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; give its exit code: 0 done, 2 wrong input, 130 interrupted, 1 our bug."""
    _mend_streams()
    warnings.formatwarning = _in_one_line
    try:
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except UserError as error:
        given = list(sys.argv[1:] if arguments is None else arguments)
        takes_settings = given[:1] in (["train"], ["check"])
        return _complain(str(error if takes_settings else error.without_flag_hint()), WRONG_INPUT)
    except CycloptsError as error:
        return _complain(_as_line(error), WRONG_INPUT)
    except Interrupted as stop:
        return _complain(str(stop), INTERRUPTED)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        _drop_output()  # whoever read it has enough
        return PIPE_CLOSED
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            _drop_output()
            return _complain(
                str(disk_error(error, Path(error.filename or "the output"))), WRONG_INPUT
            )
        if _is_out_of_memory(error):
            hint = "make the model, the batch or what is asked for smaller"
            return _complain(f"this machine has too little memory for that; {hint}", WRONG_INPUT)
        print(for_terminal(traceback.format_exc(), lines=True), end="", file=sys.stderr)
        return _complain("this is our bug, not yours; please report the lines above", BUG)
    return code if isinstance(code, int) else DONE


def _mend_streams() -> None:
    """Print to nowhere where a stream was closed, and escape what an encoding lacks, as
    `\\u65e5`."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for the whole process
        elif isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Let what is not yet written go; without this, the interpreter complains when it flushes at
    exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _in_one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """Say a warning of ours as our errors are said; others show where they come from."""
    ours = category is SlowerWarning
    return (
        f"ensue: {for_terminal(str(message))}\n"
        if ours
        else AS_PYTHON_SAYS(message, category, filename, lineno, line)
    )


def _complain(line: str, code: int) -> int:
    print(f"ensue: {for_terminal(line)}", file=sys.stderr)
    return code


def _is_out_of_memory(error: Exception) -> bool:
    """Tell it from a bug; torch has an error of its own on a GPU, and only words for it on a
    CPU."""
    named = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    return isinstance(error, MemoryError) or named


def _as_line(error: CycloptsError) -> str:
    """Say what is wrong with a command line, and where its options are listed."""
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ValidationError):
        detail = cause.errors()[0]
        flag = str(detail["loc"][0]).replace("_", "-")
        text = f"--{flag} cannot be {detail['input']!r:.60}: {detail['msg'].lower()}"
    else:
        text = " ".join(str(error).split()).rstrip(".")
    command = " ".join(["ensue", *(error.command_chain or ())])
    return f"{text}; see `{command} --help`"
