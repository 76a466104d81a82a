"""The notes of a training, kept in its run: what a person was told on the screen stands in
report and result too."""

from __future__ import annotations

from ensue.training.contract import Callback, Event, Note
from ensue.training.folder.run import Run

NOTES = "notes"
MOST = 200
"""Notes that run.toml keeps: thousands of findings about the data would bury all else in it."""


def with_notes(run: Run, watch: Callback) -> Callback:
    """Give a `watch` that keeps each note in run.toml, once, before it is passed on."""

    def watched(event: Event) -> None:
        if isinstance(event, Note):
            before = run.about.get(NOTES, [])
            if event.text not in before and len(before) < MOST:
                run.describe({NOTES: [*before, event.text]})
        watch(event)

    return watched
