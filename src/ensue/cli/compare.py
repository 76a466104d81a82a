"""`ensue compare`: runs side by side: settings that differ, and scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App

if TYPE_CHECKING:
    from ensue.tasks.model_card import Summary
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
    from ensue.training.folder.run import Run

    runs = {str(path): Run.open(path) for path in (run, *others)}
    if len(tasks := sorted({get_task(one).name for one in runs.values()})) > 1:
        hint = "give runs of one task"
        raise RunError(
            f"runs of {' and '.join(tasks)} cannot be compared", where="compare", hint=hint
        )
    settings = differing_settings(list(runs.values()))
    results = {name: read_model_row(one) for name, one in runs.items()}
    samples = {name: describe_sample(one, results[name]) for name, one in runs.items()}
    notes = list(comparison_notes(list(runs.values()), any(samples.values())))
    if json:
        results = {name: row | {"sample": samples[name]} for name, row in results.items()}
        by_run = {key: dict(zip(runs, row, strict=True)) for key, row in settings}
        print_json({"settings": by_run, "results": results, "notes": notes})
        return
    if settings:
        show_table(
            ["setting", *runs],
            [[key, *map(str, row)] for key, row in settings],
            title="Settings that differ:",
        )
    summaries = [read_summary(one) for one in runs.values()]
    last = [dict(zip(one.columns, one.rows[-1], strict=True)) for one in summaries]
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


def describe_sample(run: Run, row: Mapping[str, Any]) -> str | None:
    """Describe the sample of the test part that was scored; None if all of it was."""
    total = run.about["data"].get("symbols", {}).get("test")
    return None if total in (None, row.get("count")) else f"{row['count']:,} of {total:,} symbols"


def comparison_notes(runs: Sequence[Run], sampled: bool) -> Iterator[str]:
    """Yield reasons why scores of these runs are not, or not exactly, comparable."""
    if len({str(one.about["data"]["files"]) for one in runs}) > 1:
        yield "The runs have different data: their scores are not comparable."
    if sampled:
        yield (
            "Some scores are of a sample of the test part; `ensue evaluate RUN` scores all of it."
        )


def read_summary(run: Run) -> Summary:
    """Read the summary of a run. Raises RunError if its result.json was changed."""
    from ensue.api import get_task
    from ensue.atomic_io import format_errors
    from ensue.tasks.model_card import summarise

    with format_errors(str(run.path / "result.json")):
        return summarise(run, get_task(run).report)


def differing_settings(runs: list[Run]) -> list[tuple[str, list[Any]]]:
    """Return the settings in which runs differ, with "-" where a run has no such setting."""
    from ensue.settings import flatten

    flat = [dict(flatten(run.about["settings"])) for run in runs]
    keys = sorted({key for one in flat for key in one})
    rows = [(key, [one.get(key, "-") for one in flat]) for key in keys]
    return [(key, row) for key, row in rows if len({str(value) for value in row}) > 1]


def read_model_row(run: Run) -> dict[str, Any]:
    """Return the last row of a run's result, which is that of its own model."""
    return run.parse("result.json", lambda result: result["rows"][-1])
