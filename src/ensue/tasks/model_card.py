"""Write the result of a training of any task: result.json, the model card as text and as a page
with pictures, and the summary."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ensue.evaluation.classification import MEASURE
from ensue.evaluation.scores import Score
from ensue.inspection.pictures import draw_curves, draw_scores
from ensue.tasks.document import Block, Section, bullets, paragraph, picture, table, write_report
from ensue.tasks.results import CARD, PAGE, RESULT, Report, Result, format_metric, recommend
from ensue.training.folder.run import METRICS, Run

RATES = {"precision": "precision", "recall": "recall", "f1": "F1"}
"""Columns of a table of metrics by label, tag or type."""


@dataclass(frozen=True)
class Summary:
    """The result of a training for a terminal: table, recommendation, warnings and commands."""

    columns: tuple[str, ...]
    rows: list[list[str]]
    """One row a model; the last is the run's own."""
    lines: tuple[str, ...]
    """Lines below the table."""
    commands: tuple[tuple[str, str], ...]
    """Next commands, and the purpose of each."""


def conclude(
    run: Run,
    report: Report,
    scores: Sequence[Score],
    changes: Mapping[str, Sequence[str]],
    *,
    selected: Sequence[str],
    details: Mapping[str, Any],
    warnings: Sequence[str],
) -> None:
    """Write the model card, its page and result.json, each with the notes of the training.

    `changes` are the flags that train another model, by its name. The result is written last: it
    marks the run as finished.
    """
    result = Result(
        run.path.name,
        run.about["task"],
        tuple(scores),
        recommend(run, scores, changes),
        tuple(selected),
        tuple(warnings),
        tuple(run.about.get("notes", ())),
        details,
    )
    card, page = write_report(*write_sections(result, report, run))
    run.write(CARD, card.encode())
    run.write(PAGE, page.encode())
    run.write(RESULT, json.dumps(result.to_json(), indent=1).encode())


def summarise(run: Run, report: Report) -> Summary:
    """Summarise the result of a run for a terminal."""
    result = run.parse(RESULT, Result.from_json)
    warnings = [f"Warning: {one}." for one in result.warnings]
    name = shlex.quote(str(run.path))
    return Summary(
        *metrics_table(result, report),
        (*advise(result), *warnings, *report.remarks(result)),
        tuple((command.replace("{run}", name), why) for command, why in report.commands),
    )


def get_main_metric(result: Result, report: Report) -> str:
    """Get the metric that comes first: the first one of the run's own model with a column."""
    return next(name for name in result.own.metrics if name in report.columns)


def metrics_table(result: Result, report: Report) -> tuple[tuple[str, ...], list[list[str]]]:
    """Make columns and rows of the table of scores, with the interval of the main metric."""
    shown, main = report.columns, get_main_metric(result, report)
    names = [main, *(one for one in shown if one in result.own.metrics and one != main)]

    def write(value: float | None, name: str) -> str:
        return format_metric(value, report.forms.get(name, report.form))

    heads = (*(shown[one] for one in names), f"95 % interval of {shown[main]}")
    rows = [
        [
            one.name,
            *(write(one.metrics[key], key) if key in one.metrics else "" for key in names),
            " to ".join(dict.fromkeys(write(end, main) for end in one.intervals[main])),
            f"{one.seconds:.1f} s",
            f"{one.parameters:,}",
        ]
        for one in result.scores
    ]
    return ("model", *heads, "training time", "parameters"), rows


def advise(result: Result) -> list[str]:
    """Write which model is recommended, how it compares, and how to train it."""
    advice = result.recommendation
    lines = [f"Recommendation: {advice.recommendation}.", *(f"{one}." for one in advice.comparison)]
    return lines + ([advice.retrain] if advice.retrain else [])


def write_sections(result: Result, report: Report, run: Run) -> tuple[str, list[Section]]:
    """Write the title and the sections of the model card from a result, run.toml and the log."""
    main = get_main_metric(result, report)
    shown = result.scores, main, report.columns[main]
    results = [
        picture("Each model on the test part.", draw_scores, *shown),
        table(*metrics_table(result, report)),
    ]
    sections = [
        Section("", [*map(paragraph, advise(result))]),
        Section("Results on the test part", results),
        *report.sections(result, run),
        Section("Training", _curves(result, run.rows(METRICS))),
        Section("Data", _data(run.about)),
        Section("Model selection", bullets(result.selected or ["Nothing was selected."])),
        Section("Warnings", bullets(map(sentence, result.warnings)) or [paragraph("None.")]),
        Section("Notes", bullets(map(sentence, result.notes))),
        Section("Limits", bullets(report.limits)),
        Section("Reproduction", [paragraph(_reproduction(run.about))]),
    ]
    return f"{result.run}: a model of {report.subject}", sections


def _curves(result: Result, log: Sequence[Mapping[str, Any]]) -> list[Block]:
    """Draw the learning curves of a network, with the loss of each baseline in the same unit."""
    if not any(row["loss"] is not None for row in log):
        return []
    unit, beside = f"nats per {log[-1]['unit'].removesuffix('s')}", result.scores[:-1]
    lines = {one.name: one.nats_per_item for one in beside if one.role == "baseline"}
    if result.details.get("kind") == "ordinal":
        # The validation loss of ordinal labels is their error, and no likelihood.
        log, unit = [{**row, "loss": None} for row in log], MEASURE["ordinal"][1]
        lines = {one.name: one.metrics["mae"] for one in beside}
    lines = {name: loss for name, loss in lines.items() if loss is not None}
    caption = (
        "Loss by training step, and that of baselines on the test part if the unit is the same."
    )
    return [picture(caption, draw_curves, log, lines, unit)]


def _data(about: Mapping[str, Any]) -> list[Block]:
    """Describe the format, the codec, the files and how much each part has."""
    data, codec = about["data"], about["settings"].get("codec")
    read = f"Format: {data['format']}" + (f"; codec: {codec['name']}." if codec else ".")
    files = [
        f"{name} ({file['bytes']:,} bytes, SHA-256 {file['sha256'][:16]}…)"
        for name, file in data["files"].items()
    ]
    unit = next(unit for unit in ("examples", "symbols", "steps") if unit in data)
    parts = data[unit] if isinstance(data[unit], Mapping) else {"": data[unit]}
    counts = ", ".join(f"{part} {_count(count)}".lstrip() for part, count in parts.items())
    return [paragraph(read), *bullets(files), paragraph(f"{unit.capitalize()}: {counts}.")]


def _count(count: int | Mapping[str, int]) -> str:
    if isinstance(count, Mapping):
        return " with ".join(f"{number:,} {unit}" for unit, number in count.items())
    return f"{count:,}"


def _reproduction(about: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    machine = ", ".join(f"{name} {value}" for name, value in about.get("hardware", {}).items())
    lines = [f"Seed {about['settings']['seed']}.", f"Versions: {versions}."]
    lines += [f"Hardware: {machine}."] if machine else []
    return " ".join([*lines, "All settings are in run.toml."])


def records(
    rows: Iterable[Mapping[str, Any]], shown: Mapping[str, str], form: str = ".3f"
) -> list[Block]:
    """Make a table of records, or nothing if there are none.

    `shown` maps fields to the heads of their columns; floats are written in `form`.

    >>> print(records([{"tag": "NN", "f1": 0.5}], {"tag": "tag", "f1": "F1"})[0].markdown)
    | tag | F1 |
    |---|---|
    | NN | 0.500 |
    """
    cells = [[_format(row[name], form) for name in shown] for row in rows]
    return [table([*shown.values()], cells)] if cells else []


def _format(value: Any, form: str) -> str:
    if value is None or isinstance(value, float):
        return format_metric(value, form)
    return f"{value:,}" if isinstance(value, int) else str(value)


def sentence(text: str) -> str:
    """Capitalise the first letter, unless it is that of a file, a setting or a model; add a full
    stop.

    >>> sentence("use the n-gram"), sentence("a.csv: read as a table")
    ('Use the n-gram.', 'a.csv: read as a table.')
    """
    named = any(mark in text.split(" ")[0] for mark in ".:/\\")
    first = text[:1] if named else text[:1].upper()
    return f"{first}{text[1:]}{'' if text.endswith('...') else '.'}"
