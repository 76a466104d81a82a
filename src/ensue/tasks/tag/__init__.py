"""Tag: learn one label for every step of a sequence, such as a word's class, and tell those of
other sequences."""

from __future__ import annotations

from ensue.models.taggers import TAGGERS as TAGGERS
from ensue.models.taggers import TaggerSettings, resize_tagger, tagger_settings
from ensue.tasks.contract import REPORT, RESULT, Choices, Proposal, Task
from ensue.tasks.proposal import apply_overrides, change, finish, load_config, with_budget
from ensue.tasks.tag.report import summarise
from ensue.tasks.tag.settings import TagSettings
from ensue.tasks.tag.trained import open_tagger
from ensue.tasks.tag.training import train_tagger


def _propose(choices: Choices) -> Proposal:
    """Fill in all settings: from the file, then from what was said, then key by key."""
    settings, values = load_config(TagSettings, choices)
    reasons: list[str] = []
    if choices.model is not None:
        settings = change(settings, model=tagger_settings(choices.model))
    elif "model" not in values:
        reasons.append(
            "model lstm, read both ways, with a CRF: the usual choice (choose with --model)"
        )
    if choices.size is not None:
        settings = change(settings, model=resize_tagger(settings.model, choices.size))
    return finish(apply_overrides(with_budget(settings, choices), choices), reasons)


TAG = Task(
    name="tag",
    description="learn one label for every word of a sentence, and tell those of others",
    settings=TagSettings,
    results=(REPORT, RESULT),
    propose=_propose,
    trains=lambda settings: isinstance(settings.model, TaggerSettings),
    train=train_tagger,
    open=open_tagger,
    summarise=summarise,
    flags={
        "column": "data.column",
        "word": "data.word",
        "tokens": "data.tokens",
        "tags": "data.tags",
        "vectors": "vectors",
    },
)
"""The task of `ensue train tag`."""
