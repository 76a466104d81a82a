"""The result of a training, for result.json, the model card and the table."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Finding, Listener
from ensue.data.prepare import fingerprint
from ensue.data.readers.named_parts import group_by_part
from ensue.evaluation.intervals import Interval
from ensue.evaluation.ranking import Recommendation, best_model, explain_recommendation
from ensue.evaluation.scores import Score
from ensue.layers import RecurrentSettings
from ensue.settings import to_finite
from ensue.tasks.contract import REPORT, RESULT
from ensue.training.folder.run import ABOUT, Run


@dataclass(frozen=True)
class Result:
    """The result of a training, measured on the test part unless stated otherwise."""

    run: str
    task: str
    """Name of the task."""
    rows: tuple[Score, ...]
    """One score a model; the last is the run's own."""
    recommendation: Recommendation
    selected: tuple[str, ...]
    """What was selected, and on which part."""
    details: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    """Problems that were diagnosed, each with its fix."""

    def to_json(self) -> dict[str, Any]:
        """Convert to plain JSON values."""
        *baselines, own = self.rows
        return {
            "run": self.run,
            "task": self.task,
            "metrics": dict(own.metrics),
            "baselines": {row.name: dict(row.metrics) for row in baselines},
            "rows": [row.to_json() for row in self.rows],
            **asdict(self.recommendation),
            "selected": list(self.selected),
            "warnings": list(self.warnings),
            "details": dict(self.details),
        }


def conclude(
    run: Run,
    result: Mapping[str, Any],
    markdown: Callable[[Mapping[str, Any], Mapping[str, Any]], str],
) -> None:
    """Write the model card and result.json, both with the notes of the training.

    NaN and infinity become null. The result is written last: it marks the run as finished.
    """
    run.write(REPORT, markdown(result, run.about).encode())
    complete = {**result, "notes": list(run.about.get("notes", []))}
    run.write(RESULT, json.dumps(to_finite(complete), indent=1).encode())


def recommend(run: Run, rows: Sequence[Score], models: Mapping[str, str]) -> Recommendation:
    """Recommend a model, with the command that trains it if the run contains another.

    `models` maps names in the table to values of `--model`; a model that it lacks has no command.
    """
    best, found = best_model(rows), explain_recommendation(rows)
    if best is rows[-1] or best.name not in models:
        return found
    name = models[best.name]
    retrain = retrain_command(run, rows[-1].name, best.name, name, ["--model", name])
    return replace(found, retrain=retrain)


def retrain_command(run: Run, own: str, wanted: str, name: str, changes: Sequence[str]) -> str:
    """Write the command that trains another model on the data and settings of a run, with some
    changes.
    """
    words = [
        "ensue",
        "train",
        run.about["task"],
        *run.about.get("sources", []),
        "--config",
        str(run.path / ABOUT),
    ]
    out = run.path.with_name(f"{run.path.name}-{name}")
    command = shlex.join([*words, *changes, "--out", str(out)])
    return f"This run contains {own}. To get {wanted}: `{command}`"


def get_network_costs(rows: Sequence[Score]) -> list[tuple[str, float]]:
    """Get names and costs of the recommended model and of the run's network.

    Empty if the network is recommended, or the run has none.
    """
    best, own = best_model(rows), rows[-1]
    return (
        [(row.name, row.cost) for row in (best, own)]
        if own.role == "network" and best is not own
        else []
    )


def count_labels(ids: NDArray[np.integer], names: Sequence[str]) -> dict[str, int]:
    """Count the examples of each label, by name."""
    return dict(zip(names, np.bincount(ids, minlength=len(names)).tolist(), strict=True))


def warn_if_trained_on(run: Run, files: Sequence[Path], listener: Listener) -> None:
    """Report files that the run was trained on: the same path, or the same bytes."""
    data, known = run.about["settings"]["data"], run.about["data"]["files"]
    held_out = [
        Path(data[name]).resolve() for name in ("test_file", "valid_file") if data.get(name)
    ]
    if data.get("split") == "auto" and (parts := group_by_part([Path(name) for name in known])):
        held_out += [
            path.resolve() for part, own in parts.items() if part != "train" for path in own
        ]
    trained = {Path(name).resolve(): one for name, one in known.items()}
    trained = {
        path: one for path, one in trained.items() if not {path, *path.parents} & {*held_out}
    }
    prints = fingerprint(dict.fromkeys(files, ""), lambda _: None)
    if found := [
        file for file in files if file.resolve() in trained or prints[str(file)] in trained.values()
    ]:
        more = f" and {len(found) - 1:,} more" * (len(found) > 1)
        what = f"the run was trained on this file{more}, so its metrics are better than on new data"
        listener.on_finding(
            Finding(str(found[0]), what, "`ensue evaluate RUN` scores the test part alone")
        )


@dataclass(frozen=True)
class Scored:
    """Metrics of a trained model on other data than its training data."""

    metrics: dict[str, float]
    intervals: dict[str, Interval]
    details: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Convert to plain JSON values."""
        return asdict(self)


def layer_name(body: Any) -> str:
    """Name a network by its cell or layer and its size.

    >>> (layer_name(RecurrentSettings(cell="gru", width=8)),
    ...  layer_name(RecurrentSettings(cell="lstm", width=8, depth=2)))
    ('gru 8', 'lstm 2 x 8')
    """
    cell = RecurrentSettings(cell=body.cell).program().name if hasattr(body, "cell") else ""
    ways = "" if cell and isinstance(body, RecurrentSettings) else body.name
    width, depth = getattr(body, "width", ""), getattr(body, "depth", 1)
    return " ".join(filter(None, (ways, Path(cell).stem, f"{depth} x" * (depth > 1), str(width))))


def format_metric(value: float | None, form: str) -> str:
    """Write a metric, or "none" where it is not defined."""
    return "none" if value is None or np.isnan(value) else f"{value:{form}}"


def table_rows(
    rows: Sequence[Mapping[str, Any]], shown: Mapping[str, str], form: str
) -> tuple[tuple[str, ...], list[list[str]]]:
    """Write rows of `Score.to_json` as columns and cells of a table.

    `shown` maps metrics to their columns, in order. The first metric has its interval too.
    """
    names = [name for name in shown if name in rows[-1]["metrics"]]
    columns = (
        "model",
        *(shown[name] for name in names),
        f"95 % interval of {shown[names[0]]}",
        "training time",
        "parameters",
    )
    cells = [
        [
            row["name"],
            *(
                format_metric(row["metrics"][name], form) if name in row["metrics"] else ""
                for name in names
            ),
            " to ".join(
                dict.fromkeys(format_metric(end, form) for end in row["intervals"][names[0]])
            ),
            f"{row['seconds']:.1f} s",
            f"{row['parameters']:,}",
        ]
        for row in rows
    ]
    return columns, cells
