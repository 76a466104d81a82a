"""The verb `classify` as an estimator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from ensue.data.codecs import CONTENTS
from ensue.data.codecs.labels import LabelCodec, label_names
from ensue.data.labelled import Content
from ensue.data.labelled_parts import LabelledParts, encode
from ensue.data.readers.in_memory import InMemoryReader
from ensue.data.split import draw_parts
from ensue.evaluation.predictions import Predictions
from ensue.settings import to_plain
from ensue.sklearn.estimator import RunEstimator, Saved, as_scikit_learn_says, keep_run
from ensue.sklearn.parameters import ENOUGH, refuse_files, seed_of, with_usual_budget
from ensue.sklearn.sequences import VALUE, Form, contents_of, form_of
from ensue.tasks import Choices
from ensue.tasks.classify import CLASSIFY
from ensue.tasks.classify.pretrained import pretrained_codec
from ensue.tasks.classify.settings import ClassifySettings
from ensue.tasks.classify.training import fit_classifier

READERS: dict[Form, str] = {
    "table": "series_file",
    "sequences": "series_file",
    "tokens": "table",
    "texts": "table",
}
"""What reads files that hold the same; the task proposes by it, and a run that is saved reads
such files."""


@dataclass(eq=False, repr=False)
class SequenceClassifier(Saved, ClassifierMixin, BaseEstimator):
    """Learn the class of a sequence: of numbers (samples, steps) or (samples, steps, channels), a
    list of sequences of unequal length, texts, or lists of tokens; NaN is a number that is missing.

    `model`, `size` and `codec` are named as after `ensue train classify`, which chooses them where
    they are None. Without `minutes` or `epochs` there are at least 10 passes over the data, and 200
    updates. `settings` are strings as after `--set`. The same `random_state` gives the same
    classifier, unless it has `minutes`.

    From 100 samples on a tenth of them chooses when to stop, and from 1,000 on another tenth
    calibrates probabilities; `data.validation` and `data.calibration` set these shares.
    """

    model: str | None = None
    _: KW_ONLY
    size: Any = None
    codec: str | None = None
    minutes: float | None = None
    epochs: int | None = None
    settings: Sequence[str] = ()
    random_state: Any = 0

    def fit(self, X: Any, y: Any) -> SequenceClassifier:
        """Learn from samples and their classes. Raises ValueError for what cannot be learned from.

        Sets `classes_`, `form_` (what X was), and `n_features_in_`: the steps of a table, else the
        channels.
        """
        form = form_of(X)
        for name in vars(self).keys() & {"n_features_in_", "feature_names_in_"}:
            delattr(self, name)
        if form == "table":
            X, y = validate_data(self, X, y, ensure_all_finite="allow-nan")
        else:
            y = column_or_1d(y, warn=True)
            check_consistent_length(X, y)
        check_classification_targets(y)
        self.classes_, places = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has one class, {self.classes_.tolist()[0]!r}; give samples of two or more"
            )
        contents = contents_of(X, form)
        if form == "sequences":
            self.n_features_in_ = np.shape(cast("Any", contents[0])[VALUE])[1]
        self.form_: Form = form
        self.run_ = self._learned(contents, places)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Give the likeliest class of each sample, (samples,)."""
        best = self._answers(X).best
        return self.classes_[best]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Give the probability of each class, (samples, classes), in the order of `classes_`."""
        return self._answers(X).probabilities

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Give the logarithm of the probability of each class, (samples, classes)."""
        return self._answers(X).scores

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = tags.input_tags.allow_nan = True
        # To scikit-learn a table of anything may be fitted where this is true; here strings are
        # samples, or tokens.
        tags.input_tags.string = False
        return tags

    def _answers(self, X: Any) -> Predictions:
        check_is_fitted(self)
        if self.form_ == "table":
            X = validate_data(self, X, ensure_all_finite="allow-nan", reset=False)
        with as_scikit_learn_says():
            return self.run_.opened.predictions(contents_of(X, self.form_))

    def _learned(self, contents: Sequence[Content], places: NDArray[np.integer]) -> RunEstimator:
        with as_scikit_learn_says():
            settings = self._settings(len(contents))
            parts = _parts(contents, places, _names(self.classes_), settings)
        examples = {name: len(one.examples) for name, one in parts.parts.items()}
        data = {
            "format": settings.data.reader.name,
            "reading": to_plain(settings.data),
            "files": {},
            "examples": examples,
        }
        about = {"task": "classify", "sources": [], "settings": to_plain(settings), "data": data}
        return keep_run(about, lambda run, watch: fit_classifier(run, settings, parts, watch))

    def _settings(self, count: int) -> ClassifySettings:
        """Fill in all settings as the task does it, for so many samples."""
        said = {
            name: getattr(self, name) for name in ("model", "size", "codec", "minutes", "epochs")
        }
        said["codec"] = self.codec or ("measurements" if self.form_ == "tokens" else None)
        assignments = [f"data.reader.name={READERS[self.form_]}", *self.settings]
        proposal = CLASSIFY.propose(
            Choices(**said, seed=seed_of(self.random_state), assignments=assignments)
        )
        settings: Any = proposal.settings
        refuse_files(settings.data)
        training = with_usual_budget(settings.training, self.minutes, count)
        return settings.model_copy(update={"training": training})


def _names(classes: NDArray[Any]) -> tuple[str, ...]:
    """Give classes the names that they have in files; their places, where two have the same."""
    names = tuple(label_names(one, "", "multiclass")[0] for one in classes.tolist())
    return names if len(set(names)) == len(names) else tuple(map(str, range(len(names))))


def _parts(
    contents: Sequence[Content],
    places: NDArray[np.integer],
    names: tuple[str, ...],
    settings: ClassifySettings,
) -> LabelledParts:
    """Hold out what is chosen and calibrated on, where there is enough, and encode."""
    shares = {
        name: getattr(settings.data, name)
        for name, least in ENOUGH.items()
        if len(contents) >= least
    }
    drawn = draw_parts(shares, settings.seed, places)
    train = [contents[row] for row in drawn["train"]]
    fit = CONTENTS[cast("Any", settings.codec).name].fit
    codec = (
        pretrained_codec(settings.pretrained) if settings.pretrained else fit(train, settings.codec)
    )
    labels, encoded = LabelCodec("multiclass", names), {}
    for name, rows in drawn.items():
        listed = InMemoryReader(
            [contents[row] for row in rows], [names[places[row]] for row in rows]
        )
        encoded[name] = encode(
            listed.examples(), codec, labels, settings.data.max_length, ("examples",)
        )
    return LabelledParts({"validation": encoded["train"], **encoded}, codec, labels, ("examples",))
