"""The data of a run of `generate`: read, split, encoded, and kept in the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from ensue.cache import Cache
from ensue.data.demos import DEMOS, demo_name, write_demo
from ensue.data.prepare import LONG, Prepared, prepare
from ensue.data.settings import DataSettings
from ensue.data.store import load, save
from ensue.tasks.cached import CODEC, load_data
from ensue.tasks.fitting import Budget
from ensue.training.contract import Callback, Event, Note, Reading
from ensue.training.folder.run import Run

if TYPE_CHECKING:
    from ensue.tasks.generate import GenerateSettings

EARLY = 0.03
"""Once this share was read, its speed tells how long the rest takes."""
LATE = 1.2
"""Times its minutes that a command may take; that it will take longer is said."""


def read_parts(
    run: Run, settings: GenerateSettings, data: Sequence[Path], budget: Budget, watch: Callback
) -> Prepared:
    """Read the data into the run, and describe it there; from then on its sources are not
    needed."""
    parts = parts_of(run, settings, data, _tell_long_reading(budget, watch))
    run.write(CODEC, _codec(parts))
    sizes = {name: len(corpus) for name, corpus in parts.parts()}
    run.describe({"data": {"format": parts.format, "files": parts.fingerprint, "symbols": sizes}})
    for finding in parts.findings:
        watch(Note(str(finding)))
    return parts


def parts_of(
    run: Run, settings: GenerateSettings, data: Sequence[Path], watch: Callback
) -> Prepared:
    """Give the parts that the run holds, read again where its cache is damaged. Raises RunError
    where that fails."""

    def read(cache: Cache) -> Prepared:
        files, reading = sources(data, settings.data, cache.folder)
        context, tell = settings.training.batching.sequence_length, _tell_reading(watch)
        parts = prepare(
            files,
            reading,
            settings.codec,
            seed=settings.seed,
            context=context,
            cache=cache.folder,
            watch=tell,
        )
        save(parts, cache)
        return parts

    return load_data(run, load, read, lambda parts: (_codec(parts), parts.fingerprint))


def _codec(parts: Prepared) -> bytes:
    return json.dumps(parts.codec.to_json()).encode()


def sources(
    data: Sequence[Path], settings: DataSettings, folder: Path
) -> tuple[Sequence[Path], DataSettings]:
    """Give the files of the data, those of a demo written into `folder`, and how to read them."""
    name = demo_name(data, "generate", "text")
    if name is None:
        return data, settings
    return [write_demo(name, folder)], settings.model_copy(update={"format": DEMOS[name].format})


def _tell_long_reading(budget: Budget, watch: Callback) -> Callback:
    """Say early, and once, that reading leaves too little of the minutes for what comes after
    it."""
    told = not isfinite(budget.minutes)

    def tell(event: Event) -> None:
        nonlocal told
        watch(event)
        if (
            told
            or not isinstance(event, Reading)
            or event.left is None
            or event.done < EARLY * event.total
        ):
            return
        told, minutes = True, 60 * budget.minutes
        if (whole := budget.whole(event.left)) > LATE * minutes:
            what = (
                f"reading takes about {budget.spent + event.left:,.0f} s, and the whole "
                f"command about {whole:,.0f} s"
            )
            watch(
                Note(
                    f"{what} instead of {minutes:,.0f} s (a shorter text, or a larger "
                    f"--minutes, is trained on longer)"
                )
            )

    return tell


def _tell_reading(watch: Callback) -> Callable[[int, int, float | None], None]:
    """Tell how far the reading is wherever that takes long enough to be asked, at every percent."""
    told = 0

    def tell(done: int, total: int, left: float | None) -> None:
        nonlocal told
        if total >= LONG and done * 100 // total > told:
            told = done * 100 // total
            watch(Reading(done, total, left))

    return tell
