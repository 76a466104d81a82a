"""Summary and model card of a run of `classify`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ensue.escape import for_markdown
from ensue.evaluation.classification import MEASURE
from ensue.models.tree import TreeSettings
from ensue.settings import Settings
from ensue.tasks.contract import RESULT, Summary
from ensue.tasks.model_card import bullets, files, make_summary, model_card, sentence, table
from ensue.tasks.results import format_metric, layer_name, table_rows
from ensue.training.folder.run import Run

LIMITS = """\
- The metrics hold for examples like those of the test part; `ensue evaluate RUN FILE` measures
  them on other data.
- Coverage and calibration hold on average over all examples, not for each label or subgroup.
- The model knows only the labels of its training data, and predicts one of them for any input."""

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


def get_columns(result: Mapping[str, Any]) -> dict[str, str]:
    """Map metrics to column heads of the table, in order.

    The main metric of the label kind comes first; the table shows its confidence interval.
    """
    first = MEASURE[result["details"].get("kind", "multiclass")][0]
    return {first: SHOWN[first], **SHOWN}


def name_model(settings: Settings) -> str:
    """Name a model by its cell or layer and its size: "lstm 128"."""
    if isinstance(settings, TreeSettings):
        return f"{settings.cell} tree {settings.width}"
    body: Any = getattr(settings, "body", None)
    if body is None:
        return str(getattr(settings, "name", ""))
    return "embedding-bag" if body.name == "none" else layer_name(body)


def summarise(run: Run) -> Summary:
    """Summarise a finished training: table, recommendation, calibration and next commands."""
    result = run.read_json(RESULT)
    commands = (
        ("ensue classify {run} FILE", "predict labels, with probabilities and prediction sets"),
        ("ensue evaluate {run} FILE", "score another labelled file"),
    )
    return make_summary(
        run,
        result,
        table_rows(result["rows"], get_columns(result), ".3f"),
        summary(result),
        commands,
    )


def summary(result: Mapping[str, Any]) -> list[str]:
    """Summarise coverage, calibration error and excluded test examples, one sentence each."""
    details = result["details"]
    sets = details["prediction_sets"]
    if "mean_size" in sets:
        what = "prediction sets"
        size = (
            f"{sets['mean_size']:.2f} labels on average"
            if sets.get("finite", True)
            else f"every label ({FEW})"
        )
    else:
        what = "prediction intervals"
        size = (
            f"no bounds ({FEW})"
            if sets["mean_width"] is None
            else f"average width {sets['mean_width']:.3g}"
        )
    target, coverage = f"{sets['target_coverage']:.0%}", f"{sets['coverage']:.1%}"
    lines = [f"{target} {what}: measured coverage {coverage}, {size}"]
    if "calibration_error" in details:
        before, after = (details["calibration_error"][when] for when in ("before", "after"))
        lines.append(f"expected calibration error {after:.1%} ({before:.1%} before calibration)")
    test = details["skipped"]["test"]
    if count := test["duplicates_of_train"]:
        lines.append(
            f"{count:,} test text is an exact duplicate of a training text"
            if count == 1
            else f"{count:,} test texts are exact duplicates of training texts"
        )
    if count := sum(test["unseen_labels"].values()):
        lines.append(
            f"{count:,} test example has a label that training has not; it is excluded from "
            f"these metrics"
            if count == 1
            else f"{count:,} test examples have labels that training has not; they are excluded "
            f"from these metrics"
        )
    return list(map(sentence, lines))


def markdown(result: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write the model card (Markdown) from result.json (`result`) and run.toml (`about`)."""
    details = result["details"]
    sections = [
        (
            "Results on the test part",
            table(*table_rows(result["rows"], get_columns(result), ".3f")),
        ),
        ("Calibration and coverage", bullets(summary(result)) + _reliability(details)),
        ("Metrics by label", _per_class(details) if "per_class" in details else ""),
        ("Confusion matrix", _confusion(details) if "confusion" in details else ""),
        ("Accuracy by share of the sequence seen", _early(details) if details["early"] else ""),
        ("Most confident errors", _mistakes(details)),
        ("Data", _data(about)),
    ]
    return model_card("labels", result, sections, LIMITS, about)


def _reliability(details: Mapping[str, Any]) -> str:
    if "reliability" not in details:
        return ""
    rows = [
        [when, f"{one['confidence']:.2f}", f"{one['accuracy']:.2f}", f"{one['count']:,}"]
        for when in ("before", "after")
        for one in details["reliability"][when]
    ]
    return "\n\n" + table(("calibration", "confidence", "accuracy", "examples"), rows)


MAX_CLASSES = 30
"""Labels in the tables of the report; result.json holds all of them."""


def _per_class(details: Mapping[str, Any]) -> str:
    rows = [
        [
            one["label"],
            f"{one['examples']:,}",
            *(format_metric(one[name], ".3f") for name in ("precision", "recall", "f1")),
        ]
        for one in details["per_class"][:MAX_CLASSES]
    ]
    return table(("label", "examples", "precision", "recall", "F1"), rows)


def _confusion(details: Mapping[str, Any]) -> str:
    names = details["labels"]
    if len(names) > MAX_CLASSES:
        return "result.json has the full table."
    rows = [[name, *map(str, row)] for name, row in zip(names, details["confusion"], strict=True)]
    return table(("actual \\ predicted", *names), rows)


def _early(details: Mapping[str, Any]) -> str:
    measure = MEASURE[details["kind"]][0]
    rows = [[f"{one['share']:.0%}", format_metric(one[measure], ".3f")] for one in details["early"]]
    return table(("share seen", SHOWN[measure]), rows)


def _mistakes(details: Mapping[str, Any]) -> str:
    last = "confidence" if "reliability" in details else "error"
    cases = any("case" in one for one in details["mistakes"])
    rows = [
        [
            *([one["case"]] if cases else []),
            f"{Path(one['file']).name}:{one['line']}",
            *(_cell(one[name]) for name in ("predicted", "actual", last)),
        ]
        for one in details["mistakes"]
    ]
    columns = (*["case"] * cases, "where", "predicted", "actual", last)
    return table(columns, rows) if rows else "None."


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _data(about: Mapping[str, Any]) -> str:
    data = about["data"]
    parts = ", ".join(f"{name} {count:,}" for name, count in data["examples"].items())
    return (
        f"Read as {for_markdown(data['format'])}.\n\n{bullets(files(about))}\n\nExamples: {parts}."
    )
