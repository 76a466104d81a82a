"""The result of a training of `tag`, and the model card that tells it to a person."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ensue.layers import BidirectionalSettings, RecurrentSettings
from ensue.models.tagging import FrequentTagSettings, TaggerSettings
from ensue.settings import Settings
from ensue.tasks.card import ailing, bullets, card, files, look_at, sentence, table
from ensue.tasks.contract import Told
from ensue.tasks.outcome import Result, cells
from ensue.training.run import Run

LIMITS = """\
- The figures hold for sentences like those of the test part, and for words cut as they are there.
- Plain text is cut into words by simple rules; where these differ from those of the training data, tags get worse.
- It knows the tags that it was trained on, and gives one of them to whatever it is shown."""

SHOWN = {
    "tag_accuracy": "tags",
    "tag_accuracy_known": "known words",
    "tag_accuracy_unknown": "unknown words",
    "span_f1": "span F1",
}
MOST_TAGS = 60
"""Tags of which the report has a table; result.json has those of all."""


def name_of(settings: Settings) -> str:
    """Name a model by its body and head: "bidirectional lstm 128, crf"."""
    if not isinstance(settings, TaggerSettings):
        return "most-frequent-tag" if isinstance(settings, FrequentTagSettings) else "hmm"
    body = getattr(settings.body, "layer", settings.body)
    kind = body.name
    if isinstance(body, BidirectionalSettings):
        kind = f"bidirectional {Path(RecurrentSettings(cell=body.cell).program().name).stem}"
    size = f"{body.depth} x {body.width}" if getattr(body, "depth", 1) > 1 else str(body.width)
    return f"{kind} {size}, {settings.head.name}"


def tell(run: Run) -> Told:
    """Tell what came of a training: the table, the sentence, and what to try next."""
    result = json.loads(run.read("result.json"))
    columns, rows = cells(result["rows"], SHOWN, digits=4)
    lines = (sentence(result["verdict"]), *map(look_at, result["symptoms"]), *map(sentence, summary(result["details"])))
    name = shlex.quote(str(run.path))
    commands = (
        (f"ensue tag {name} FILE.txt", "tag a text of your own"),
        (f"ensue evaluate {name} FILE", "score another tagged file"),
    )
    return Told(columns, rows, lines, commands)


def summary(details: Mapping[str, Any]) -> list[str]:
    """Say what the figures are about."""
    unknown = f"{details['unknown_words']:,} of the {details['words']:,} words of the test part are not in training"
    said = [unknown]
    if "spans" in details:
        said.append(f"the tags write spans as {details['spans']['scheme']}, counted as conlleval counts them")
    if "vectors" in details:
        vectors = details["vectors"]
        said.append(f"{vectors['covered']:,} of the {vectors['words']:,} words of the training part have a vector")
    if "unseen_tags" in details:
        unseen = details["unseen_tags"]
        which, rest = ", ".join(unseen["tags"]), unseen["tag_accuracy_of_the_others"]
        what = f"{unseen['words']:,} words of the test part have tags that were never in training ({which})"
        said.append(f"{what} and count as wrong; of the others {rest:.4f} are right")
    return said


def markdown(result: Result, about: Mapping[str, Any]) -> str:
    """Write the model card; `about` is what run.toml says."""
    columns, rows = cells([row.to_json() for row in result.rows], SHOWN, digits=4)
    details = result.details
    confusions = [[one["true"], one["said"], f"{one['count']:,}"] for one in details["confusions"]]
    sections = [
        ("", f"# {result.run}: a model of tags\n\n{sentence(result.verdict)}"),
        (
            "Results on the test part",
            f"{table(columns, rows)}\n\n{bullets([sentence(one) for one in summary(details)])}",
        ),
        *([("By type of span", _table("type", details["spans"]["per_type"]))] if "spans" in details else []),
        ("By tag", _table("tag", details["per_tag"])),
        ("Commonest confusions", table(("true", "said", "words"), confusions) if confusions else "None."),
        ("Data", _data(about)),
        ("What was chosen, and on which part", bullets(result.chosen) or "Nothing."),
        ("What seems to be wrong", ailing(result.symptoms)),
        ("Limits", LIMITS),
    ]
    return card(sections, about)


def _table(what: str, rows: Sequence[Mapping[str, Any]]) -> str:
    laid = [
        [one["name"], f"{one['count']:,}", *(f"{one[name]:.3f}" for name in ("precision", "recall", "f1"))]
        for one in rows[:MOST_TAGS]
    ]
    return table((what, "there", "precision", "recall", "F1"), laid)


def _data(about: Mapping[str, Any]) -> str:
    data = about["data"]
    parts = ", ".join(
        f"{name} {one['sentences']:,} sentences with {one['words']:,} words" for name, one in data["examples"].items()
    )
    return f"Read as {data['kind']}.\n\n{bullets(files(about))}\n\nParts: {parts}."
