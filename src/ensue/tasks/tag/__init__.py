"""Tag: learn one label for every step of a sequence, such as a word's class, and tell those of other sequences."""

from __future__ import annotations

from ensue.models.tagging import TAGGERS as TAGGERS
from ensue.models.tagging import TaggerSettings
from ensue.models.tagging.choosing import sized_tagger, tagger_settings
from ensue.tasks.choosing import assigned, begun, change, proposed, with_budget
from ensue.tasks.contract import REPORT, RESULT, Choices, Proposal, Task
from ensue.tasks.tag.learning import train_tagger
from ensue.tasks.tag.model import open_tagger
from ensue.tasks.tag.report import tell
from ensue.tasks.tag.settings import TagSettings


def _propose(choices: Choices) -> Proposal:
    """Fill in all settings: from the file, then from what was said, then key by key."""
    settings, values = begun(TagSettings, choices)
    reasons: list[str] = []
    if choices.model is not None:
        settings = change(settings, model=tagger_settings(choices.model))
    elif "model" not in values:
        reasons.append("model lstm, read both ways, with a CRF: the usual choice (choose with --model)")
    if choices.size is not None:
        settings = change(settings, model=sized_tagger(settings.model, choices.size))
    return proposed(assigned(with_budget(settings, choices), choices), reasons)


TAG = Task(
    name="tag",
    description="learn one label for every word of a sentence, and tell those of others",
    settings=TagSettings,
    results=(REPORT, RESULT),
    propose=_propose,
    trains=lambda settings: isinstance(settings.model, TaggerSettings),
    train=train_tagger,
    open=open_tagger,
    tell=tell,
    flags={
        "column": "data.column",
        "word": "data.word",
        "tokens": "data.tokens",
        "tags": "data.tags",
        "vectors": "vectors",
    },
)
"""The task of `ensue train tag`."""
