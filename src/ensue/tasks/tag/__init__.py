"""Tag: learn one label for every step of a sequence, such as a word's class, and tell those of other sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from ensue.models.tagging import TAGGERS, TaggerSettings
from ensue.models.tagging.choosing import sized_tagger, tagger_settings
from ensue.settings import Settings, read
from ensue.tasks.choosing import assigned, change, read_config, with_budget
from ensue.tasks.contract import Choices, Proposal, Task, Told
from ensue.tasks.tag.learning import REPORT, RESULT, train_tagger
from ensue.tasks.tag.model import TagModel, open_tagger
from ensue.tasks.tag.report import tell
from ensue.tasks.tag.settings import TagSettings
from ensue.training.contract import Watch
from ensue.training.devices import choose_device
from ensue.training.run import Run

COUNTED = {name: kind for name, kind in TAGGERS.items() if kind is not TaggerSettings}


class Tag(Task):
    """The task of `ensue train tag`."""

    name = "tag"
    description = "learn one label for every word of a sentence, and tell those of others"
    settings = TagSettings
    flags: ClassVar[Mapping[str, str]] = {
        "column": "data.column",
        "tokens": "data.tokens",
        "tags": "data.tags",
        "vectors": "vectors",
    }
    results = (REPORT, RESULT)

    def propose(self, choices: Choices) -> Proposal:
        """Fill in all settings: from the file, then from what was said, then key by key."""
        values = read_config(choices.config)
        settings = read(TagSettings, values, where=str(choices.config) if choices.config else None)
        reasons: list[str] = []
        if choices.model is not None:
            settings = change(settings, model=tagger_settings(choices.model, COUNTED))
        elif "model" not in values:
            reasons.append("model lstm, read both ways, with a CRF: the usual choice (choose with --model)")
        if choices.size is not None:
            settings = change(settings, model=sized_tagger(settings.model, choices.size))
        return Proposal(assigned(with_budget(settings, choices), choices), tuple(reasons))

    def train(self, run: Run, settings: Settings, data: Sequence[Path], watch: Watch) -> TagModel:
        """Train in a run until its budget is spent."""
        assert isinstance(settings, TagSettings)
        return train_tagger(run, settings, data, watch)

    def going_on(self, settings: Settings, choices: Choices) -> Settings:
        """Give the settings of a training that goes on with another budget, or on another device."""
        assert isinstance(settings, TagSettings)
        settings = with_budget(settings, choices)
        if isinstance(settings.model, TaggerSettings):
            choose_device(settings.training.machine)
        return settings

    def tell(self, run: Run) -> Told:
        """Tell what came of a training that has finished."""
        return tell(run)

    def open(self, run: Run) -> TagModel:
        """Give what a run has learned."""
        return open_tagger(run, read(TagSettings, run.about["settings"], where=str(run.path / "run.toml")))
