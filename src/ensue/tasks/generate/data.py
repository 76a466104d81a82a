"""Read, split and encode the data of a text run, and store it in the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path

from ensue.cache import Cache
from ensue.data.demos import DEMOS, demo_name, write_demo
from ensue.data.prepare import LONG, Prepared, prepare
from ensue.data.settings import DataSettings
from ensue.data.store import load, save
from ensue.tasks.cached import CODEC, load_data, read_settings
from ensue.tasks.fitting import Budget
from ensue.tasks.generate.settings import GenerateSettings
from ensue.training.contract import Callback, Event, Note, Reading
from ensue.training.folder.run import Run

EARLY = 0.03
"""Share of the data that is read before the time for the rest is estimated."""
LATE = 1.2
"""A note is given if the command is expected to take this many times its minutes."""


class TextSource:
    """How text is read. The run holds what was read, and needs its files no more."""

    def prepare(
        self, run: Run, settings: GenerateSettings, files: Sequence[Path], on_event: Callback
    ) -> Prepared:
        """Read the data into the run, unless it is there, and describe it in run.toml."""
        on_read = _warn_of_long_reading(Budget.of(settings.training), on_event)
        parts = _load_or_read(run, settings, files, on_read)
        run.write(CODEC, _encode_codec(parts))
        sizes = {name: len(corpus) for name, corpus in parts.parts()}
        data = {"format": parts.format, "files": parts.fingerprint, "symbols": sizes}
        run.describe({"data": data})
        for finding in parts.findings:
            on_event(Note(str(finding)))
        return parts

    def load(self, run: Run) -> Prepared:
        """Load the data of a run, or read it again if the cache is damaged.

        Raises RunError if that fails.
        """
        return _load_or_read(run, *read_settings(run, GenerateSettings), lambda _: None)


DATA = TextSource()


def _load_or_read(
    run: Run, settings: GenerateSettings, files: Sequence[Path], on_event: Callback
) -> Prepared:
    def read(cache: Cache) -> Prepared:
        paths, reading = sources(files, settings.data, cache.folder)
        # Records have no context; one long text must be longer than the one it has.
        context = getattr(settings.training.batching, "sequence_length", 0)
        report = _report_reading(on_event)
        parts = prepare(
            paths,
            reading,
            settings.codec,
            seed=settings.seed,
            context=context,
            cache=cache.folder,
            on_read=report,
        )
        save(parts, cache)
        return parts

    return load_data(run, load, read, lambda parts: (_encode_codec(parts), parts.fingerprint))


def _encode_codec(parts: Prepared) -> bytes:
    return json.dumps(parts.codec.to_json()).encode()


def sources(
    data: Sequence[Path], settings: DataSettings, folder: Path
) -> tuple[Sequence[Path], DataSettings]:
    """Find the data files and their settings; a demo is written into `folder`."""
    name = demo_name(data, "generate", "text")
    if name is None:
        return data, settings
    return [write_demo(name, folder)], settings.model_copy(update={"format": DEMOS[name].format})


def _warn_of_long_reading(budget: Budget, on_event: Callback) -> Callback:
    """Add a note, early and once, if reading leaves too little of the minutes for the rest."""
    reported = not isfinite(budget.minutes)

    def report(event: Event) -> None:
        nonlocal reported
        on_event(event)
        if (
            reported
            or not isinstance(event, Reading)
            or event.left is None
            or event.done < EARLY * event.total
        ):
            return
        reported, minutes = True, 60 * budget.minutes
        if (total := budget.expected_total(event.left)) > LATE * minutes:
            what = (
                f"reading takes about {budget.spent + event.left:,.0f} s, and the whole "
                f"command about {total:,.0f} s"
            )
            on_event(
                Note(
                    f"{what} instead of {minutes:,.0f} s; give a shorter text or increase "
                    f"--minutes to train longer"
                )
            )

    return report


def _report_reading(on_event: Callback) -> Callable[[int, int, float | None], None]:
    """Report the progress of reading a large text at every percent."""
    reported = 0

    def report(done: int, total: int, left: float | None) -> None:
        nonlocal reported
        if total >= LONG and done * 100 // total > reported:
            reported = done * 100 // total
            on_event(Reading(done, total, left))

    return report
