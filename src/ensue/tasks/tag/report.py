"""What `tag` adds to the summary and the model card: unknown words, tags and spans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ensue.escape import for_html, shorten
from ensue.tasks.document import Block, Section, bullets, paragraph, quotation
from ensue.tasks.model_card import RATES, records, sentence
from ensue.tasks.results import Report, Result
from ensue.training.folder.run import Run

LIMITS = (
    "The metrics hold for sentences like those of the test part, split into words in the same way.",
    "Plain text is split into words as in the training data if that was CoNLL-U with spacing, else "
    "by simple rules. Accuracy drops where these rules and the training data differ.",
    "The model knows only the tags of its training data, and predicts one of them for any word.",
)

SHOWN = {
    "tag_accuracy": "tag accuracy",
    "tag_accuracy_known": "known words",
    "tag_accuracy_unknown": "unknown words",
    "span_f1": "span F1",
}
MAX_TAGS = 60
"""Tags in the tables of the report; result.json holds all of them."""
HUES = ("#cfe5f5", "#fbe0c3", "#cdeee0", "#f3d3e4", "#f4efb2", "#dcdcdc", "#d8d4f0", "#bfe9ee")
"""Backgrounds of the most frequent tags; a wrong tag has a frame, and both are written too."""


def remarks(result: Result) -> list[str]:
    """Summarise unknown words, the span scheme, vectors and unseen tags, one sentence each."""
    details = result.details
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


def sections(result: Result, run: Run) -> list[Section]:
    """Show metrics by tag and type of span, and the most frequent confusions."""
    details, columns = result.details, {"count": "count", **RATES}
    types, tags = details.get("spans", {}).get("per_type", []), details["per_tag"]
    shown = {"actual": "actual", "predicted": "predicted", "count": "words"}
    errors = records(details["confusions"], shown)
    return [
        Section("Words of the test part", bullets(remarks(result))),
        Section("Metrics by type of span", records(types[:MAX_TAGS], {"name": "type", **columns})),
        Section("Metrics by tag", records(tags[:MAX_TAGS], {"name": "tag", **columns})),
        Section("Most frequent confusions", errors or [paragraph("None.")]),
        Section("First sentences of the test part", _examples(details)),
    ]


def _examples(details: Mapping[str, Any]) -> list[Block]:
    """Show each word with its predicted tag, and the actual one where that is another."""
    hues = {one["name"]: HUES[number % len(HUES)] for number, one in enumerate(details["per_tag"])}
    blocks = []
    for words in details.get("examples", ()):
        text, page = [], []
        for word, tag, actual in (map(shorten, one) for one in words):
            wrong = f" (actual {actual})" if actual != tag else ""
            text.append(f"{word}/{tag}{wrong}")
            style = f"background: {hues.get(tag)}" + "; border: 2px solid #c1440e" * bool(wrong)
            page.append(f'<span style="{style}">{for_html(word)}</span>')
            page[-1] += f"<sub>{for_html(tag + wrong)}</sub>"
        blocks.append(quotation(" ".join(text), " ".join(page)))
    return blocks


TAGS = Report(
    "tags",
    SHOWN,
    ".4f",
    LIMITS,
    (
        ("ensue tag {run} FILE.txt", "tag a text of your own"),
        ("ensue evaluate {run} FILE", "score another tagged file"),
    ),
    sections,
    remarks,
)
