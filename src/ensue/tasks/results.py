"""The result of a training: scores, recommendation, warnings and what a verb adds to them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Finding, Listener
from ensue.data.prepare import fingerprint
from ensue.data.readers.named_parts import PartFiles, get_scored_files, group_by_part
from ensue.evaluation.intervals import Interval
from ensue.evaluation.ranking import Recommendation, best_model, explain_recommendation
from ensue.evaluation.scores import Score
from ensue.inspection import diagnostics
from ensue.settings import to_finite
from ensue.tasks.document import Section
from ensue.training.folder.run import ABOUT, METRICS, Run

CARD, PAGE, RESULT, CALIBRATION = "report.md", "report.html", "result.json", "calibration.json"


@dataclass(frozen=True)
class Result:
    """The result of a training, measured on the test part unless stated otherwise."""

    run: str
    task: str
    """Name of the task."""
    scores: tuple[Score, ...]
    """One a model; the last is the run's own."""
    recommendation: Recommendation
    selected: tuple[str, ...]
    """What was selected, and on which part."""
    warnings: tuple[str, ...]
    """Problems that were diagnosed, each with its fix."""
    notes: tuple[str, ...]
    """Notes of the training."""
    details: Mapping[str, Any]
    """Further measurements of the verb."""

    @property
    def own(self) -> Score:
        """Score of the run's own model."""
        return self.scores[-1]

    def to_json(self) -> dict[str, Any]:
        """Convert to plain JSON values; NaN and infinity become null."""
        *baselines, own = self.scores
        values = {
            "run": self.run,
            "task": self.task,
            "metrics": own.metrics,
            "baselines": {one.name: one.metrics for one in baselines},
            "rows": [one.to_json() for one in self.scores],
            **asdict(self.recommendation),
            "selected": self.selected,
            "warnings": self.warnings,
            "details": self.details,
            "notes": self.notes,
        }
        return to_finite(values)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave."""
        advice = Recommendation(*(values[one.name] for one in fields(Recommendation)))
        scores = tuple(map(Score.from_json, values["rows"]))
        same = ("run", "task", "selected", "warnings", "notes", "details")
        own = {name: values[name] for name in same}
        return cls(scores=scores, recommendation=advice, **own)


@dataclass(frozen=True)
class Report:
    """What a verb adds to the summary and the model card of a result."""

    subject: str
    """What the model is of, such as text."""
    columns: Mapping[str, str]
    """Metrics of the table with the heads of their columns, in order."""
    form: str
    """Format of the metrics, such as .3f."""
    limits: tuple[str, ...]
    """What the model cannot do."""
    commands: tuple[tuple[str, str], ...]
    """Next commands, and the purpose of each; "{run}" stands for the run."""
    sections: Callable[[Result, Run], list[Section]]
    """Make the sections of the report that other verbs have not."""
    remarks: Callable[[Result], list[str]] = lambda result: []
    """Write further lines below the table on a terminal."""
    forms: Mapping[str, str] = field(default_factory=dict)
    """Formats of the metrics that have another."""


def recommend(
    run: Run, scores: Sequence[Score], changes: Mapping[str, Sequence[str]]
) -> Recommendation:
    """Recommend a model, with the command that trains it if the run, the last one, has another.

    `changes` are the flags that train a model instead, by its name; a model that it lacks has no
    command.
    """
    best, found = best_model(scores), explain_recommendation(scores)
    if best is scores[-1] or best.name not in changes:
        return found
    words = ["ensue", "train", run.about["task"], *run.about.get("sources", [])]
    name = "network" if best.role == "network" else best.name
    out = ["--out", str(run.path.with_name(f"{run.path.name}-{name}"))]
    flags = list(changes[best.name])
    if best.role != "network" and run.about["settings"].get("pretrained"):
        flags += ["--set", "pretrained="]  # a model fitted in closed form takes nothing from it
    command = shlex.join([*words, "--config", str(run.path / ABOUT), *flags, *out])
    how = f"This run contains {scores[-1].name}. To get {best.name}: `{command}`"
    return replace(found, retrain=how)


def diagnose_labels(
    run: Run,
    scores: Sequence[Score],
    targets: Mapping[str, NDArray[Any]] = MappingProxyType({}),
    names: Sequence[str] = (),
    recalls: Iterable[tuple[str, int, float]] = (),
    size: int | None = None,
) -> list[str]:
    """Diagnose a training, on labels or tags if it has any, with a remedy for each probable fault.

    `targets` has the label of each example by part, as its place in `names`; `recalls` the name,
    test examples and recall of each label; `size` is their number, if the validation loss is in
    nats.
    """
    counts = {
        part: dict(zip(names, np.bincount(ids, minlength=len(names)).tolist(), strict=True))
        for part, ids in targets.items()
    }
    own = scores[-1]
    # A model fitted in closed form has no loss curve; the log may be that of a network.
    metrics = run.rows(METRICS) if own.role != "baseline" else []
    warnings = diagnostics.diagnose(metrics, [], size=size if own.role == "network" else None)
    unit = own.unit if own.higher else ""
    costs = get_network_costs(scores)
    return warnings + diagnostics.diagnose_labels(costs, counts, recalls, metrics, unit)


def get_network_costs(rows: Sequence[Score]) -> list[tuple[str, float]]:
    """Get names and costs of the recommended model and of the run's network.

    Empty if the network is recommended, or the run has none.
    """
    best, own = best_model(rows), rows[-1]
    if own.role == "network" and best is not own:
        return [(row.name, row.cost) for row in (best, own)]
    return []


def find_scored_files(
    run: Run, paths: Sequence[Path], settings: PartFiles, listener: Listener
) -> list[Path]:
    """Find the files to score, and report those that the run was trained on."""
    files = get_scored_files(paths, settings, listener)
    _warn_if_trained_on(run, files, listener)
    return files


def _warn_if_trained_on(run: Run, files: Sequence[Path], listener: Listener) -> None:
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
        hint = "`ensue evaluate RUN` scores the test part alone"
        listener.on_finding(Finding(str(found[0]), what, hint))


@dataclass(frozen=True)
class Scored:
    """Metrics of a trained model on other data than its training data."""

    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]
    details: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Convert to plain JSON values."""
        return asdict(self)

    def with_notes(self, findings: Iterable[Finding]) -> Scored:
        """Add notes on how the files were read, if there are any."""
        notes = "; ".join(map(str, findings))
        return replace(self, details=self.details | {"notes": notes}) if notes else self


LARGE = 1e7
"""Size from which on a metric is written with a power of ten."""


def format_metric(value: float | None, form: str) -> str:
    """Write a metric, or "none" where it is not defined or not finite.

    >>> format_metric(34384088433.9752, ".2f"), format_metric(12.5, ".2f")
    ('3.438e+10', '12.50')
    """
    if value is None or not isfinite(value):
        return "none"
    return f"{value:{form if abs(value) < LARGE else '.4g'}}"
