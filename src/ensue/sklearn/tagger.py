"""The verb `tag` as an estimator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import chain
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from ensue.data.labelled import Example
from ensue.data.split import draw_parts
from ensue.data.tagged import TaggedParts, encode_tagged
from ensue.settings import to_plain
from ensue.sklearn.estimator import Saved, as_scikit_learn_says, keep_run
from ensue.sklearn.parameters import ENOUGH, refuse_files, seed_of, with_usual_budget
from ensue.sklearn.sequences import refuse_one_text, tokens_of
from ensue.tasks import Choices
from ensue.tasks.tag import TAG
from ensue.tasks.tag.settings import TagSettings
from ensue.tasks.tag.training import fit_tagger


@dataclass(eq=False, repr=False)
class SequenceTagger(Saved, BaseEstimator):
    """Learn the tag of each token: X is a list of lists of strings, and y one of as many tags each.

    `model` and `size` are named as after `ensue train tag`; the rest is as in SequenceClassifier,
    without calibration.
    """

    model: str | None = None
    _: KW_ONLY
    size: Any = None
    minutes: float | None = None
    epochs: int | None = None
    settings: Sequence[str] = ()
    random_state: Any = 0

    def fit(self, X: Any, y: Any) -> SequenceTagger:
        """Learn from sentences and their tags. Raises ValueError for what cannot be learned
        from; sets `classes_`."""
        sentences, tags = _sentences(X, y), _tags(y)
        self.classes_ = np.array(sorted(tags.values()))
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has one tag, {self.classes_.tolist()[0]!r}; give sentences with two or more"
            )
        with as_scikit_learn_says():
            settings = self._settings(len(sentences))
            parts = _parts(sentences, settings, sorted(tags))
        examples = {name: {"sentences": len(one)} for name, one in parts.parts.items()}
        data = {"format": "lists", "files": {}, "examples": examples}
        about = {"task": "tag", "sources": [], "settings": to_plain(settings), "data": data}
        self.run_ = keep_run(about, lambda run, watch: fit_tagger(run, settings, parts, watch))
        return self

    def predict(self, X: Any) -> list[list[Any]]:
        """Give the likeliest tags of each sentence together, strings or whole numbers as they
        were in y."""
        check_is_fitted(self)
        refuse_one_text(X)
        named = {str(tag): tag for tag in self.classes_.tolist()}
        with as_scikit_learn_says():
            found = self.run_.opened.tag(
                [tokens_of(tokens, place) for place, tokens in enumerate(X)]
            )
        return [[named[tag] for tag in own] for own in found]

    def score(self, X: Any, y: Any) -> float:
        """Give the share of tokens whose tag is right."""
        true = [tag for one in _sentences(X, y) for tag in one.label]
        said = map(str, chain(*self.predict(X)))
        return float(np.mean([one == other for one, other in zip(said, true, strict=True)]))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.target_tags.required = True
        return tags

    def _settings(self, count: int) -> TagSettings:
        said = {name: getattr(self, name) for name in ("model", "size", "minutes", "epochs")}
        proposal = TAG.propose(
            Choices(**said, seed=seed_of(self.random_state), assignments=list(self.settings))
        )
        settings: Any = proposal.settings
        if settings.vectors:
            raise ValueError(
                "an estimator has no use for a file of vectors; train with `ensue train "
                "tag --vectors`"
            )
        refuse_files(settings.data)
        training = with_usual_budget(settings.training, self.minutes, count)
        return settings.model_copy(update={"training": training})


def _sentences(X: Any, y: Any) -> list[Example]:
    refuse_one_text(X)
    if isinstance(y, str | bytes):
        raise ValueError(
            f"y is one text, {y!r:.40}, and has to be a list of tags for each sentence"
        )
    check_consistent_length(X, y)
    if y is None or not len(X):
        raise ValueError(
            "y is None, and has to be a list of tags for each sentence"
            if y is None
            else "X is empty"
        )
    sentences = []
    for place, (tokens, tags) in enumerate(zip(X, y, strict=True)):
        if isinstance(tags, str | bytes):
            raise ValueError(f"y[{place}] is one text, {tags!r:.40}, and has to be a list of tags")
        words, label = tokens_of(tokens, place), [str(tag) for tag in tags]
        if len(words) != len(label):
            raise ValueError(
                f"y[{place}] has {len(label)} tags for the {len(words)} tokens of X[{place}]"
            )
        sentences.append(Example({"words": words}, label, "X", place + 1))
    return sentences


def _tags(y: Any) -> dict[str, Any]:
    """Give every tag by its string: all are strings, or all are whole numbers. Raises
    ValueError."""
    tags = {tag.item() if isinstance(tag, np.generic) else tag for own in y for tag in own}
    if not any(all(type(tag) is kind for tag in tags) for kind in (str, int)):
        odd = sorted({type(tag).__name__ for tag in tags} - {"str"})
        raise ValueError(
            f"y has tags of type {', '.join(odd)}; give all as strings, or all as whole numbers"
        )
    return {str(tag): tag for tag in tags}


def _parts(sentences: Sequence[Example], settings: TagSettings, tags: list[str]) -> TaggedParts:
    """Hold out what is chosen on, where there is enough, and encode."""
    shares = (
        {"validation": settings.data.validation} if len(sentences) >= ENOUGH["validation"] else {}
    )
    drawn = draw_parts(shares, settings.seed, np.zeros(len(sentences)))
    taught = {tag for row in drawn["train"] for tag in sentences[row].label}
    parts = {"train": [sentences[row] for row in drawn["train"]], "validation": []}
    for row in drawn.get("validation", ()):  # one that has a tag of its own is learned from
        parts["validation" if taught.issuperset(sentences[row].label) else "train"].append(
            sentences[row]
        )
    codec = settings.codec.fit([one.content for one in parts["train"]], ())
    encoded = {name: encode_tagged(part, codec, tags) for name, part in parts.items() if part}
    return TaggedParts({"validation": encoded["train"], **encoded}, codec, tags, len(tags), {}, ())
