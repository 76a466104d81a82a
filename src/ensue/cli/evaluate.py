"""`ensue evaluate`: likelihood of a text, or accuracy, F1 or error on labelled data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter, validators

from ensue.cli.flags import Integer
from ensue.cli.output import show_line
from ensue.cli.train.options import LabelledColumnOptions
from ensue.settings import Precision

if TYPE_CHECKING:
    from ensue.evaluation.text_evaluation import TextEvaluation
    from ensue.tasks.generate.trained import TextModel

app = App(name="evaluate")


@app.default
def evaluate(  # noqa: PLR0913 - each is a flag
    run: Path,
    /,
    *data: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    lines: bool = False,
    surprising: Annotated[Integer, Parameter(validator=validators.Number(gte=0))] = 0,
    novelty: bool = False,
    prequential: bool = False,
    precision: Precision = "fp32",
    columns: Annotated[LabelledColumnOptions, Parameter(name="*")] = LabelledColumnOptions(),  # noqa: B008 - it is frozen
    json: bool = False,
) -> None:
    """Evaluate a run: likelihood of a text, or accuracy, F1 or error on labelled data.

    Args:
        run: Run folder.
        data: Files to evaluate, or - for standard input; by default the run's own test part.
        lines: Report the score of each line.
        surprising: Number of most surprising positions to show.
        novelty: Report how much of the text is copied from the training data.
        prequential: Prequential evaluation: score each chunk, then train on it.
        precision: Precision of the weights, as in `ensue generate`; reports the loss it costs.
        json: Print JSON.
    """
    from ensue import api
    from ensue.cli.progress import Heartbeat, follow, follow_answer
    from ensue.errors import SettingError
    from ensue.training.contract import Working

    refuse_unknown(data, "evaluate")
    if prequential and (lines or surprising or novelty):
        what = "--prequential cannot be combined with --lines, --surprising or --novelty"
        raise SettingError(what, where="evaluate", hint="leave one of them out")
    model = api.open(run)
    refuse_columns(columns, model)
    if hasattr(model, "evaluate") and (
        lines or surprising or novelty or prequential or precision != "fp32"
    ):
        flags = "--lines, --surprising, --novelty, --prequential and --precision"
        what = f"{flags} need a run of `generate` over text"
        raise SettingError(what, where="evaluate", hint="leave them out")
    with open_inputs(model, data) as files:
        if hasattr(model, "evaluate"):
            with Heartbeat(follow_answer() if json else follow(False)) as progress:
                progress(Working("scoring"))
                scored = (
                    model.evaluate(files, columns.given) if columns.given else model.evaluate(files)
                )
            if notes := scored.details.get("notes"):
                scored = replace(
                    scored, details=scored.details | {"notes": restore_names(notes, files, data)}
                )
            show_scored(scored, json)
        elif prequential:
            show_prequential(model.with_precision(precision), files, json)
        else:
            show_text(
                model, files, data, EvaluateOptions(lines, surprising, novelty, precision, json)
            )


def refuse_unknown(data: Sequence[Path], verb: str) -> None:
    """Raise SettingError for a file argument that looks like an option, and is no file."""
    from ensue.errors import SettingError

    dashed = [file for file in data if str(file).startswith("-") and str(file) != "-"]
    if unknown := [file for file in dashed if not file.exists()]:
        raise SettingError(f"Unknown option: {unknown[0]}", hint=f"see `ensue {verb} --help`")


def refuse_columns(columns: LabelledColumnOptions, model: Any) -> None:
    """Raise SettingError if columns are given for a model whose request has none."""
    from ensue.errors import SettingError

    if columns.given and not isinstance(columns, model.request):
        flag, hint = next(iter(columns.given)).replace("_", "-"), "leave it out"
        raise SettingError("column flags need a run of `classify`", where=f"--{flag}", hint=hint)


@contextmanager
def open_inputs(model: Any, data: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """Yield the files, with a temporary file of the standard input in place of `-`."""
    from ensue.data.files import spool_stdin

    with ExitStack() as stack:
        yield tuple(
            stack.enter_context(spool_stdin(name=model.name_piped))[0] if str(file) == "-" else file
            for file in data
        )


@dataclass(frozen=True)
class EvaluateOptions:
    """Options of evaluating a text."""

    lines: bool
    surprising: int
    novelty: bool
    precision: Precision
    json: bool


def restore_names(note: str, files: Sequence[Path], data: Sequence[Path]) -> str:
    """Replace temporary file names in a note by the names that were given."""
    for file, named in zip(files, data, strict=True):
        note = note.replace(str(file), str(named))
    return note


def show_text(
    model: TextModel, files: Sequence[Path], data: Sequence[Path], options: EvaluateOptions
) -> None:
    """Evaluate a text and print its scores."""
    from ensue.cli.progress import Heartbeat, follow, follow_answer
    from ensue.tasks.generate import evaluation
    from ensue.training.contract import Working

    with Heartbeat(follow_answer() if options.json else follow(False)) as progress:
        progress(Working("scoring"))
        found = evaluation.evaluate(model.with_precision(options.precision), files)
        found = replace(
            found, notes=tuple(restore_names(note, files, data) for note in found.notes)
        )
        exact = found if options.precision == "fp32" else evaluation.evaluate(model, files)
        if options.novelty:
            progress(Working("searching the training data for copies"))
        novelty = evaluation.measure_novelty(model, found) if options.novelty else None
    cost = found.likelihood.bits_per_character - exact.likelihood.bits_per_character
    if options.json:
        more = {"novelty": novelty.to_json()} if novelty else {}
        print_evaluation_json(
            found,
            options.lines,
            options.surprising,
            {"precision": options.precision, "cost_of_precision": cost, **more},
        )
        return
    for note in found.notes:
        show_line(note)
    scores = found.to_json()
    intervals = scores["intervals"].items()
    show_metrics(
        {name: (scores[name], ends) for name, ends in intervals}, f"{scores['count']:,} symbols"
    )
    if options.precision != "fp32":
        print(f"{options.precision} weights: {cost:+.4f} bits per character relative to fp32")
    if novelty:
        show_line(f"novelty: {novelty}")
    if options.lines:
        show_lines(found)
    if options.surprising:
        show_surprising(found, options.surprising)


def show_scored(scored: Any, as_json: bool) -> None:
    """Print the metrics of a predictor, each with its 95 % interval."""
    from ensue.cli.output import print_json
    from ensue.cli.tables import show_table

    if as_json:
        print_json(scored.to_json())
        return
    show_metrics({name: (value, scored.intervals[name]) for name, value in scored.metrics.items()})
    for name, value in _split_tables(scored.details):
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


def _split_tables(details: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Separate tables from the other details."""
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
    from ensue.escape import shorten
    from ensue.tasks.results import format_metric

    if isinstance(value, dict):
        return ", ".join(f"{shorten(name)} {_cell(part)}" for name, part in value.items())
    return format_metric(value, ".3f") if value is None or isinstance(value, float) else str(value)


def print_evaluation_json(
    found: TextEvaluation, lines: bool, surprising: int, more: dict[str, Any]
) -> None:
    """Print an evaluation as one JSON object."""
    from dataclasses import asdict

    from ensue.cli.output import print_json

    values = found.to_json() | more
    if lines:
        values["lines"] = [asdict(line) for line in found.lines()]
    if surprising:
        values["surprising"] = [asdict(place) for place in found.surprising(surprising)]
    print_json(values)


def show_metrics(
    metrics: Mapping[str, tuple[float, Sequence[float]]], title: str | None = None
) -> None:
    """Print metrics by name, each with its 95 % interval."""
    from ensue.cli.tables import show_table
    from ensue.tasks.results import format_metric

    rows = [
        [
            name.replace("_", " "),
            format_metric(value, ".4f"),
            " to ".join(dict.fromkeys(format_metric(end, ".4f") for end in ends)),
        ]
        for name, (value, ends) in metrics.items()
    ]
    show_table(["metric", "value", "95 % interval"], rows, title=title)


def show_lines(found: TextEvaluation) -> None:
    """Print the negative log-likelihood of each line."""
    from ensue.cli.tables import show_table

    rows = [
        [str(line.line), str(line.symbols), f"{line.nats:.2f}", f"{line.nats / line.symbols:.3f}"]
        for line in found.lines()
    ]
    show_table(["line", "symbols", "nats", "nats per symbol"], rows)


def show_surprising(found: TextEvaluation, count: int) -> None:
    """Print the most surprising positions, each with the text before it."""
    from ensue.cli.progress import excerpt
    from ensue.cli.tables import show_table

    rows = [
        [str(place.line), f"{place.nats:.1f}", excerpt(place.before[-30:]), excerpt(place.symbol)]
        for place in found.surprising(count)
    ]
    show_table(["line", "nats", "context", "symbol"], rows)


def show_prequential(model: TextModel, data: Sequence[Path], as_json: bool) -> None:
    """Evaluate prequentially and print the score of each chunk."""
    from ensue.cli.output import print_json
    from ensue.cli.progress import Heartbeat, follow_answer
    from ensue.errors import SettingError
    from ensue.tasks.generate.evaluation import evaluate_prequentially
    from ensue.training.contract import Working

    if not data:
        raise SettingError(
            "prequential evaluation needs a text", where="--prequential", hint="give a FILE"
        )
    with Heartbeat(follow_answer()) as progress:
        progress(Working("scoring and training"))
        for number, point in enumerate(progress.each(evaluate_prequentially(model, data)), 1):
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
