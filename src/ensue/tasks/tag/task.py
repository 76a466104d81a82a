"""The task `tag`: one label for every word of a sentence, such as its part of speech."""

from __future__ import annotations

from functools import partial

from ensue.errors import SettingError
from ensue.models.names import is_network
from ensue.tasks.contract import Choices, Proposal, Task
from ensue.tasks.pipeline import train
from ensue.tasks.proposal import apply_overrides, finish, load_config, with_budget, with_model
from ensue.tasks.tag.report import TAGS
from ensue.tasks.tag.settings import MODELS, TagSettings
from ensue.tasks.tag.trained import open_tagger
from ensue.tasks.tag.training import TRAINING


def _propose(choices: Choices) -> Proposal:
    """Fill in all settings: the file first, then flags, then `--set` assignments."""
    settings, values = load_config(TagSettings, choices)
    reasons: list[str] = []
    if choices.model is None and "model" not in values:
        reasons.append(
            "model lstm, bidirectional, with a CRF: the standard tagger (choose with --model)"
        )
    settings = with_model(settings, choices, MODELS)
    settings = apply_overrides(with_budget(settings, choices), choices)
    if settings.vectors and not is_network(settings.model):
        what = f"the model {settings.model.name} takes no word vectors"
        raise SettingError(what, where="--vectors", hint="leave it out")
    return finish(settings, reasons, choices)


TASK = Task(
    name="tag",
    settings=TagSettings,
    models=MODELS,
    propose=_propose,
    train=partial(train, TRAINING),
    open=open_tagger,
    report=TAGS,
)
"""The task of `ensue train tag`."""
