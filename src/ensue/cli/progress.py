"""Progress of a training: a live line on a terminal, plain lines in a file, JSON for programs."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import get_terminal_size
from threading import Event as ThreadEvent
from threading import Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from ensue.cli.output import print_json
from ensue.escape import for_terminal
from ensue.training.contract import Callback, Event, Note, Progress, Reading, Sample, Stage, Working

if TYPE_CHECKING:
    from ensue.data.contract import Finding
    from ensue.settings import Settings
    from ensue.tasks.contract import Trained

T = TypeVar("T")
PLAIN_SECONDS = 6.0
"""Minimum time between two plain lines of progress; validations are always printed."""
SILENT_SECONDS = 1.0
"""Time without an event after which the current activity and its duration are printed again."""


READING = Working("reading the data")


def follow(as_json: bool) -> Callback:
    """Create the event callback: JSON on the standard output, else lines on the standard error."""
    if as_json:
        return _to_json
    return Live(sys.stderr) if sys.stderr.isatty() else Plain(sys.stderr)


def follow_answer(data: str = "") -> Callback:
    """Create the event callback of commands whose answer is on the standard output.

    Activity is shown on a terminal only, and not while a person types the `data` there.
    """
    typing = data == "-" and sys.stdin.isatty()
    return Live(sys.stderr) if sys.stderr.isatty() and not typing else _notes


def _notes(event: Event) -> None:
    if isinstance(event, Note | Stage):
        print(for_terminal(event.text), file=sys.stderr)


def _to_json(event: Event) -> None:
    _notes(event)
    if not isinstance(event, Reading | Stage | Working):
        print_json({"event": type(event).__name__.lower(), **dataclasses.asdict(event)})


class BufferedProgress:
    """Buffer notes until the data is read, so that wrong input is answered in one line.

    Progress of slow reading is passed on at once. A model fitted in closed form may send no other
    event: `release` passes on what is still buffered at the end.
    """

    def __init__(self, on_event: Callback) -> None:
        self.on_event, self.started, self.reading = on_event, False, False
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        """Pass on the event and all buffered events, or buffer it."""
        if isinstance(event, Reading):
            self.reading = event.done < event.total
        if (
            isinstance(event, Reading)
            or event == READING
            or (self.reading and isinstance(event, Note))
        ):
            self.on_event(event)
            return
        self.events.append(event)
        self.started = self.started or not isinstance(event, Note)
        if self.started:
            self.release()

    def release(self) -> None:
        """Pass on all buffered events."""
        while self.events:
            self.on_event(self.events.pop(0))


class Heartbeat:
    """Pass events on, and repeat the current activity while none comes.

    Kernels send no event for minutes. As a context manager it starts a thread that checks every
    second.
    """

    def __init__(self, on_event: Callback) -> None:
        self.on_event, self.activity, self.line = on_event, "starting", "starting"
        self.since = self.last = monotonic()
        self._lock, self._done = Lock(), ThreadEvent()
        self._thread = Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        if isinstance(self.on_event, Live):
            self.on_event.clear()

    def __call__(self, event: Event) -> None:
        """Pass on an event and remember its activity."""
        with self._lock:
            activity = _activity(event)
            if activity is not None:
                self.since = self.since if activity == self.activity else monotonic()
                self.activity, self.line = (
                    activity,
                    activity if isinstance(event, Progress) else as_line(event),
                )
            self.last = monotonic()
            self.on_event(event)

    def note(self, finding: Finding | str) -> None:
        """Pass on a finding about the data as a note."""
        self(Note(f"ensue: {finding}"))

    def each(self, answers: Iterable[T]) -> Iterator[T]:
        """Yield answers, and report how many are done while the next one takes long."""
        for number, answer in enumerate(answers, 1):
            with self._lock:
                self.line, self.last = f"{self.activity}: {number:,} done", monotonic()
                if isinstance(self.on_event, Live):
                    self.on_event.clear()
            yield answer

    def _tick(self) -> None:
        while not self._done.wait(SILENT_SECONDS):
            with self._lock:
                if monotonic() - self.last >= SILENT_SECONDS:
                    self.on_event(Working(f"{self.line}  {clock(monotonic() - self.since)}"))


def _activity(event: Event) -> str | None:
    """Return the activity that follows an event; None if the event does not determine it."""
    if isinstance(event, Working):
        return event.what
    if isinstance(event, Progress):
        return "training"
    return "reading the data" if isinstance(event, Reading) else None


def open_run(run: Path, task: str, kind: str | None = None, typed: str = "") -> Any:
    """Open a run of a task, and report it where checking the checksums takes long.

    `typed` is the argument for data.
    """
    with Heartbeat(follow_answer(typed)) as progress:
        progress(Working("opening the run"))
        from ensue import api  # it loads torch, which takes seconds

        return api.open(run, task, kind)


@contextmanager
def answering(
    model: Trained, request: Settings, data: Path | str | None, activity: str
) -> Iterator[Iterator[Any]]:
    """Yield the answers of a model to a request; notes are printed."""
    from ensue.data.contract import Listener

    with Heartbeat(follow_answer(str(data))) as progress:
        progress(Working(activity))
        yield progress.each(model.answer(request, data, Listener(progress.note)))


class Plain:
    """Print events line by line."""

    def __init__(self, out: TextIO) -> None:
        self.out, self.started = out, monotonic()
        self.printed = -math.inf

    def __call__(self, event: Event) -> None:
        """Print the event, unless too little time has passed since the last one."""
        if isinstance(event, Progress | Reading | Working):
            validated = isinstance(event, Progress) and event.validation is not None
            # An activity is printed only once it has taken long.
            before = max(self.printed, self.started) if isinstance(event, Working) else self.printed
            if not validated and monotonic() - before < PLAIN_SECONDS:
                return
            self.printed = monotonic()
        print(as_line(event), file=self.out, flush=True)


class Live:
    """Show progress on one line that is overwritten; validations, samples and notes stay."""

    def __init__(self, out: TextIO) -> None:
        self.out, self.open = out, False

    def __call__(self, event: Event) -> None:
        """Overwrite the line with the event; all but plain progress stays."""
        line = as_line(event)
        if not isinstance(event, Note | Stage):
            line = line[: get_terminal_size().columns - 1]
        stays = isinstance(event, Sample | Note | Stage) or (
            isinstance(event, Progress) and event.validation is not None
        )
        self.out.write(f"\r\x1b[K{line}" + "\n" * stays)
        self.out.flush()
        self.open = not stays

    def clear(self) -> None:
        """Erase the live line when the activity has ended."""
        if self.open:
            self.out.write("\r\x1b[K")
            self.out.flush()
            self.open = False


def as_line(event: Event) -> str:
    """Format an event as one line."""
    if isinstance(event, Progress):
        return describe(event)
    if isinstance(event, Reading):
        left = "" if event.left is None else f", about {clock(event.left)} left"
        amount = f"{event.done / 1e6:,.0f} of {event.total / 1e6:,.0f} MB"
        return f"reading the data  {amount}  {event.done / event.total:.0%}{left}"
    if isinstance(event, Working):
        what = for_terminal(event.what)
        return what if event.share is None else f"{what}  {event.share:.0%}"
    if isinstance(event, Sample):
        return f"  sample: {excerpt(event.text)}"
    return for_terminal(event.text)


def describe(progress: Progress) -> str:
    """Format progress as one line, most important first: a narrow terminal cuts off the end."""
    steps = f"/{progress.steps}" if progress.steps else ""
    parts = [
        f"step {progress.step}{steps}",
        f"epoch {progress.epoch:.2f}",
        _number("loss", progress.loss),
        _number("validation", progress.validation),
        f"ETA {clock(progress.eta_seconds)}" if progress.eta_seconds is not None else "",
        f"{progress.per_second:,.0f} {progress.unit}/s",
        f"lr {progress.learning_rate:.2g}",
        f"{progress.memory_mb:,.0f} MB",
    ]
    return "  ".join(part for part in parts if part)


def _number(name: str, value: float | None) -> str:
    return "" if value is None else f"{name} {value:.4f}"


def clock(seconds: float) -> str:
    """Format a duration as a clock does.

    >>> clock(75), clock(3700)
    ('1:15', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def excerpt(text: str, length: int = 100) -> str:
    """Shorten a text to one printable line.

    >>> excerpt("To be,\\nor not")
    'To be,⏎or not'
    """
    line = "".join("⏎" if char == "\n" else char if char.isprintable() else "·" for char in text)
    return line if len(line) <= length else line[: length - 1] + "…"
