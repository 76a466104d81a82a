"""Summary and model card of a run of `tag`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ensue.escape import for_markdown
from ensue.models.baselines.most_frequent_tag import MostFrequentTagSettings
from ensue.models.tagger import TaggerSettings
from ensue.settings import Settings
from ensue.tasks.contract import RESULT, Summary
from ensue.tasks.model_card import bullets, files, make_summary, model_card, sentence, table
from ensue.tasks.results import format_metric, layer_name, table_rows
from ensue.training.folder.run import Run

LIMITS = """\
- The metrics hold for sentences like those of the test part, split into words in the same way.
- Plain text is split into words as in the training data if that was CoNLL-U with spacing, else
  by simple rules. Accuracy drops where these rules and the training data differ.
- The model knows only the tags of its training data, and predicts one of them for any word."""

SHOWN = {
    "tag_accuracy": "tag accuracy",
    "tag_accuracy_known": "known words",
    "tag_accuracy_unknown": "unknown words",
    "span_f1": "span F1",
}
SPANS_FIRST = {"span_f1": SHOWN["span_f1"], **SHOWN}
"""The order of columns where models are compared by spans."""
MAX_TAGS = 60
"""Tags in the tables of the report; result.json holds all of them."""


def name_model(settings: Settings) -> str:
    """Name a model by its body and head: "bidirectional lstm 128, crf"."""
    if not isinstance(settings, TaggerSettings):
        return "most-frequent-tag" if isinstance(settings, MostFrequentTagSettings) else "hmm"
    return f"{layer_name(settings.body)}, {settings.head.name}"


def summarise(run: Run) -> Summary:
    """Summarise a finished training: table, recommendation and next commands."""
    result = run.read_json(RESULT)
    commands = (
        ("ensue tag {run} FILE.txt", "tag a text of your own"),
        ("ensue evaluate {run} FILE", "score another tagged file"),
    )
    return make_summary(run, result, _make_table(result), summary(result["details"]), commands)


def _make_table(result: Mapping[str, Any]) -> tuple[tuple[str, ...], list[list[str]]]:
    """Lay out the table; the metric that models are compared by comes first."""
    shown = SPANS_FIRST if result["details"].get("primary_metric") == "span_f1" else SHOWN
    return table_rows(result["rows"], shown, ".4f")


def summary(details: Mapping[str, Any]) -> list[str]:
    """Summarise unknown words, the span scheme, vectors and unseen tags, one sentence each."""
    lines = [
        f"{details['unknown_words']:,} of the {details['words']:,} words of the test part "
        f"are not in training"
    ]
    if "spans" in details:
        scheme = details["spans"]["scheme"]
        lines.append(f"the tags encode spans as {scheme}, scored as by conlleval")
    if "spans" in details and details.get("primary_metric") == "tag_accuracy":
        lines.append(
            "the test part has no spans, so span recall and F1 are undefined; models are "
            "compared by tag accuracy"
        )
    if "vectors" in details:
        vectors = details["vectors"]
        lines.append(
            f"{vectors['covered']:,} of the {vectors['words']:,} words of the training "
            f"part have a vector"
        )
    if "unseen_tags" in details:
        unseen = details["unseen_tags"]
        which, rest = ", ".join(unseen["tags"]), unseen["tag_accuracy_of_seen_tags"]
        lines.append(
            f"{unseen['words']:,} words of the test part have tags that training has not "
            f"({which}) and count as errors; tag accuracy on the other words is {rest:.4f}"
        )
    return list(map(sentence, lines))


def markdown(result: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write the model card (Markdown) from result.json (`result`) and run.toml (`about`)."""
    details, results = result["details"], table(*_make_table(result))
    confusions = [
        [one["actual"], one["predicted"], f"{one['count']:,}"] for one in details["confusions"]
    ]
    sections = [
        ("Results on the test part", f"{results}\n\n{bullets(summary(details))}"),
        (
            "Metrics by type of span",
            _make_rows("type", details["spans"]["per_type"]) if "spans" in details else "",
        ),
        ("Metrics by tag", _make_rows("tag", details["per_tag"])),
        (
            "Most frequent confusions",
            table(("actual", "predicted", "words"), confusions) if confusions else "None.",
        ),
        ("Data", _data(about)),
    ]
    return model_card("tags", result, sections, LIMITS, about)


def _make_rows(what: str, rows: Sequence[Mapping[str, Any]]) -> str:
    cells = [
        [
            one["name"],
            f"{one['count']:,}",
            *(format_metric(one[name], ".3f") for name in ("precision", "recall", "f1")),
        ]
        for one in rows[:MAX_TAGS]
    ]
    return table((what, "count", "precision", "recall", "F1"), cells)


def _data(about: Mapping[str, Any]) -> str:
    data = about["data"]
    parts = ", ".join(
        f"{name} {one['sentences']:,} sentences with {one['words']:,} words"
        for name, one in data["examples"].items()
    )
    return f"Read as {for_markdown(data['format'])}.\n\n{bullets(files(about))}\n\nParts: {parts}."
