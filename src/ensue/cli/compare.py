"""`ensue compare`: runs side by side: what differs in their settings, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App

if TYPE_CHECKING:
    from ensue.tasks.contract import Summary
    from ensue.training.folder.run import Run

app = App(name="compare")


@app.default
def compare(run: Path, /, *others: Path, json: bool = False) -> None:
    """Show runs side by side: settings that differ, figures with intervals, time and size.

    Args:
        run: The folder of a run.
        others: More of them.
        json: Print one JSON object, for programs.
    """
    from ensue.api import task_of
    from ensue.cli.output import print_json
    from ensue.cli.tables import show_table
    from ensue.errors import RunError
    from ensue.training.folder.run import Run

    runs = {str(path): Run.open(path) for path in (run, *others)}
    if len(tasks := sorted({task_of(one).name for one in runs.values()})) > 1:
        hint = "give runs of one task"
        raise RunError(
            f"runs of {' and of '.join(tasks)} do not compare", where="compare", hint=hint
        )
    settings = differing(list(runs.values()))
    results = {name: model_row(one) for name, one in runs.items()}
    samples = {name: sample_of(one, results[name]) for name, one in runs.items()}
    notes = list(remarks(list(runs.values()), any(samples.values())))
    if json:
        results = {name: row | {"sample": samples[name]} for name, row in results.items()}
        by_run = {key: dict(zip(runs, row, strict=True)) for key, row in settings}
        print_json({"settings": by_run, "results": results, "notes": notes})
        return
    if settings:
        show_table(
            ["setting", *runs],
            [[key, *map(str, row)] for key, row in settings],
            title="What differs:",
        )
    told = [tell(one) for one in runs.values()]
    last = [dict(zip(one.columns, one.rows[-1], strict=True)) for one in told]
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
    show_table(["run", *columns], rows, title="Each run's model, on its test part:")
    for note in notes:
        print(note)


def sample_of(run: Run, row: Mapping[str, Any]) -> str | None:
    """Say which sample of the test part the figures of a run are of; None where they are of all
    of it."""
    whole = run.about["data"].get("symbols", {}).get("test")
    return None if whole in (None, row.get("count")) else f"{row['count']:,} of {whole:,} symbols"


def remarks(runs: Sequence[Run], sampled: bool) -> Iterator[str]:
    """Say why figures of these runs do not compare, or not exactly."""
    if len({str(one.about["data"]["files"]) for one in runs}) > 1:
        yield "The runs have different data: their figures do not compare."
    if sampled:
        yield (
            "A figure of a sample of the test part is not that of the whole, which `ensue "
            "evaluate RUN` gives."
        )


def tell(run: Run) -> Summary:
    """Tell what came of a run. Raises RunError if its result is not what was written."""
    from ensue.api import task_of
    from ensue.atomic_io import format_errors

    with format_errors(str(run.path / "result.json")):
        return task_of(run).summarise(run)


def differing(runs: list[Run]) -> list[tuple[str, list[Any]]]:
    """Give the settings, and what the data was, in which runs differ; "-" where a run has no
    such setting."""
    from ensue.settings import flatten

    flat = [dict(flatten(run.about["settings"])) for run in runs]
    keys = sorted({key for one in flat for key in one})
    rows = [(key, [one.get(key, "-") for one in flat]) for key in keys]
    return [(key, row) for key, row in rows if len({str(value) for value in row}) > 1]


def model_row(run: Run) -> dict[str, Any]:
    """Give the last row of a run's result: that of the model which it uses."""
    return run.parse("result.json", lambda result: result["rows"][-1])
