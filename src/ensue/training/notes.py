"""Notes of a training, saved in its run: report and result show what the screen showed."""

from __future__ import annotations

from ensue.training.contract import Callback, Event, Note
from ensue.training.folder.run import Run

NOTES = "notes"
MOST = 200
"""Most notes in run.toml: thousands of findings about the data would bury all else in it."""


def with_notes(run: Run, on_event: Callback) -> Callback:
    """Wrap a callback so that each distinct note is saved in run.toml before it is passed on."""

    def save_notes(event: Event) -> None:
        if isinstance(event, Note):
            before = run.about.get(NOTES, [])
            if event.text not in before and len(before) < MOST:
                run.describe({NOTES: [*before, event.text]})
        on_event(event)

    return save_notes
