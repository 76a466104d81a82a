"""SequenceTagger: the task `tag` as a scikit-learn estimator."""

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
from ensue.sklearn.estimator import RunMixin, train_run, user_errors_as_value_errors
from ensue.sklearn.parameters import MIN_SAMPLES, get_choices, refuse_files, with_default_budget
from ensue.sklearn.sequences import refuse_one_text, to_tokens
from ensue.tasks.pipeline import fit
from ensue.tasks.tag.settings import TagSettings
from ensue.tasks.tag.task import TASK
from ensue.tasks.tag.training import TRAINING


@dataclass(eq=False, repr=False)
class SequenceTagger(RunMixin, BaseEstimator):
    """Tagger of tokens: X is a list of lists of strings, and y a list of as many tags each.

    `model` and `size` have the names of `ensue train tag`. The other parameters are those of
    SequenceClassifier; there is no calibration.
    """

    model: str | None = None
    _: KW_ONLY
    size: Any = None
    minutes: float | None = None
    epochs: int | None = None
    settings: Sequence[str] = ()
    random_state: Any = 0

    def fit(self, X: Any, y: Any) -> SequenceTagger:
        """Fit on sentences and their tags. Raises ValueError for invalid X or y.

        Sets `classes_`.
        """
        sentences, tags = _to_examples(X, y), _index_tags(y)
        self.classes_ = np.array(sorted(tags.values()))
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has one tag, {self.classes_.tolist()[0]!r}; give sentences with two or more"
            )
        with user_errors_as_value_errors():
            settings = self._settings(len(sentences))
            parts = _split_and_encode(sentences, settings, sorted(tags))
        examples = {name: {"sentences": len(one)} for name, one in parts.streams.items()}
        data = {"format": "lists", "files": {}, "examples": examples}
        about = {"task": "tag", "sources": [], "settings": to_plain(settings), "data": data}
        self.run_ = train_run(
            about, lambda run, on_event: fit(TRAINING, run, settings, parts, on_event)
        )
        return self

    def predict(self, X: Any) -> list[list[Any]]:
        """Predict the most likely tag sequence of each sentence, of the same type as in y."""
        check_is_fitted(self)
        refuse_one_text(X)
        tags = {str(tag): tag for tag in self.classes_.tolist()}
        with user_errors_as_value_errors():
            predicted = self.run_.opened.tag(
                [to_tokens(tokens, place) for place, tokens in enumerate(X)]
            )
        return [[tags[tag] for tag in own] for own in predicted]

    def score(self, X: Any, y: Any) -> float:
        """Compute the tag accuracy: the share of tokens whose predicted tag is the true one."""
        true = [tag for one in _to_examples(X, y) for tag in one.label]
        predicted = map(str, chain(*self.predict(X)))
        return float(np.mean([one == other for one, other in zip(predicted, true, strict=True)]))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.target_tags.required = True
        return tags

    def _settings(self, count: int) -> TagSettings:
        names = ("model", "size", "minutes", "epochs")
        proposal = TASK.propose(
            get_choices(self, names, assignments=["mixture.use=never", *self.settings])
        )
        settings: Any = proposal.settings
        if settings.vectors:
            raise ValueError(
                "vectors: an estimator reads no files; leave it out, or use `ensue train tag`"
            )
        refuse_files(settings.data)
        training = with_default_budget(settings.training, self.minutes, count)
        return settings.model_copy(update={"training": training})


def _to_examples(X: Any, y: Any) -> list[Example]:
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
        words, label = to_tokens(tokens, place), [str(tag) for tag in tags]
        if len(words) != len(label):
            raise ValueError(
                f"y[{place}] has {len(label)} tags for the {len(words)} tokens of X[{place}]"
            )
        sentences.append(Example({"words": words}, label, "X", place + 1))
    return sentences


def _index_tags(y: Any) -> dict[str, Any]:
    """Index the tags by their strings. Raises ValueError unless all are strings or all integers."""
    tags = {tag.item() if isinstance(tag, np.generic) else tag for own in y for tag in own}
    if not any(all(type(tag) is kind for tag in tags) for kind in (str, int)):
        types = sorted({type(tag).__name__ for tag in tags} - {"str"})
        raise ValueError(
            f"y has tags of type {', '.join(types)}; give all as strings, or all as integers"
        )
    return {str(tag): tag for tag in tags}


def _split_and_encode(
    sentences: Sequence[Example], settings: TagSettings, tags: list[str]
) -> TaggedParts:
    """Split off a validation part, if there are enough sentences, and encode all."""
    shares = (
        {"validation": settings.data.validation}
        if len(sentences) >= MIN_SAMPLES["validation"]
        else {}
    )
    rows = draw_parts(shares, settings.seed, np.zeros(len(sentences)))
    train_tags = {tag for row in rows["train"] for tag in sentences[row].label}
    parts = {"train": [sentences[row] for row in rows["train"]], "validation": []}
    for row in rows.get("validation", ()):
        # A sentence with a tag that training has not goes to training, so that all are learned.
        known = train_tags.issuperset(sentences[row].label)
        parts["validation" if known else "train"].append(sentences[row])
    codec = settings.codec.fit([one.content for one in parts["train"]], ())
    encoded = {name: encode_tagged(part, codec, tags) for name, part in parts.items() if part}
    # Without a validation part the network is validated on the training part.
    return TaggedParts({"validation": encoded["train"], **encoded}, codec, tags, len(tags))
