"""The sentence that says which model to use, and how to get it where the run holds another."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ensue.evaluation.baselines import Row
from ensue.evaluation.ranking import recommended, verdict
from ensue.models.ngram import NgramSettings
from ensue.settings import flatten, to_plain
from ensue.training.run import ABOUT, Run

if TYPE_CHECKING:
    from ensue.tasks.generate import GenerateSettings


def recommend(run: Run, settings: GenerateSettings, rows: Sequence[Row]) -> str:
    """Say which model to use; the last row is the one that the run holds."""
    best, sentence = recommended(rows), verdict(rows)
    if best is rows[-1] or best.name == "uniform":
        return sentence
    return f"{sentence}; this run writes with {rows[-1].name}: get {best.name} by `{_command(run, settings, best)}`"


def _command(run: Run, settings: GenerateSettings, wanted: Row) -> str:
    """Train on the same data with the same settings, but for the model."""
    if wanted.role == "network":
        changes = ["--set", "mixture.use=never"]
    else:
        changes = ["--model", "ngram"]
        unigram = NgramSettings(order=1, smoothing="additive")
        there, usual = (to_plain(each) for each in (unigram, NgramSettings()))
        if wanted.name != "unigram":
            there = to_plain(settings.baseline)
        for key, value in flatten(there):
            changes += [] if usual.get(key) == value else ["--set", f"model.{key}={value}"]
    name = "network" if wanted.role == "network" else wanted.name
    out = run.path.with_name(f"{run.path.name}-{name}")
    words = ["ensue", "train", "generate", *run.about.get("sources", []), "--config", str(run.path / ABOUT)]
    return shlex.join([*words, *changes, "--out", str(out)])
