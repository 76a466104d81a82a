"""`ensue compare`: runs side by side: settings that differ, and scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App

if TYPE_CHECKING:
    from ensue.evaluation.scores import Score
    from ensue.tasks.results import Report
    from ensue.training.folder.run import Run

app = App(name="compare")


@app.default
def compare(run: Path, /, *others: Path, json: bool = False) -> None:
    """Compare runs: settings that differ, metrics with intervals, time and size.

    Args:
        run: Run folder.
        others: More run folders.
        json: Print one JSON object.
    """
    from ensue.api import get_task
    from ensue.cli.output import print_json
    from ensue.cli.tables import show_table
    from ensue.errors import RunError
    from ensue.tasks.results import RESULT, Result
    from ensue.training.folder.run import Run

    runs = {str(path): Run.open(path) for path in (run, *others)}
    if len(tasks := sorted({get_task(one).name for one in runs.values()})) > 1:
        hint = "give runs of one task"
        what = f"runs of {' and '.join(tasks)} cannot be compared"
        raise RunError(what, where="compare", hint=hint)
    settings = differing_settings(list(runs.values()))
    results = {name: one.parse(RESULT, Result.from_json) for name, one in runs.items()}
    samples = {name: describe_sample(one, results[name].own) for name, one in runs.items()}
    notes = list(comparison_notes(list(runs.values()), any(samples.values())))
    if json:
        rows = {
            name: one.own.to_json() | {"sample": samples[name]} for name, one in results.items()
        }
        by_run = {key: dict(zip(runs, row, strict=True)) for key, row in settings}
        print_json({"settings": by_run, "results": rows, "notes": notes})
        return
    if settings:
        show_table(
            ["setting", *runs],
            [[key, *map(str, row)] for key, row in settings],
            title="Settings that differ:",
        )
    last = [one.parse(RESULT, partial(make_row, get_task(one).report)) for one in runs.values()]
    if any(samples.values()):
        last = [
            one | {"scored on": sample or "all"}
            for one, sample in zip(last, samples.values(), strict=True)
        ]
    columns = list(dict.fromkeys(column for one in last for column in one))
    rows = [
        [name, *(one.get(column, "") for column in columns)]
        for name, one in zip(runs, last, strict=True)
    ]
    show_table(["run", *columns], rows, title="Scores on the test part of each run:")
    for note in notes:
        print(note)


def make_row(report: Report, values: Mapping[str, Any]) -> dict[str, str]:
    """Make the row of a run's own model, by column, from result.json."""
    from ensue.tasks.model_card import metrics_table
    from ensue.tasks.results import Result

    columns, rows = metrics_table(Result.from_json(values), report)
    return dict(zip(columns, rows[-1], strict=True))


def describe_sample(run: Run, score: Score) -> str | None:
    """Describe the sample of the test part that was scored; None if all of it was."""
    from ensue.atomic_io import format_errors
    from ensue.training.folder.run import ABOUT

    with format_errors(str(run.path / ABOUT)):
        total = run.about["data"].get("symbols", {}).get("test")
        return None if total in (None, score.count) else f"{score.count:,} of {total:,} symbols"


def comparison_notes(runs: Sequence[Run], sampled: bool) -> Iterator[str]:
    """Yield reasons why scores of these runs are not, or not exactly, comparable."""
    if len({str(one.about["data"]["files"]) for one in runs}) > 1:
        yield "The runs have different data: their scores are not comparable."
    if sampled:
        yield (
            "Some scores are of a sample of the test part; `ensue evaluate RUN` scores all of it."
        )


def differing_settings(runs: list[Run]) -> list[tuple[str, list[Any]]]:
    """Return the settings in which runs differ, with "-" where a run has no such setting."""
    from ensue.settings import flatten

    flat = [dict(flatten(run.about["settings"])) for run in runs]
    keys = sorted({key for one in flat for key in one})
    rows = [(key, [one.get(key, "-") for one in flat]) for key in keys]
    return [(key, row) for key, row in rows if len({str(value) for value in row}) > 1]
