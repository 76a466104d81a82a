"""What the training of `tag` has of its own: its baselines, metrics and diagnostics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ensue.data.tagged import TaggedParts, count_covered
from ensue.evaluation.scores import Measured, Score
from ensue.evaluation.tagging import (
    BATCH_SIZE,
    TaggedTruth,
    distribute_tags,
    make_truth,
    predict_tags,
    score_changes,
)
from ensue.models.baselines.hmm import HMMSettings
from ensue.models.names import is_network
from ensue.models.pool import Pool
from ensue.settings import Settings
from ensue.tasks.fitting import Fitted, mean_nats
from ensue.tasks.results import diagnose_labels
from ensue.tasks.tag.data import DATA
from ensue.tasks.tag.report import TAGS
from ensue.tasks.tag.settings import MODELS
from ensue.tasks.tag.trained import TagModel
from ensue.tasks.training import HeldOut, Training
from ensue.training.contract import Callback, Note
from ensue.training.folder.run import Run

MANY_TAGS = 500
"""Tags above which models of tag pairs are slow: 64 sentences of 1,000 tags take 256 MB a word."""


class TagTraining(Training[TaggedParts]):
    """The training of `tag`."""

    source = DATA
    models = MODELS
    report = TAGS

    def baselines(self, settings: Any, data: TaggedParts, on_event: Callback) -> list[Settings]:
        """Choose the baselines other than the run's own model.

        Models of tag pairs cost the square of the tags: with many, the HMM is not fitted, and a CRF
        gets a note.
        """
        baselines = super().baselines(settings, data, on_event)
        if data.known_tags > MANY_TAGS:
            on_event(Note(f"hmm: not fitted, since {data.known_tags:,} tags make too many pairs"))
            baselines = [one for one in baselines if not isinstance(one, HMMSettings)]
            if is_network(settings.model) and settings.model.head.name == "crf":
                what = "a CRF of so many tags is slow"
                on_event(Note(f"{what} (--set model.head=softmax tags words separately)"))
        return baselines

    def build(self, settings: Any, data: TaggedParts) -> Any:
        """Build a model; word vectors are a part of a network."""
        return settings.model.build(data.sizes, data.vectors)

    def size(self, data: TaggedParts) -> tuple[int, str]:
        """Count the words."""
        return int(data["train"].offsets[-1]), "words"

    def count_examples(self, data: TaggedParts) -> int:
        """Count the sentences."""
        return len(data["train"])

    @torch.no_grad()
    def held_out(self, fitted: Fitted, data: TaggedParts) -> HeldOut:
        """Score the tag of each word of the validation part by its marginal probability."""
        part, truth = data["validation"], _truth(data, "validation")
        found, predicted = np.zeros(len(truth.true)), np.zeros_like(truth.true)
        for places, distribution in distribute_tags(fitted.model, part):
            real = distribution.real
            marginals = distribution.marginals[real].cpu().double().numpy()
            found[places] = marginals[np.arange(len(places)), truth.true[places]]
            predicted[places] = distribution.mode[real].cpu().numpy()
        with np.errstate(divide="ignore"):
            logs = np.log(found)
        return HeldOut(
            logs, np.repeat(part.static["sentence"], part.lengths), truth.losses(predicted)
        )

    def mix(self, members: Sequence[Fitted], weights: Any, data: TaggedParts) -> Pool:
        """Mix taggers; tags of spans follow each other as their scheme allows."""
        return Pool([one.model for one in members], weights, score_changes(data))

    def predict(self, fitted: Fitted, data: TaggedParts) -> Any:
        """Predict the most likely tag sequences."""
        return predict_tags(fitted.model, data["test"])

    def score(
        self, fitted: Fitted, data: TaggedParts, predicted: Any, calibration: None
    ) -> Measured:
        """Measure a model by tags, and by spans if the tags encode any."""
        measured = _truth(data, "test").measure(predicted)
        if fitted.role == "baseline" and data.known_tags == len(data.tags):
            # A line beside the learning curve; a tag that training lacks would cost infinity.
            nats = measured.count * mean_nats(fitted.model, data["test"], BATCH_SIZE)
            measured = replace(measured, totals={"nats": nats})
        return measured

    def trained(self, run: Run, fitted: Fitted, data: TaggedParts, calibration: None) -> TagModel:
        """Make the tagger."""
        tags = data.tags[: data.known_tags]
        return TagModel(run, fitted.model, data.codec, tags, data.tokenizer)

    def measure(self, trained: TagModel, data: TaggedParts, predicted: Any) -> dict[str, Any]:
        """Measure the model by tag and by type of span."""
        truth = _truth(data, "test")
        details = truth.details(predicted)
        spans = truth.get_comparison_spans(predicted) is not None
        details["primary_metric"] = "span_f1" if spans else "tag_accuracy"
        both = np.array(data.tags, dtype=object)[[predicted, truth.true]].T
        # Of each word its text, and its predicted and its actual tag.
        details["examples"] = [
            [(word, *tags) for word, tags in zip(words, both[begin:].tolist(), strict=False)]
            for words, begin in zip(data.first, truth.offsets.tolist(), strict=False)
        ]
        if data.vectors is not None:
            details["vectors"] = dict(zip(("covered", "words"), count_covered(data), strict=True))
        return details

    def diagnose(
        self, run: Run, data: TaggedParts, scores: Sequence[Score], details: Mapping[str, Any]
    ) -> list[str]:
        """Describe each probable fault of the training, with its fix."""
        known = data.tags[: data.known_tags]
        recalls = (
            (one["name"], one["count"], one["recall"])
            for one in details["per_tag"]
            if one["name"] in known
        )
        targets = {part: one.steps["target"] for part, one in data.streams.items()}
        return diagnose_labels(run, scores, targets, data.tags, recalls, data.known_tags)


TRAINING = TagTraining()


def _truth(data: TaggedParts, part: str) -> TaggedTruth:
    return make_truth(data[part], data.tags, data.known_tags)
