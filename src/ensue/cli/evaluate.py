"""`ensue evaluate`: what a text costs under a run, in every unit that people compare; or how
often a run is right."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter, validators

from ensue.cli.integer import Integer
from ensue.cli.output import show_line
from ensue.cli.train.options import LabelledColumnOptions

if TYPE_CHECKING:
    from ensue.tasks.generate.evaluation import Evaluation
    from ensue.tasks.generate.trained import TextModel

app = App(name="evaluate")

TABLES = {".csv", ".tsv", ".jsonl", ".ndjson"}
"""Endings of tables that are text."""


@app.default
def evaluate(  # noqa: PLR0913 - each is a flag
    run: Path,
    /,
    *data: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    lines: bool = False,
    surprising: Annotated[Integer, Parameter(validator=validators.Number(gte=0))] = 0,
    novelty: bool = False,
    prequential: bool = False,
    precision: Literal["fp32", "bf16", "int8"] = "fp32",
    columns: Annotated[LabelledColumnOptions, Parameter(name="*")] = LabelledColumnOptions(),  # noqa: B008 - it is frozen
    json: bool = False,
) -> None:
    """Score a text: nats, bits, perplexity; by line; at its most surprising places. Or examples
    with what is true of them: accuracy and the like.

    Args:
        run: The folder of the run.
        data: Files to score, or - for the standard input; with none, the run's own test part.
        lines: Score each line by itself too.
        surprising: Show so many of the most surprising places.
        novelty: Say how much of the text is copied from the training data, or stands in it too.
        prequential: Score, then learn, chunk after chunk: for a text that goes on where the
            training data ended.
        precision: Of the network's weights, as in `ensue generate`; reports what quantisation
        costs.
        json: Print JSON, for programs.
    """
    from ensue import api
    from ensue.cli.progress import Ticking, follow, follow_answer
    from ensue.errors import SettingError
    from ensue.training.contract import Working

    refuse_unknown(data, "evaluate")
    if prequential and (lines or surprising or novelty):
        what, hint = (
            "--prequential tells of chunks, not of lines, places or copies",
            "leave it or the others out",
        )
        raise SettingError(what, where="evaluate", hint=hint)
    model = api.open(run)
    refuse_columns(columns, model.run.about["task"])
    if hasattr(model, "evaluate") and (
        lines or surprising or novelty or prequential or precision != "fp32"
    ):
        what = (
            "--lines, --surprising, --novelty, --prequential and --precision are for runs of "
            "`generate`"
        )
        raise SettingError(what, where="evaluate", hint="leave them out")
    with given(model, data) as files:
        if hasattr(model, "evaluate"):
            with Ticking(follow_answer() if json else follow(False)) as watch:
                watch(Working("scoring"))
                scored = (
                    model.evaluate(files, columns.given) if columns.given else model.evaluate(files)
                )
            if notes := scored.details.get("notes"):
                scored = replace(
                    scored, details=scored.details | {"notes": as_named(notes, files, data)}
                )
            show_scored(scored, json)
        elif prequential:
            show_prequential(model.with_precision(precision), files, json)
        else:
            show_text(
                model, files, data, EvaluateOptions(lines, surprising, novelty, precision, json)
            )


def refuse_unknown(data: Sequence[Path], verb: str) -> None:
    """Raise SettingError for what stands in the place of a file, and looks like an option."""
    from ensue.errors import SettingError

    if unknown := [str(file) for file in data if str(file).startswith("-") and str(file) != "-"]:
        raise SettingError(f"Unknown option: {unknown[0]}", hint=f"see `ensue {verb} --help`")


def refuse_columns(columns: LabelledColumnOptions, task: str) -> None:
    """Raise SettingError where columns are named, and the run is of a verb that takes them from
    its training."""
    from ensue.errors import SettingError

    if columns.given and task != "classify":
        flag, hint = next(iter(columns.given)).replace("_", "-"), "leave it out"
        raise SettingError("columns are named for runs of `classify`", where=f"--{flag}", hint=hint)


@contextmanager
def given(model: Any, data: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """Give the files, with one of what comes in by the standard input in place of `-`."""
    from ensue.data.files import ending, piped

    usual = ending(Path(str((model.run.about["sources"] or [""])[0]))) or ".txt"

    def name(first: bytes) -> str:
        """Tell JSON Lines from CSV, and leave tagged words to their reader, which knows formats
        by their lines."""
        if model.run.about["task"] == "tag" or usual not in TABLES:
            return "data.txt" if model.run.about["task"] == "tag" else f"data{usual}"
        if first.removeprefix(BOM_UTF8).lstrip().startswith(b"{"):
            return "data.jsonl"
        return "data.csv" if usual in (".jsonl", ".ndjson") else f"data{usual}"

    with ExitStack() as stack:
        yield tuple(
            stack.enter_context(piped(name=name))[0] if str(file) == "-" else file for file in data
        )


@dataclass(frozen=True)
class EvaluateOptions:
    """What is asked of a text."""

    lines: bool
    surprising: int
    novelty: bool
    precision: Literal["fp32", "bf16", "int8"]
    json: bool


def as_named(note: str, files: Sequence[Path], data: Sequence[Path]) -> str:
    """Write a note with - for the file that the standard input was kept in."""
    for file, named in zip(files, data, strict=True):
        note = note.replace(str(file), str(named))
    return note


def show_text(
    model: TextModel, files: Sequence[Path], data: Sequence[Path], asked: EvaluateOptions
) -> None:
    """Print what a text costs, and what more was asked of it."""
    from ensue.cli.progress import Ticking, follow, follow_answer
    from ensue.tasks.generate import evaluation
    from ensue.training.contract import Working

    with Ticking(follow_answer() if asked.json else follow(False)) as watch:
        watch(Working("scoring"))
        found = evaluation.evaluate(model.with_precision(asked.precision), files)
        found = replace(found, notes=tuple(as_named(note, files, data) for note in found.notes))
        exact = found if asked.precision == "fp32" else evaluation.evaluate(model, files)
        if asked.novelty:
            watch(Working("searching the training data for copies"))
        novelty = found.novelty() if asked.novelty else None
    cost = found.likelihood.bits_per_character - exact.likelihood.bits_per_character
    if asked.json:
        more = {"novelty": novelty.to_json()} if novelty else {}
        print_whole(
            found,
            asked.lines,
            asked.surprising,
            {"precision": asked.precision, "cost_of_precision": cost, **more},
        )
        return
    for note in found.notes:
        show_line(note)
    told = found.to_json()
    intervals = told["intervals"].items()
    show_figures(
        {name: (told[name], ends) for name, ends in intervals}, f"{told['count']:,} symbols"
    )
    if asked.precision != "fp32":
        print(f"{asked.precision} weights cost {cost:+.4f} bits per character, beside fp32")
    if novelty:
        show_line(f"novelty: {novelty}")
    if asked.lines:
        show_lines(found)
    if asked.surprising:
        show_surprising(found, asked.surprising)


def show_scored(scored: Any, as_json: bool) -> None:
    """Print the figures of a model that predicts, each with its 95 % interval."""
    from ensue.cli.output import print_json
    from ensue.cli.tables import show_table

    if as_json:
        print_json(scored.to_json())
        return
    show_figures({name: (value, scored.intervals[name]) for name, value in scored.metrics.items()})
    for name, value in _in_parts(scored.details):
        if isinstance(value, list) and value and isinstance(value[0], str):
            for line in value:
                show_line(f"{name.replace('_', ' ')}: {line}")
        elif isinstance(value, list) and value:
            title = f"\n{name.replace('_', ' ')}:"
            show_table(
                list(value[0]), [list(map(_cell, row.values())) for row in value], title=title
            )
        elif value not in ([], {}):
            show_line(f"{name.replace('_', ' ')}: {_cell(value)}")


def _in_parts(details: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Take the tables out of details that hold some among other things."""
    for name, value in details.items():
        inner = value if isinstance(value, dict) else {}
        tables = {
            key: one
            for key, one in inner.items()
            if isinstance(one, list) and one and isinstance(one[0], dict)
        }
        yield (
            name,
            {key: one for key, one in value.items() if key not in tables} if tables else value,
        )
        yield from ((f"{name} {key}", one) for key, one in tables.items())


def _cell(value: Any) -> str:
    from ensue.tasks.results import format_metric

    if isinstance(value, dict):
        return ", ".join(f"{name} {_cell(part)}" for name, part in value.items())
    return format_metric(value, ".3f") if value is None or isinstance(value, float) else str(value)


def print_whole(found: Evaluation, lines: bool, surprising: int, more: dict[str, Any]) -> None:
    """Print everything as one JSON object."""
    from dataclasses import asdict

    from ensue.cli.output import print_json

    whole = found.to_json() | more
    if lines:
        whole["lines"] = [asdict(line) for line in found.lines()]
    if surprising:
        whole["surprising"] = [asdict(place) for place in found.surprising(surprising)]
    print_json(whole)


def show_figures(
    figures: Mapping[str, tuple[float, Sequence[float]]], title: str | None = None
) -> None:
    """Print figures by their names, each with its 95 % interval."""
    from ensue.cli.tables import show_table
    from ensue.tasks.results import format_metric

    rows = [
        [
            name.replace("_", " "),
            format_metric(value, ".4f"),
            " to ".join(dict.fromkeys(format_metric(end, ".4f") for end in ends)),
        ]
        for name, (value, ends) in figures.items()
    ]
    show_table(["figure", "value", "95 % interval"], rows, title=title)


def show_lines(found: Evaluation) -> None:
    """Print the cost of each line."""
    from ensue.cli.tables import show_table

    rows = [
        [str(line.line), str(line.symbols), f"{line.nats:.2f}", f"{line.nats / line.symbols:.3f}"]
        for line in found.lines()
    ]
    show_table(["line", "symbols", "nats", "nats a symbol"], rows)


def show_surprising(found: Evaluation, count: int) -> None:
    """Print the most surprising places, each after what stood before it."""
    from ensue.cli.progress import excerpt
    from ensue.cli.tables import show_table

    rows = [
        [str(place.line), f"{place.nats:.1f}", excerpt(place.before[-30:]), excerpt(place.symbol)]
        for place in found.surprising(count)
    ]
    show_table(["line", "nats", "after", "came"], rows)


def show_prequential(model: TextModel, data: Sequence[Path], as_json: bool) -> None:
    """Score and learn, and print each chunk as it is done."""
    from ensue.cli.output import print_json
    from ensue.cli.progress import Ticking, follow_answer
    from ensue.errors import SettingError
    from ensue.tasks.generate.prequential import evaluate_prequentially
    from ensue.training.contract import Working

    if not data:
        raise SettingError(
            "there is no text to go on with", where="--prequential", hint="give a FILE"
        )
    with Ticking(follow_answer()) as watch:
        watch(Working("scoring and learning"))
        for number, point in enumerate(watch.each(evaluate_prequentially(model, data)), 1):
            if as_json:
                print_json(
                    {"chunk": number, **point.chunk.to_json(), "total": point.total.to_json()}
                )
            else:
                chunk, total = point.chunk.nats_per_character, point.total.nats_per_character
                print(
                    f"chunk {number}: {chunk:.4f} nats per character, {total:.4f} so far",
                    flush=True,
                )
