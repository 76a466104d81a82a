"""`ensue classify`: predict labels of texts, or of the examples of a file."""

from __future__ import annotations

import csv
import json as codec
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ensue.cli.train.options import NewColumnOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ensue.data.codecs.labels import LabelCodec
    from ensue.tasks.classify.trained import Prediction

app = App(name="classify")


@app.default
def classify(
    run: Path,
    data: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    columns: Annotated[NewColumnOptions, Parameter(name="*")] = NewColumnOptions(),  # noqa: B008 - it is frozen
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
    from ensue import api
    from ensue.cli.output import Output, as_json, print_json, refuse_overwriting
    from ensue.cli.progress import Heartbeat, follow_answer
    from ensue.data.contract import Listener
    from ensue.tasks.classify.inputs import read_inputs
    from ensue.training.contract import Working

    refuse_overwriting(data, out)
    with Heartbeat(follow_answer(data)) as progress:
        progress(Working("opening the run"))
        model = api.open(run, "classify")
        progress(Working("classifying"))
        predictions = progress.each(
            read_inputs(model, data, Listener(progress.note), columns.given)
        )
        if json and out is None:
            for prediction in predictions:
                print_json(prediction.to_json())
        elif out is not None:
            from ensue.atomic_io import write_atomically

            text = StringIO(newline="")
            if json:
                text.writelines(f"{as_json(prediction.to_json())}\n" for prediction in predictions)
            else:
                write_rows(predictions, model.labels, text)
            write_atomically(out, text.getvalue().encode())
        else:
            write_rows(predictions, model.labels, Output())


def write_rows(predictions: Iterable[Prediction], labels: LabelCodec, file: Any) -> None:
    """Write CSV rows: the columns of the first example, then the columns of the prediction."""
    rows = csv.writer(file, lineterminator="\n")
    is_number, columns = labels.kind == "regression", []
    names = ("standard_deviation",) if is_number else labels.names
    ours = ["predicted", *(name if is_number else f"p({name})" for name in names), "prediction_set"]
    for number, prediction in enumerate(predictions):
        own = dict(prediction.example.row) or {"text": prediction.example.content}
        if number == 0:
            columns = list(own)
            rows.writerow([f"{name} (data)" if name in ours else name for name in columns] + ours)
        probabilities = [prediction.probabilities.get(name) for name in names]
        figures = [
            "" if one is None else f"{one:.6g}" if is_number else f"{one:.4f}"
            for one in probabilities
        ]
        given = [own.get(name, "") for name in columns]
        rows.writerow([*given, _cell(prediction.label), *figures, _cell(list(prediction.set))])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return codec.dumps(
            [float(_cell(one)) if isinstance(one, float) else one for one in value],
            ensure_ascii=False,
        )
    return f"{value:.6g}" if isinstance(value, float) else str(value)
