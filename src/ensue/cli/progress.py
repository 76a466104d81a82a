"""What training tells while it goes on: a live line on a terminal, plain lines in a file, JSON
for programs."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Iterable, Iterator
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

T = TypeVar("T")
PLAIN_SECONDS = 8.0
"""Time between two plain lines of progress, unless there is a validation to tell."""
SILENT_SECONDS = 1.0
"""After so long without an event, what is being done is told again, with the time that it has
taken."""


READING = Working("reading the data")


def follow(as_json: bool) -> Callback:
    """Give the function that shows events: JSON on the standard output, all else on the standard
    error."""
    if as_json:
        return _to_json
    return Live(sys.stderr) if sys.stderr.isatty() else Plain(sys.stderr)


def follow_answer(data: str = "") -> Callback:
    """Give the function that shows events beside an answer: what is being done on a terminal alone,
    and not on one at which a person is typing the `data`.
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
    """Holds notes back until the data was read: until then, wrong input may yet be answered, in one
    line.

    That reading takes long is told at once. What is fitted in one go may tell of nothing: `release`
    shows what is still held at its end.
    """

    def __init__(self, watch: Callback) -> None:
        self.watch, self.begun, self.reading = watch, False, False
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        """Pass on the event, and all that were held back before it."""
        if isinstance(event, Reading):
            self.reading = event.done < event.total
        if (
            isinstance(event, Reading)
            or event == READING
            or (self.reading and isinstance(event, Note))
        ):
            self.watch(event)
            return
        self.events.append(event)
        self.begun = self.begun or not isinstance(event, Note)
        if self.begun:
            self.release()

    def release(self) -> None:
        """Pass on all that is held."""
        while self.events:
            self.watch(self.events.pop(0))


class Ticking:
    """Passes events on, and tells again and again what is being done while none comes: kernels are
    silent for minutes.

    Used as a context: within, a thread looks every second.
    """

    def __init__(self, watch: Callback) -> None:
        self.watch, self.doing, self.line = watch, "starting", "starting"
        self.began = self.last = monotonic()
        self._lock, self._done = Lock(), ThreadEvent()
        self._thread = Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Ticking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        if isinstance(self.watch, Live):
            self.watch.clear()

    def __call__(self, event: Event) -> None:
        """Pass on an event; what it says is done from now on is told again."""
        with self._lock:
            doing = _doing(event)
            if doing is not None:
                self.began = self.began if doing == self.doing else monotonic()
                self.doing, self.line = (
                    doing,
                    doing if isinstance(event, Progress) else as_line(event),
                )
            self.last = monotonic()
            self.watch(event)

    def say(self, finding: Finding | str) -> None:
        """Pass on what a person should know of their data."""
        self(Note(f"ensue: {finding}"))

    def each(self, answers: Iterable[T]) -> Iterator[T]:
        """Give answers that are shown one by one, and tell how many there were while the next is
        long in coming."""
        for number, answer in enumerate(answers, 1):
            with self._lock:
                self.line, self.last = f"{self.doing}: {number:,} done", monotonic()
                if isinstance(self.watch, Live):
                    self.watch.clear()
            yield answer

    def _tick(self) -> None:
        while not self._done.wait(SILENT_SECONDS):
            with self._lock:
                if monotonic() - self.last >= SILENT_SECONDS:
                    self.watch(Working(f"{self.line}  {clock(monotonic() - self.began)}"))


def _doing(event: Event) -> str | None:
    """Say what goes on after an event; None where it says nothing of it."""
    if isinstance(event, Working):
        return event.what
    if isinstance(event, Progress):
        return "training"
    return "reading the data" if isinstance(event, Reading) else None


def opened(run: Path, task: str) -> Any:
    """Open a run of a task, and say so where that takes long: all of its sums are looked at."""
    from ensue import api

    with Ticking(follow_answer()) as watch:
        watch(Working("opening the run"))
        return api.open(run, task)


class Plain:
    """Shows events line by line."""

    def __init__(self, out: TextIO) -> None:
        self.out, self.begun = out, monotonic()
        self.told = -math.inf

    def __call__(self, event: Event) -> None:
        """Print the event, if it is not too soon after the one before."""
        if isinstance(event, Progress | Reading | Working):
            told = isinstance(event, Progress) and event.validation is not None
            # What is being done is of no interest before it takes long.
            before = max(self.told, self.begun) if isinstance(event, Working) else self.told
            if not told and monotonic() - before < PLAIN_SECONDS:
                return
            self.told = monotonic()
        print(as_line(event), file=self.out, flush=True)


class Live:
    """Shows the latest progress on a line that is written over; validations, samples and notes
    stay."""

    def __init__(self, out: TextIO) -> None:
        self.out, self.open = out, False

    def __call__(self, event: Event) -> None:
        """Write the event over the line, and leave it there unless it is mere progress."""
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
        """Take away the line that is written over: nothing is going on any more."""
        if self.open:
            self.out.write("\r\x1b[K")
            self.out.flush()
            self.open = False


def as_line(event: Event) -> str:
    """Put an event on one line."""
    if isinstance(event, Progress):
        return describe(event)
    if isinstance(event, Reading):
        left = "" if event.left is None else f", about {clock(event.left)} left"
        amount = f"{event.done / 1e6:,.0f} of {event.total / 1e6:,.0f} MB"
        return f"reading the data  {amount}  {event.done / event.total:.0%}{left}"
    if isinstance(event, Working):
        what = for_terminal(event.what)
        return what if event.share is None else f"{what}  {event.share:.0%}"
    return (
        f"  sample: {excerpt(event.text)}"
        if isinstance(event, Sample)
        else for_terminal(event.text)
    )


def describe(progress: Progress) -> str:
    """Put progress on one line; a narrow terminal cuts off the end."""
    steps = f"/{progress.steps}" if progress.steps else ""
    parts = [
        f"step {progress.step}{steps}",
        f"epoch {progress.epoch:.2f}",
        _number("loss", progress.loss),
        _number("validation", progress.validation),
        f"ETA {clock(progress.eta_seconds)}" if progress.eta_seconds is not None else "",
        f"{progress.per_second:,.0f} {progress.unit}/s",
        f"rate {progress.learning_rate:.2g}",
        f"{progress.memory_mb:,.0f} MB",
    ]
    return "  ".join(part for part in parts if part)


def _number(name: str, value: float | None) -> str:
    return "" if value is None else f"{name} {value:.4f}"


def clock(seconds: float) -> str:
    """Write a time as a clock does.

    >>> clock(75), clock(3700)
    ('1:15', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def excerpt(text: str, length: int = 100) -> str:
    """Show the beginning of a text on one line, whatever is in it.

    >>> excerpt("To be,\\nor not")
    'To be,⏎or not'
    """
    line = "".join("⏎" if char == "\n" else char if char.isprintable() else "·" for char in text)
    return line if len(line) <= length else line[: length - 1] + "…"
