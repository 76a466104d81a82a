"""Entry point of the command line: dispatch to one module a verb, and turn errors into exit codes.

Nothing here, and nothing that it imports, loads torch: `--help` answers at once.
"""

from __future__ import annotations

import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from io import TextIOWrapper
from itertools import pairwise
from pathlib import Path

from cyclopts import App, Parameter
from cyclopts.exceptions import CycloptsError
from pydantic import ValidationError

import ensue
from ensue.atomic_io import DISK_FULL, disk_error
from ensue.errors import Interrupted, UserError, on_command_line
from ensue.escape import for_terminal
from ensue.native import SlowerWarning
from ensue.tasks import VERBS

DONE, BUG, WRONG_INPUT, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 130, 141

PYTHON_FORMAT = warnings.formatwarning

app = App(
    name="ensue",
    version=ensue.__version__,
    suppress_keyboard_interrupt=False,
    help="""Train small sequence models on your own data, compare them with baselines, and use them.

    Start with `ensue demo`, or with a text of your own: `ensue train generate FILE --out RUN`.""",
    default_parameter=Parameter(negative=(), show_default=False),
)
# By name, so that a command is imported only when it is used.
COMMANDS = {
    "train": "Train a model on your data.",
    "resume": "Resume a training that was interrupted or killed.",
    **{name: verb.help for name, verb in VERBS.items()},
    "evaluate": "Evaluate a run: likelihood of a text; accuracy, F1 or error on labelled data.",
    "compare": "Compare runs: settings that differ, metrics with intervals, time and size.",
    "inspect": "Measure how much context a model uses.",
    "export": "Export the n-gram model of a run as an ARPA file.",
    "check": "Check data files: format, figures and problems by line.",
    "demo": "Train on embedded data for about a minute.",
    "doctor": "Show versions, devices and kernels, and test that training works here.",
    "list": "List tasks, models, cells, heads, codecs, formats or demos.",
}
for command, about in COMMANDS.items():
    own = find_spec(f"ensue.cli.{command}")
    place = f"ensue.cli.{command}:app" if own else f"ensue.cli.answer:{command}"
    app.command(place, name=command, help=about)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    0: done. 1: a bug of ensue. 2: wrong input. 130: interrupted. 141: the pipe was closed.
    """
    _prepare_streams()
    given = list(sys.argv[1:] if arguments is None else arguments)
    warnings.formatwarning = _format_warning
    try:
        _refuse_empty(given)
        with on_command_line():
            code = app(
                arguments, exit_on_error=False, print_error=False, result_action="return_value"
            )
        sys.stdout.flush()
    except UserError as error:
        takes_settings = given[:1] in (["train"], ["check"])
        return _complain(str(error if takes_settings else error.without_flag_hint()), WRONG_INPUT)
    except CycloptsError as error:
        return _complain(_find_dashed(given) or _usage_message(error), WRONG_INPUT)
    except Interrupted as stop:
        return _complain(str(stop), INTERRUPTED)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        _drop_output()  # The reader, such as `head`, has closed the pipe.
        return PIPE_CLOSED
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            _drop_output()
            return _complain(
                str(disk_error(error, Path(error.filename or "the output"))), WRONG_INPUT
            )
        if _is_out_of_memory(error):
            hint = "use a smaller model, batch or request"
            return _complain(f"out of memory; {hint}", WRONG_INPUT)
        print(for_terminal(traceback.format_exc(), lines=True), end="", file=sys.stderr)
        return _complain("this is a bug in ensue; please report the lines above", BUG)
    return code if isinstance(code, int) else DONE


def _refuse_empty(given: Sequence[str]) -> None:
    """Raise UserError for an empty argument: as a path it would be the working folder.

    The verbs themselves take texts too, and name an empty one in words of their own.
    """
    if given[:1] and given[0] in VERBS:
        return
    for before, argument in pairwise(["", *given]):
        if not argument and not before.startswith("-"):
            hint = 'is a variable of the shell empty? the working folder is "."'
            raise UserError("an argument is empty", hint=hint)


def _prepare_streams() -> None:
    """Replace closed streams, and escape characters that the encoding of a stream lacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for the whole process
        elif isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Discard unwritten output, so that the interpreter does not fail when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _format_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """Format warnings of ensue like its errors; other warnings keep Python's format."""
    ours = category is SlowerWarning
    if ours:
        return f"ensue: {for_terminal(str(message))}\n"
    return PYTHON_FORMAT(message, category, filename, lineno, line)


def _complain(line: str, code: int) -> int:
    print(f"ensue: {for_terminal(line)}", file=sys.stderr)
    return code


def _is_out_of_memory(error: Exception) -> bool:
    """Recognise out-of-memory errors.

    torch has an exception for them on a GPU; on a CPU only the text of a RuntimeError shows it.
    """
    named = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    return isinstance(error, MemoryError) or named


def _find_dashed(given: Sequence[str]) -> str | None:
    """Return the error for a file whose name was read as an option, or None without one."""
    if not (files := [one for one in given if one[:1] == "-" and Path(one).exists()]):
        return None
    hint = f"write {shlex.quote(f'./{files[0]}')}"
    return f"{files[0]}: a file whose name begins with - is read as an option; {hint}"


def _usage_message(error: CycloptsError) -> str:
    """Format an error in the command line, with the help command that lists the options."""
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ValidationError):
        detail = cause.errors()[0]
        flag = str(detail["loc"][0]).replace("_", "-")
        text = f"--{flag} cannot be {detail['input']!r:.60}: {detail['msg'].lower()}"
    else:
        text = " ".join(str(error).split()).rstrip(".")
    command = " ".join(["ensue", *(error.command_chain or ())])
    return f"{text}; see `{command} --help`"
