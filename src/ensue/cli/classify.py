"""`ensue classify`: predict labels of texts, or of the examples of a file."""

from __future__ import annotations

import json as codec
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App

from ensue.cli.flags import FLAGS, Typed, read_data
from ensue.cli.output import csv_line, write_answers
from ensue.tasks.classify import ClassifyRequest

if TYPE_CHECKING:
    from ensue.data.codecs.labels import LabelCodec
    from ensue.tasks.classify.trained import Prediction

app = App(name="classify")


@app.default
def classify(
    run: Path,
    data: Typed,
    /,
    *,
    request: Annotated[ClassifyRequest, FLAGS] = ClassifyRequest(),  # noqa: B008 - it is frozen
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Predict labels; writes CSV rows with label, probabilities and prediction set.

    Args:
        run: Run folder.
        data: File or folder in the format of training (labels may be missing), a text, or - for
            standard input.
        out: Output file; by default the standard output.
        json: Write JSON Lines, one object an example.
    """
    from ensue.cli.progress import answering
    from ensue.data.tables.long import LONG_ROWS

    given = read_data(data, out, "classify", (".txt", ".ts", *LONG_ROWS))
    with answering(run, "classify", request, given, "classifying") as (model, found):
        write_answers(found, out, None if json else lambda found: format_rows(found, model.labels))


def format_rows(predictions: Iterable[Prediction], labels: LabelCodec) -> Iterator[str]:
    """Yield lines of CSV: the columns of the first example, then the columns of the prediction."""
    is_number, columns = labels.kind == "regression", []
    names = ("standard_deviation",) if is_number else labels.names
    ours = ["predicted", *(name if is_number else f"p({name})" for name in names), "prediction_set"]
    for number, prediction in enumerate(predictions):
        own = dict(prediction.example.row) or {"text": prediction.example.content}
        if number == 0:
            columns = list(own)
            yield csv_line([f"{name} (data)" if name in ours else name for name in columns] + ours)
        probabilities = [prediction.probabilities.get(name) for name in names]
        figures = [
            "" if one is None else f"{one:.6g}" if is_number else f"{one:.4f}"
            for one in probabilities
        ]
        given = [own.get(name, "") for name in columns]
        yield csv_line([*given, _cell(prediction.label), *figures, _cell(list(prediction.set))])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return codec.dumps(
            [float(_cell(one)) if isinstance(one, float) else one for one in value],
            ensure_ascii=False,
        )
    return f"{value:.6g}" if isinstance(value, float) else str(value)
