"""The check of sequences of records, for `generate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ensue.data.check.contract import Report, compute_quantiles
from ensue.data.steps import ReadSteps, encode_steps, read_steps


def check_steps(report: Report, files: Sequence[Path], settings: Any) -> None:
    """Read and split all sequences, and describe their columns, as a training would."""
    report.format, report.described = "steps", "sequences of records (choose with --format)"
    with report.attempt(files[0]):
        read = read_steps(files, settings.data, 0, report.listener)
        _report_columns(report, read)
        encode_steps(read, report.listener)


def _report_columns(report: Report, read: ReadSteps) -> None:
    """Report the parts, and what each column holds."""
    every: list[Any] = [one.content for own in read.parts.values() for one in own]
    lengths = [len(next(iter(content.values()))) for content in every]
    report.tables["parts"] = [
        {"part": part, "sequences": len(own)} for part, own in read.parts.items()
    ]
    report.tables["lengths"] = [compute_quantiles("steps", lengths)]
    whole = {name: [content[name] for content in every] for name in every[0]}
    report.tables["numbers"] = [
        {
            "column": name,
            "least": float(numbers.min()),
            "mean": float(numbers.mean()),
            "most": float(numbers.max()),
        }
        for name, values in whole.items()
        if not isinstance(values[0], list) and (numbers := np.concatenate(values)).size
    ]
    report.tables["symbols"] = [
        {"column": name, "distinct": len({one for column in values for one in column})}
        for name, values in whole.items()
        if isinstance(values[0], list)
    ]
