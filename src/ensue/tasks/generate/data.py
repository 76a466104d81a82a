"""Read, split and encode the data of a run of `generate`."""

from __future__ import annotations

from math import isfinite

from ensue.data.dataset import Prepared
from ensue.data.demos import DEMOS
from ensue.data.prepare import LONG, OnRead, prepare
from ensue.data.text_parts import TextParts
from ensue.tasks.cached import DataSource, Sources
from ensue.tasks.fitting import Budget
from ensue.tasks.generate.settings import GenerateSettings
from ensue.tasks.pretrained import grow_codec
from ensue.training.contract import Callback, Note, Reading

EARLY = 0.03
"""Share of the data that is read before the time for the rest is estimated."""
LATE = 1.2
"""A note is given if the command is expected to take this many times its minutes."""


def _read(settings: GenerateSettings, sources: Sources) -> Prepared[TextParts]:
    reading, codec = settings.data, settings.codec
    if settings.pretrained:
        codec = grow_codec(settings.pretrained, codec, sources.codecs)
    if sources.demo:
        reading = reading.model_copy(update={"format": DEMOS[sources.demo].format})
    return prepare(
        sources.files,
        reading,
        codec,
        seed=settings.seed,
        # Records have no context; one long text must be longer than the one it has.
        context=getattr(settings.training.batching, "sequence_length", 0),
        cache=sources.cache,
        on_read=_report_reading(Budget.of(settings.training), sources.on_event),
    )


DATA = DataSource("generate", GenerateSettings, TextParts, _read)


def _report_reading(budget: Budget, on_event: Callback) -> OnRead:
    """Report the progress of reading a large text, with one note if that takes too long.

    The note comes early: reading leaves too little of the minutes for the rest.
    """
    estimated, seconds = not isfinite(budget.minutes), 60 * budget.minutes

    def report(done: int, total: int, left: float | None) -> None:
        nonlocal estimated
        if total >= LONG:
            on_event(Reading(done, total, left))
        if estimated or left is None or done < EARLY * total:
            return
        estimated = True
        if (expected := budget.expected_total(left)) > LATE * seconds:
            what = (
                f"reading takes about {budget.spent + left:,.0f} s, and the whole command about "
                f"{expected:,.0f} s instead of {seconds:,.0f} s"
            )
            on_event(Note(f"{what}; give a shorter text or increase --minutes to train longer"))

    return report
