"""What `classify` adds to the summary and the model card: calibration, labels and errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ensue.evaluation.classification import MEASURE
from ensue.inspection.pictures import MAX_CONFUSION, draw_confusion, draw_line, draw_reliability
from ensue.tasks.document import Block, Section, bullets, paragraph, picture, table
from ensue.tasks.model_card import RATES, records, sentence
from ensue.tasks.results import Report, Result
from ensue.training.folder.run import Run

LIMITS = (
    "The metrics hold for examples like those of the test part; `ensue evaluate RUN FILE` measures "
    "them on other data.",
    "Coverage and calibration hold on average over all examples, not for each label or subgroup.",
    "The model knows only the labels of its training data, and predicts one of them for any input.",
)

FEW = "too few calibration examples; 9 are needed"
"""Why prediction sets hold every label, and intervals have no bounds."""

SHOWN = {
    "accuracy": "accuracy",
    "label_accuracy": "label accuracy",
    "node_accuracy": "node accuracy",
    "macro_f1": "macro F1",
    "auc": "AUC",
    "mae": "MAE",
    "rmse": "RMSE",
    "coverage": "90 % coverage",
}


def remarks(result: Result) -> list[str]:
    """Summarise coverage, calibration error and excluded test examples, one sentence each."""
    details = result.details
    sets = details["prediction_sets"]
    if "mean_size" in sets:
        what, size = "prediction sets", f"{sets['mean_size']:.2f} labels on average"
        if not sets.get("finite", True):
            size = f"every label ({FEW})"
    elif sets["mean_width"] is None:
        what, size = "prediction intervals", f"no bounds ({FEW})"
    else:
        what, size = "prediction intervals", f"average width {sets['mean_width']:.3g}"
    target, coverage = f"{sets['target_coverage']:.0%}", f"{sets['coverage']:.1%}"
    lines = [f"{target} {what}: measured coverage {coverage}, {size}"]
    if "calibration_error" in details:
        before, after = (details["calibration_error"][when] for when in ("before", "after"))
        lines.append(f"expected calibration error {after:.1%} ({before:.1%} before calibration)")
    test = details["skipped"]["test"]
    if count := test["duplicates_of_train"]:
        several = "texts are exact duplicates of training texts"
        which = "text is an exact duplicate of a training text" if count == 1 else several
        lines.append(f"{count:,} test {which}")
    if count := sum(test["unseen_labels"].values()):
        several = "examples have labels that training has not; they are excluded"
        which = "example has a label that training has not; it is excluded"
        lines.append(f"{count:,} test {which if count == 1 else several} from these metrics")
    return list(map(sentence, lines))


def sections(result: Result, run: Run) -> list[Section]:
    """Show calibration, metrics by label, confusions, shares of the sequence, and errors."""
    details, measure = result.details, MEASURE[result.details["kind"]][0]
    reliability, labels = details.get("reliability", {}), details.get("per_class", [])
    bins = [{"when": when, **one} for when, every in reliability.items() for one in every]
    heads = {name: name for name in ("confidence", "accuracy")} | {"count": "examples"}
    early = [{**one, "share": f"{one['share']:.0%}"} for one in details["early"]]
    calibration = [*bullets(remarks(result)), *records(bins, {"when": "calibration", **heads})]
    if reliability:
        caption = "Accuracy by confidence; a larger dot stands for more examples."
        calibration.insert(-1, picture(caption, draw_reliability, reliability))
    shares = records(early, {"share": "share seen", measure: SHOWN[measure]})
    if early:
        points = [[one[name] for one in details["early"]] for name in ("share", measure)]
        names = "share of the sequence seen", SHOWN[measure]
        shares.insert(0, picture("All test examples.", draw_line, *points, names))
    by_label = {"label": "label", "examples": "examples", **RATES}
    return [
        Section("Calibration and coverage", calibration),
        Section("Metrics by label", records(labels[:MAX_CLASSES], by_label)),
        Section("Confusion matrix", _confusion(details) if "confusion" in details else []),
        Section("Accuracy by share of the sequence seen", shares),
        Section("Most confident errors", _mistakes(details["mistakes"]) or [paragraph("None.")]),
    ]


MAX_CLASSES = 30
"""Labels in the tables of the report; result.json holds all of them."""


def _confusion(details: Mapping[str, Any]) -> list[Block]:
    names, counts = details["labels"], details["confusion"]
    rows = [[name, *map(str, row)] for name, row in zip(names, counts, strict=True)]
    caption = f"At most {MAX_CONFUSION} labels, those with the most errors; colour: share of a row."
    full = table(("actual \\ predicted", *names), rows)
    return [
        picture(caption, draw_confusion, names, counts),
        full if len(names) <= MAX_CLASSES else paragraph("result.json has the full table."),
    ]


def _mistakes(mistakes: Sequence[Mapping[str, Any]]) -> list[Block]:
    rows = [{**one, "where": f"{Path(one['file']).name}:{one['line']}"} for one in mistakes]
    names = ("case", "where", "predicted", "actual", "confidence", "error")
    return records(rows, {name: name for name in names if any(name in one for one in rows)}, ".4g")


LABELS = Report(
    "labels",
    SHOWN,
    ".3f",
    LIMITS,
    (
        ("ensue classify {run} FILE", "predict labels, with probabilities and prediction sets"),
        ("ensue evaluate {run} FILE", "score another labelled file"),
    ),
    sections,
    remarks,
)
