"""The task `tag`: one label for every word of a sentence, such as its part of speech."""

from __future__ import annotations

from typing import Any

from ensue.errors import SettingError
from ensue.models.names import is_network
from ensue.tasks.contract import Choices, Proposal
from ensue.tasks.pipeline import make_task
from ensue.tasks.proposal import propose
from ensue.tasks.tag.settings import MODELS, TagSettings
from ensue.tasks.tag.trained import open_tagger
from ensue.tasks.tag.training import TRAINING


def _propose(choices: Choices) -> Proposal:
    """Fill in all settings: the file first, then flags, then `--set` assignments."""
    why = "model lstm, bidirectional, with a CRF: the standard tagger"
    proposal = propose(TagSettings, MODELS, why, choices)
    settings: Any = proposal.settings
    if settings.vectors and not is_network(settings.model):
        what = f"the model {settings.model.name} takes no word vectors"
        raise SettingError(what, where="--vectors", hint="leave it out")
    return proposal


TASK = make_task(TRAINING, _propose, open_tagger)
"""The task of `ensue train tag`."""
