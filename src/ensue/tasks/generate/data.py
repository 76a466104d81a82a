"""Read, split and encode the data of a run of `generate`."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from ensue.data.dataset import Prepared
from ensue.data.prepare import LONG, prepare
from ensue.data.text_parts import TextParts
from ensue.tasks.cached import DataSource, Sources
from ensue.tasks.demos import DEMOS
from ensue.tasks.fitting import Budget
from ensue.tasks.generate.pretrained import choose_codec
from ensue.tasks.generate.settings import GenerateSettings
from ensue.training.contract import Callback, Event, Note, Reading

EARLY = 0.03
"""Share of the data that is read before the time for the rest is estimated."""
LATE = 1.2
"""A note is given if the command is expected to take this many times its minutes."""


def _read(settings: GenerateSettings, sources: Sources) -> Prepared[TextParts]:
    reading = settings.data
    if sources.demo:
        reading = reading.model_copy(update={"format": DEMOS[sources.demo].format})
    on_event = _warn_of_long_reading(Budget.of(settings.training), sources.on_event)
    return prepare(
        sources.files,
        reading,
        choose_codec(settings, sources.codecs),
        seed=settings.seed,
        # Records have no context; one long text must be longer than the one it has.
        context=getattr(settings.training.batching, "sequence_length", 0),
        cache=sources.cache,
        on_read=_report_reading(on_event),
    )


DATA = DataSource("generate", "text", GenerateSettings, TextParts, _read)


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
