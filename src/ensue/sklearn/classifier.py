"""SequenceClassifier: the task `classify` as a scikit-learn estimator."""

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
from ensue.sklearn.estimator import RunEstimator, RunMixin, train_run, user_errors_as_value_errors
from ensue.sklearn.parameters import MIN_SAMPLES, get_choices, refuse_files, with_default_budget
from ensue.sklearn.sequences import VALUE, Form, detect_form, to_contents
from ensue.tasks.classify.settings import ClassifySettings
from ensue.tasks.classify.task import TASK
from ensue.tasks.classify.training import TRAINING
from ensue.tasks.pipeline import fit
from ensue.tasks.pretrained import pretrained_codec

READERS: dict[Form, str] = {
    "table": "series_file",
    "sequences": "series_file",
    "tokens": "table",
    "texts": "table",
}
"""Format of files with the same content as X: defaults depend on it, and a saved run reads it."""


@dataclass(eq=False, repr=False)
class SequenceClassifier(RunMixin, ClassifierMixin, BaseEstimator):
    """Classifier of sequences of numbers, texts, or lists of tokens.

    X is an array (samples, steps) or (samples, steps, channels), or a list of sequences of unequal
    length, texts, or lists of tokens. NaN is a missing number.

    `model`, `size` and `codec` have the names of `ensue train classify`, which chooses those that
    are None. Without `minutes` or `epochs` training takes at least 10 epochs and 200 updates.
    `settings` are assignments as after `--set`. The same `random_state` gives the same classifier,
    except with `minutes`.

    With 100 samples or more, a tenth of them is the validation part, for early stopping. With 1,000
    or more, another tenth is the calibration part, for probabilities. `data.validation` and
    `data.calibration` set these shares.
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
        """Fit on samples and their classes. Raises ValueError for invalid X or y.

        Sets `classes_`, `form_` (the kind of X), and `n_features_in_`: the steps of a table, else
        the channels.
        """
        form = detect_form(X)
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
        contents = to_contents(X, form)
        if form == "sequences":
            self.n_features_in_ = np.shape(cast("Any", contents[0])[VALUE])[1]
        self.form_: Form = form
        self.run_ = self._fit_run(contents, places)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the most likely class of each sample, (samples,)."""
        best = self._predictions(X).best
        return self.classes_[best]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict class probabilities, (samples, classes), in the order of `classes_`."""
        return self._predictions(X).probabilities

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict log probabilities, (samples, classes), in the order of `classes_`."""
        return self._predictions(X).scores

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = tags.input_tags.allow_nan = True
        # True would mean to scikit-learn that tables of strings are valid; here strings are
        # samples, or tokens.
        tags.input_tags.string = False
        return tags

    def _predictions(self, X: Any) -> Predictions:
        check_is_fitted(self)
        if self.form_ == "table":
            X = validate_data(self, X, ensure_all_finite="allow-nan", reset=False)
        with user_errors_as_value_errors():
            return self.run_.opened.predictions(to_contents(X, self.form_))

    def _fit_run(self, contents: Sequence[Content], places: NDArray[np.integer]) -> RunEstimator:
        with user_errors_as_value_errors():
            settings = self._settings(len(contents))
            parts = _split_and_encode(contents, places, _name_classes(self.classes_), settings)
        examples = {name: len(one.examples) for name, one in parts.parts.items()}
        data = {
            "format": settings.data.reader.name,
            "settings": to_plain(settings.data),
            "files": {},
            "examples": examples,
        }
        about = {"task": "classify", "sources": [], "settings": to_plain(settings), "data": data}
        return train_run(about, lambda run, on_event: fit(TRAINING, run, settings, parts, on_event))

    def _settings(self, count: int) -> ClassifySettings:
        """Fill in all settings for `count` samples, as the task does."""
        codec = self.codec or ("measurements" if self.form_ == "tokens" else None)
        alone = "mixture.use=never"  # the validation part may be the training part
        assignments = [alone, f"data.reader.name={READERS[self.form_]}", *self.settings]
        names = ("model", "size", "minutes", "epochs")
        proposal = TASK.propose(get_choices(self, names, codec=codec, assignments=assignments))
        settings: Any = proposal.settings
        refuse_files(settings.data)
        training = with_default_budget(settings.training, self.minutes, count)
        return settings.model_copy(update={"training": training})


def _name_classes(classes: NDArray[Any]) -> tuple[str, ...]:
    """Name classes as in files; number them where two have the same name, such as 1 and "1"."""
    names = tuple(label_names(one, "", "multiclass")[0] for one in classes.tolist())
    return names if len(set(names)) == len(names) else tuple(map(str, range(len(names))))


def _split_and_encode(
    contents: Sequence[Content],
    places: NDArray[np.integer],
    names: tuple[str, ...],
    settings: ClassifySettings,
) -> LabelledParts:
    """Split off validation and calibration parts, if there are enough samples, and encode all."""
    shares = {
        name: getattr(settings.data, name)
        for name, min_samples in MIN_SAMPLES.items()
        if len(contents) >= min_samples
    }
    rows_by_part = draw_parts(shares, settings.seed, places)
    train = [contents[row] for row in rows_by_part["train"]]
    fit = CONTENTS[cast("Any", settings.codec).name].fit
    codec = (
        pretrained_codec(settings.pretrained) if settings.pretrained else fit(train, settings.codec)
    )
    labels, encoded = LabelCodec("multiclass", names), {}
    for name, rows in rows_by_part.items():
        reader = InMemoryReader(
            [contents[row] for row in rows], [names[places[row]] for row in rows]
        )
        encoded[name] = encode(
            reader.examples(), codec, labels, settings.data.max_length, ("examples",)
        )
    # Without a validation part the network is validated on the training part.
    return LabelledParts({"validation": encoded["train"], **encoded}, codec, labels, ("examples",))
