"""Train, resume and open runs from Python; the command line calls these functions."""

from __future__ import annotations

import json
import re
import shlex
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from ensue.atomic_io import AGAIN, DISK_FULL, HINT, disk_error, format_errors
from ensue.data.labelled import LabelledReader
from ensue.data.tables.rows import read_frame_rows
from ensue.errors import (
    DataError,
    Interrupted,
    RunError,
    SettingError,
    UserError,
    did_you_mean,
    for_python,
    in_python,
)
from ensue.models.names import is_network
from ensue.settings import Settings, read_arguments, read_stored, to_plain, to_python
from ensue.tasks import TASKS, Choices, Proposal, Task
from ensue.tasks.in_memory import as_path
from ensue.tasks.proposal import with_budget
from ensue.training.contract import Callback, Event, Note
from ensue.training.devices import choose_device
from ensue.training.fit import reopen
from ensue.training.folder.run import ABOUT, WEIGHTS, Run
from ensue.training.notes import with_notes
from ensue.training.settings import TrainingOptions

KINDS = {"text": "text", "steps": "sequences of records"}
"""Kinds of data of a verb, in words."""


def silent(event: Event) -> None:
    """Ignore an event of a training."""


def find_task(name: str) -> Task:
    """Find a task by its verb. Raises SettingError that suggests the nearest."""
    if not isinstance(name, str) or name not in TASKS:
        raise SettingError(f"unknown task {name!r}", hint=did_you_mean(str(name), TASKS))
    return TASKS[name]


def train(
    task: str,
    *data: Any,
    out: str | Path | None = None,
    settings: Sequence[str] = (),
    on_event: Callback = silent,
    **choices: Any,
) -> Any:
    """Train a model, as `ensue train TASK DATA...` does, and return it ready to use.

    `data` are paths, or data frames that narwhals supports (pandas, polars, ...). Tasks that
    predict also take one reader of examples, such as `InMemoryReader(contents, labels)`.
    `choices` are the options of every training (size, minutes, epochs, seed, device, config) and
    the task's own, such as model, codec, valid and test: the long flags of `ensue train TASK
    --help`. `settings` are strings as after `--set`.
    `on_event` is called with every event of the training.
    Without `out` the run is in a temporary folder until `save`.
    Raises UserError for invalid data or settings.
    """
    known, settings = find_task(task), [settings] if isinstance(settings, str) else settings
    reader = next((one for one in data if isinstance(one, LabelledReader)), None)
    files = [one for one in data if not isinstance(one, LabelledReader)]
    paths = [
        as_path(one, "data") if isinstance(one, str | Path) else _save_frame(one) for one in files
    ]
    frames = [
        path for path, one in zip(paths, files, strict=True) if not isinstance(one, str | Path)
    ]

    def on_named_event(event: Event) -> None:
        on_event(Note(_name_frames(event.text, frames)) if isinstance(event, Note) else event)

    try:
        proposal = known.propose(make_choices(known, paths, {"assignments": settings, **choices}))
        folder = (
            as_path(out, "out")
            if out is not None
            else Path(tempfile.mkdtemp(prefix="ensue-")) / task
        )
        return start(known, proposal, paths, folder, on_named_event if frames else on_event, reader)
    except RunError as error:
        error.args = (for_python(str(error)),)  # its cause, and what it says of the disk, stay
        raise
    except UserError as error:
        raise error.rewrite(lambda part: for_python(_name_frames(part, frames))) from None


def _name_frames(text: str, frames: Sequence[Path]) -> str:
    """Replace the files and lines of saved data frames in a message by frames and rows."""
    for number, path in enumerate(frames, 1):
        name = "the data frame" if len(frames) == 1 else f"data frame {number}"
        line = re.compile(rf"{re.escape(str(path))}(?::(\d+))?")
        text = line.sub(lambda found: name + f", row {found[1]}" * bool(found[1]), text)  # noqa: B023 - called at once
    return text


def _save_frame(frame: Any) -> Path:
    """Save a data frame as a JSONL file that a run can read. Raises DataError if it is none."""
    rows = read_frame_rows(frame)
    first = next(rows, None)
    if first is None:
        raise DataError("the data frame has no rows", where="frame", hint="give one with rows")
    path = Path(tempfile.mkdtemp(prefix="ensue-")) / "frame.jsonl"
    with path.open("wb") as file:
        for row in chain([first], rows):
            line = json.dumps(row, ensure_ascii=False)
            try:
                file.write(line.encode() + b"\n")
            except UnicodeEncodeError:
                # A lone surrogate: escaped, so that the reader refuses it with its line number.
                file.write(json.dumps(row).encode() + b"\n")
    return path


def make_choices(task: Task, data: Sequence[Path], given: Mapping[str, Any]) -> Choices:
    """Sort keywords into the fields of Choices and the task's own flags; None means not given.

    Raises SettingError for a name that is neither.
    """
    flags = task.flags
    known = {*TrainingOptions.model_fields, "assignments", *flags}
    if unknown := sorted(given.keys() - known):
        raise SettingError(f"unknown option {unknown[0]!r}", hint=did_you_mean(unknown[0], known))
    paths = {"config", *(name for name, flag in flags.items() if flag.path)}
    there = {
        name: as_path(value, name) if name in paths else to_python(value)
        for name, value in given.items()
        if value is not None
    }
    named: dict[str, Any] = {name: there[name] for name in there.keys() & Choices.model_fields}
    own = {name: there[name] for name in flags if name in there.keys() - Choices.model_fields}
    own = {name: str(value) if name in paths else value for name, value in own.items()}
    return read_arguments(Choices, {**named, "data": data, "flags": own})


def start(
    task: Task,
    proposal: Proposal,
    data: Sequence[Path],
    folder: Path,
    on_event: Callback,
    reader: LabelledReader | None = None,
) -> Any:
    """Start a run in a new or empty folder, and train in it.

    The folder is removed if data or settings are invalid. A `reader` gives examples that are in
    no files.
    """
    settings = proposal.settings
    task = task.of(to_plain(settings))
    about = {
        "task": task.name,
        "sources": [str(path) for path in data],
        "settings": to_plain(settings),
    }
    run = Run.create(folder, about)
    with run:
        try:
            for reason in proposal.reasons:
                with_notes(run, on_event)(Note(reason))
            if reader is not None:
                if task.prepare is None:
                    raise SettingError(
                        f"{task.name} trains on files only", where="data", hint="name some"
                    )
                task.prepare(run, settings, reader)
            return _train_in(run, task, settings, data, on_event)
        except BaseException as error:
            wrong_input = isinstance(error, DataError | SettingError)
            if run.checkpoint() is None and (wrong_input or not run.has(WEIGHTS)):
                run.discard()
            raise


def _train_in(
    run: Run, task: Task, settings: Settings, data: Sequence[Path], on_event: Callback
) -> Any:
    """Train, and add to an error how to resume from what was saved.

    If a step after the training fails, the run holds the trained model, and the error says so.
    """
    try:
        return task.train(run, settings, data, with_notes(run, on_event))
    except Interrupted:
        raise
    except KeyboardInterrupt:
        if run.checkpoint() is None and not run.has(WEIGHTS):
            raise
        raise Interrupted(
            f"interrupted; resume from the last checkpoint with `{run.resuming}`"
        ) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            error = disk_error(error, Path(error.filename or tempfile.gettempdir()))
        if isinstance(error, RunError) and error.disk:
            raise _with_resume_hint(run, error) from None
        if not _has_trained(run) or (
            isinstance(error, DataError | SettingError) and run.checkpoint() is None
        ):
            raise
        what = (
            f"the model is trained and saved, but a step after the training failed: "
            f"{_as_clause(error)}"
        )
        hint = (
            f"use it with `{shlex.join(['ensue', task.name, str(run.path)])}`, or finish "
            f"with `{run.resuming}`"
        )
        raise RunError(what, where=str(run.path), hint=hint) from error


def _with_resume_hint(run: Run, error: RunError) -> RunError:
    """Add how to resume to an error of the disk, if anything was saved."""
    if not (run.path / ABOUT).exists():  # the training may have written parts of it again
        hint = "train again, or restore the folder and use `ensue resume`"
        return RunError(
            "the folder of the run was removed while it trained", where=str(run.path), hint=hint
        )
    if run.checkpoint() is None and not run.has(WEIGHTS):
        return error
    hint = (error.hint or "").removesuffix(f", {AGAIN}")
    hint = f"{hint}, then resume from the last checkpoint with `{run.resuming}`"
    return RunError(error.what, where=error.where, hint=hint)


def _has_trained(run: Run) -> bool:
    """Whether the run holds a model whose training has finished."""
    checkpoint = run.checkpoint()
    return run.has(WEIGHTS) if checkpoint is None else checkpoint.state.finished


def _as_clause(error: Exception) -> str:
    """Write an error in one line: a UserError unchanged, a bug with its place in the code."""
    if isinstance(error, UserError):
        return " ".join(str(error).split())
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return "this machine has too little memory for it"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"{' '.join(f'{type(error).__name__}: {error}'.split())} "
        f"({Path(place.filename).name}:{place.lineno})"
    )


@in_python()
def resume(
    folder: str | Path,
    *,
    minutes: float | None = None,
    epochs: int | None = None,
    device: str | None = None,
    on_event: Callback = silent,
) -> Any:
    """Resume a run that was interrupted or killed, or train a finished one for longer.

    `minutes` or `epochs` are the new budget of a finished run. A `device` other than the first is
    reported in a note, for results are not bit-identical there.
    Raises RunError if the run has finished and no budget is given.
    """
    given = {"minutes": minutes, "epochs": epochs, "device": device}
    choices = read_arguments(Choices, given)
    with Run.resume(as_path(folder, "resume")) as run:
        task = get_task(run)
        settings: Any = _read_settings(run, task)
        checkpoint = run.checkpoint()
        finished = run.has(task.results[-1]) and (checkpoint is None or checkpoint.state.finished)
        network = is_network(settings.model)
        if finished and (not network or (minutes is None and epochs is None)):
            use = f"use it with `{shlex.join(['ensue', task.name, str(folder)])}`"
            more = (
                "train longer with --minutes or --epochs"
                if network
                else "train another: a model fitted in closed form cannot train longer"
            )
            raise RunError("the training has finished", where=str(folder), hint=f"{use}, or {more}")
        if not finished and (minutes is not None or epochs is not None):
            hint = "resume it without a budget; a finished run can train longer"
            raise RunError("the training has not finished", where=str(folder), hint=hint)
        if finished and checkpoint is None:
            hint = "restore the folder checkpoint from a copy, or train again"
            raise RunError("the run has no checkpoint to resume from", where=str(folder), hint=hint)
        settings = with_budget(settings, choices)
        if network:
            choose_device(settings.training.hardware)  # before anything of the run is changed
        run.describe({"settings": to_plain(settings)})
        if finished:
            reopen(run)
            if "scored" in run.about:
                run.describe({"scored": {}})  # the new budget decides again how much is scored
        run.remove(*task.results)
        return _train_in(
            run, task, settings, [Path(path) for path in run.about["sources"]], on_event
        )


@in_python()
def open(folder: str | Path, task: str | None = None, kind: str | None = None) -> Any:
    """Open the trained model of a run.

    Raises RunError if it is missing, damaged, of another version, or not of that task or of that
    kind of data.
    """
    run = Run.open(as_path(folder, "open"))
    known = get_task(run)
    trained = known.name
    if task not in (None, trained):
        hint = f"use it with `{shlex.join(['ensue', trained, str(folder)])}`"
        raise RunError(
            f"the run was trained to {trained}, not to {task}", where=str(folder), hint=hint
        )
    settings = _read_settings(run, known)
    trained_on = getattr(settings, "kind", "text")
    if kind not in (None, trained_on):
        found, needed = KINDS[trained_on], KINDS[kind or trained_on]
        what = f"the run is over {found}, and this needs one over {needed}"
        raise RunError(what, where=str(folder), hint="give another run")
    return known.open(run, settings)


def get_task(run: Run) -> Task:
    """Get the task that a run was trained for. Raises RunError if it is unknown."""
    name, where = run.about.get("task"), str(run.path / ABOUT)
    if not isinstance(name, str) or name not in TASKS:
        raise RunError(f"the run is of no known task ({name!r:.60})", where=where, hint=HINT)
    with format_errors(where):
        _ = [Path(one) for one in run.about["sources"]]
        data = run.about.get("data", {})
        tables = {"settings": run.about.get("settings"), "data": data}
        if data:
            tables |= {"data.files": data["files"], "data.symbols": data.get("symbols", {})}
        for key, one in tables.items():
            if not isinstance(one, Mapping):
                raise TypeError(f"{key!r} is no table")
    return TASKS[name].of(run.about.get("settings"))


def _read_settings(run: Run, task: Task) -> Any:
    return read_stored(task.settings, run.about.get("settings"), str(run.path / ABOUT))
