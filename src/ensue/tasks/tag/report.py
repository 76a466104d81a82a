"""The result of a training of `tag`, and the model card that tells it to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ensue.escape import for_markdown
from ensue.models.taggers import MostFrequentTagSettings, TaggerSettings
from ensue.settings import Settings
from ensue.tasks.contract import RESULT, Summary
from ensue.tasks.model_card import bullets, files, make_summary, model_card, sentence, table
from ensue.tasks.results import format_metric, layer_name, table_rows
from ensue.training.folder.run import Run

LIMITS = """\
- The figures hold for sentences like those of the test part, and for words cut as they are there.
- Plain text is cut into words as in the training data where that was CoNLL-U with its spacing,
  else by simple rules;
  where these differ from the words of the training data, tags get worse.
- It knows the tags that it was trained on, and gives one of them to whatever it is shown."""

SHOWN = {
    "tag_accuracy": "tags",
    "tag_accuracy_known": "known words",
    "tag_accuracy_unknown": "unknown words",
    "span_f1": "span F1",
}
SPANS_FIRST = {"span_f1": SHOWN["span_f1"], **SHOWN}
"""The same where models are compared by spans."""
MOST_TAGS = 60
"""Tags of which the report has a table; result.json has those of all."""


def name_of(settings: Settings) -> str:
    """Name a model by its body and head: "bidirectional lstm 128, crf"."""
    if not isinstance(settings, TaggerSettings):
        return "most-frequent-tag" if isinstance(settings, MostFrequentTagSettings) else "hmm"
    return f"{layer_name(settings.body)}, {settings.head.name}"


def summarise(run: Run) -> Summary:
    """Tell what came of a training: the table, the sentence, and what to try next."""
    result = run.read_json(RESULT)
    commands = (
        ("ensue tag {run} FILE.txt", "tag a text of your own"),
        ("ensue evaluate {run} FILE", "score another tagged file"),
    )
    return make_summary(run, result, _laid(result), summary(result["details"]), commands)


def _laid(result: Mapping[str, Any]) -> tuple[tuple[str, ...], list[list[str]]]:
    """Lay out the table; the figure that models are compared by stands first, with its interval."""
    shown = SPANS_FIRST if result["details"].get("judged_by") == "span_f1" else SHOWN
    return table_rows(result["rows"], shown, ".4f")


def summary(details: Mapping[str, Any]) -> list[str]:
    """Say what the figures are about."""
    unknown = (
        f"{details['unknown_words']:,} of the {details['words']:,} words of the test part "
        f"are not in training"
    )
    said = [unknown]
    if "spans" in details:
        said.append(
            f"the tags write spans as {details['spans']['scheme']}, counted as conlleval "
            f"counts them"
        )
    if "spans" in details and details.get("judged_by") == "tag_accuracy":
        said.append(
            "the test part has no spans, so their recall and F1 are not defined: models "
            "are compared by tags"
        )
    if "vectors" in details:
        vectors = details["vectors"]
        said.append(
            f"{vectors['covered']:,} of the {vectors['words']:,} words of the training "
            f"part have a vector"
        )
    if "unseen_tags" in details:
        unseen = details["unseen_tags"]
        which, rest = ", ".join(unseen["tags"]), unseen["tag_accuracy_of_the_others"]
        what = (
            f"{unseen['words']:,} words of the test part have tags that were never in "
            f"training ({which})"
        )
        said.append(f"{what} and count as wrong; of the others {rest:.4f} are right")
    return list(map(sentence, said))


def markdown(result: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write the model card, from what result.json and run.toml (`about`) say."""
    details, laid = result["details"], table(*_laid(result))
    confusions = [
        [one["actual"], one["predicted"], f"{one['count']:,}"] for one in details["confusions"]
    ]
    sections = [
        ("Results on the test part", f"{laid}\n\n{bullets(summary(details))}"),
        (
            "By type of span",
            _table("type", details["spans"]["per_type"]) if "spans" in details else "",
        ),
        ("By tag", _table("tag", details["per_tag"])),
        (
            "Commonest confusions",
            table(("actual", "predicted", "words"), confusions) if confusions else "None.",
        ),
        ("Data", _data(about)),
    ]
    return model_card("tags", result, sections, LIMITS, about)


def _table(what: str, rows: Sequence[Mapping[str, Any]]) -> str:
    laid = [
        [
            one["name"],
            f"{one['count']:,}",
            *(format_metric(one[name], ".3f") for name in ("precision", "recall", "f1")),
        ]
        for one in rows[:MOST_TAGS]
    ]
    return table((what, "there", "precision", "recall", "F1"), laid)


def _data(about: Mapping[str, Any]) -> str:
    data = about["data"]
    parts = ", ".join(
        f"{name} {one['sentences']:,} sentences with {one['words']:,} words"
        for name, one in data["examples"].items()
    )
    return f"Read as {for_markdown(data['format'])}.\n\n{bullets(files(about))}\n\nParts: {parts}."
