"""The result of a training of `classify`, and the model card that tells it to a person."""

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
- The figures hold for examples like those of the test part; `ensue evaluate RUN FILE` gives
  those of others.
- What is promised of sets and probabilities holds in the mean of all examples, not of each kind
  of them.
- It knows the labels that it was trained on, and gives one of them to whatever it is shown."""

FEW = "for want of examples to calibrate on (9 are needed)"
"""Why sets, or intervals, hold everything."""

SHOWN = {
    "accuracy": "accuracy",
    "label_accuracy": "label accuracy",
    "node_accuracy": "of all nodes",
    "macro_f1": "macro F1",
    "auc": "AUC",
    "mae": "MAE",
    "rmse": "RMSE",
    "coverage": "in 90 %",
}


def shown(result: Mapping[str, Any]) -> dict[str, str]:
    """Name the figures of the table; first the one that the labels are about, which has its
    interval there."""
    first = MEASURE[result["details"].get("kind", "multiclass")][0]
    return {first: SHOWN[first], **SHOWN}


def name_of(settings: Settings) -> str:
    """Name a model by its cell or layer and its size: "lstm 128"."""
    if isinstance(settings, TreeSettings):
        return f"{settings.cell} tree {settings.width}"
    body: Any = getattr(settings, "body", None)
    if body is None:
        return str(getattr(settings, "name", ""))
    return "embedding-bag" if body.name == "none" else layer_name(body)


def summarise(run: Run) -> Summary:
    """Tell what came of a training: the table, the sentence, how sure the model is, and what to
    try next."""
    result = run.read_json(RESULT)
    commands = (
        ("ensue classify {run} FILE", "label other examples, with probabilities and sets"),
        ("ensue evaluate {run} FILE", "score another file with labels"),
    )
    return make_summary(
        run, result, table_rows(result["rows"], shown(result), ".3f"), summary(result), commands
    )


def summary(result: Mapping[str, Any]) -> list[str]:
    """Say in a few sentences how far the model of the run may be trusted."""
    details, name = result["details"], result["rows"][-1]["name"]
    sets, said = details["prediction_sets"], []
    if "mean_size" in sets:
        size = (
            f"{sets['mean_size']:.2f} labels in the mean"
            if sets.get("finite", True)
            else f"every label, {FEW}"
        )
    else:
        size = (
            f"no bounds, {FEW}"
            if sets["mean_width"] is None
            else f"a width of {sets['mean_width']:.3g} in the mean"
        )
    held = (
        f"sets of {name} that promise {sets['target_coverage']:.0%} hold what is true of "
        f"{sets['coverage']:.1%}"
    )
    said.append(f"{held}, with {size}")
    if "calibration_error" in details:
        before, after = (details["calibration_error"][when] for when in ("before", "after"))
        said.append(
            f"its probabilities are {after:.1%} off in the mean; before they were "
            f"calibrated, {before:.1%}"
        )
    test = details["skipped"]["test"]
    if test["duplicates_of_train"]:
        said.append(
            f"{test['duplicates_of_train']:,} texts of the test part stand in training "
            f"too, letter for letter"
        )
    if test["unseen_labels"]:
        count = f"labels of {sum(test['unseen_labels'].values()):,} in the test part"
        said.append(f"{count} were never in training, and are none of these figures")
    return list(map(sentence, said))


def markdown(result: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write the model card, from what result.json and run.toml (`about`) say."""
    details = result["details"]
    sections = [
        ("Results on the test part", table(*table_rows(result["rows"], shown(result), ".3f"))),
        ("Calibration and coverage", bullets(summary(result)) + _reliability(details)),
        ("By label", _per_class(details) if "per_class" in details else ""),
        ("Confusions", _confusion(details) if "confusion" in details else ""),
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


MOST_CLASSES = 30
"""Labels of which the report has a table; result.json has those of all."""


def _per_class(details: Mapping[str, Any]) -> str:
    rows = [
        [
            one["label"],
            f"{one['examples']:,}",
            *(format_metric(one[name], ".3f") for name in ("precision", "recall", "f1")),
        ]
        for one in details["per_class"][:MOST_CLASSES]
    ]
    return table(("label", "examples", "precision", "recall", "F1"), rows)


def _confusion(details: Mapping[str, Any]) -> str:
    names = details["labels"]
    if len(names) > MOST_CLASSES:
        return "result.json has the whole table."
    rows = [[name, *map(str, row)] for name, row in zip(names, details["confusion"], strict=True)]
    return table(("actual \\ predicted", *names), rows)


def _early(details: Mapping[str, Any]) -> str:
    measure = MEASURE[details["kind"]][0]
    rows = [[f"{one['share']:.0%}", format_metric(one[measure], ".3f")] for one in details["early"]]
    return table(("of each sequence", SHOWN[measure]), rows)


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
    return (
        table((*["case"] * cases, "where", "predicted", "actual", last), rows) if rows else "None."
    )


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _data(about: Mapping[str, Any]) -> str:
    data = about["data"]
    parts = ", ".join(f"{name} {count:,}" for name, count in data["examples"].items())
    return (
        f"Read as {for_markdown(data['format'])}.\n\n{bullets(files(about))}\n\nExamples: {parts}."
    )
