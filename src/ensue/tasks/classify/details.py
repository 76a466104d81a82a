"""What is worth knowing beside the figures: confusions, reliability, sets, early answers, the surest mistakes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ensue.data.partition import Parts
from ensue.evaluation.answers import Answers
from ensue.evaluation.calibration import expected_error, nats, reliability
from ensue.evaluation.classification import confusion, figures, per_class, worst
from ensue.evaluation.conformal import covered, sets
from ensue.tasks.classify.asking import targets
from ensue.tasks.classify.model import LabelModel

SHARES = tuple(tenth / 10 for tenth in range(1, 11))
"""Of each sequence, which the model is shown, to see how early it knows."""

MISTAKES, MOST_CONFUSED = 20, 1000
"""How many mistakes are named, and of how many labels there is a table of all pairs, which grows with their square."""


def details_of(model: LabelModel, parts: Parts, raw: Answers) -> dict[str, Any]:
    """Give the details on the test part; `raw` are its answers before calibration."""
    labels, encoded, calibration = parts.labels, parts.parts["test"], model.calibration
    true, answers = targets(encoded.examples, labels), raw.at(calibration.temperature)
    found: dict[str, Any] = {
        "kind": labels.kind,
        "labels": list(labels.names),
        "left_out": parts.to_json()["left_out"],
        "nats": {"before": nats(raw, true), "after": nats(answers, true)},
        "temperature": calibration.temperature,
        "sets": _sets(answers, true, model),
        "early": _early(model, parts, true),
        "mistakes": _mistakes(answers, true, parts),
    }
    if labels.kind != "number":
        found["reliability"] = {"before": reliability(raw, true), "after": reliability(answers, true)}
        found["calibration_error"] = {when: expected_error(curve) for when, curve in found["reliability"].items()}
        found["per_class"] = per_class(answers, true, labels.names)
    if labels.kind in ("single", "ordinal") and labels.size <= MOST_CONFUSED:
        found["confusion"] = confusion(answers.best, true, labels.size).tolist()
    return found


def _sets(answers: Answers, true: Any, model: LabelModel) -> dict[str, Any]:
    bound, bounded = model.calibration.bound, bool(np.isfinite(model.calibration.bound))
    share = float(covered(answers, true, bound).mean())
    found = {"promised": model.calibration.promised, "covered": share, "bounded": bounded}
    if answers.kind == "number":
        return found | {"mean_width": float(bound * answers.scores[:, 1:].sum(1).mean()) if bounded else None}
    return found | {"mean_size": float(sets(answers, bound).sum(1).mean())}


def _early(model: LabelModel, parts: Parts, true: Any) -> list[dict[str, float]]:
    """Give the figures after a share of the steps of each example; of a part of a tree there are none."""
    found = []
    if model.content.shape.children:
        return found
    for share in SHARES:
        answers = model.ask(parts["test"].beginnings(share))
        found.append({"share": share, **figures(answers, true)(np.arange(len(true)))})
    return found


def _mistakes(answers: Answers, true: Any, parts: Parts) -> list[dict[str, Any]]:
    """Name the examples by file and line, those that the model was surest of first."""
    whole, cases, found = parts["test"].whole, parts.parts["test"].cases, []
    for row in worst(answers, true, MISTAKES).tolist():
        place: dict[str, Any] = {"file": parts.files[int(whole["file"][row])], "line": int(whole["line"][row])}
        place |= {"case": cases[row]} if cases else {}
        said, there = (parts.labels.named(one[row]) for one in (answers.best, true))
        of_number = answers.kind == "number"
        how = {"off": said - there} if of_number else {"sure": float(answers.confidence[row])}
        found.append({**place, "said": said, "true": there, **how})
    return found
