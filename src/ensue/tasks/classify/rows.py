"""Predictions as rows of CSV."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ensue.data.codecs.labels import LabelCodec
from ensue.escape import csv_line

if TYPE_CHECKING:
    from ensue.tasks.classify.trained import Prediction


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
        return json.dumps(
            [float(_cell(one)) if isinstance(one, float) else one for one in value],
            ensure_ascii=False,
        )
    return f"{value:.6g}" if isinstance(value, float) else str(value)
