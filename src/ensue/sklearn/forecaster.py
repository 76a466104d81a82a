"""The verb `forecast` as an estimator."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_array, check_is_fitted

from ensue.data.contract import Finding, Listener
from ensue.data.series.backtest import describe
from ensue.data.series.panel import Panel, SeriesSettings
from ensue.data.tables.series import build_panel
from ensue.data.tables.sources import Source, read_frame
from ensue.evaluation.forecasting.conformal import LEVELS
from ensue.settings import to_plain
from ensue.sklearn.estimator import Saved, as_scikit_learn_says, keep_run
from ensue.sklearn.parameters import seed_of, with_usual_budget
from ensue.tasks import Choices
from ensue.tasks.forecast import FORECAST
from ensue.tasks.forecast.data import lay_out_panel
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.tasks.forecast.trained import SeriesForecast, as_frame
from ensue.tasks.forecast.training import train_forecaster
from ensue.training.contract import Callback, Note
from ensue.training.folder.run import Run


@dataclass(eq=False, repr=False)
class Forecaster(Saved, RegressorMixin, BaseEstimator):
    """Learn how series go on.

    `fit(series)` takes numbers (steps,), several of them a step (steps, channels), a list of such
    series, or a data frame as `ensue train forecast` reads it. `fit(X, y)` takes columns X whose
    future is known, (steps, columns), perhaps none, and one series y; then `predict(X)` forecasts
    the steps that follow those of training, so that cross-validation by TimeSeriesSplit works: X of
    the part that is scored goes on where training ended.

    `model` and `size` are named as after `ensue train forecast`. Models that are fitted learn anew
    from everything once intervals are set; networks leave the steps out that these are set on,
    unless `settings` has "refit=1".
    """

    model: str | None = None
    _: KW_ONLY
    horizon: int | None = None
    season: int | None = None
    size: Any = None
    epochs: int | None = None
    settings: Sequence[str] = ()
    random_state: Any = 0

    def fit(self, X: Any, y: Any = None) -> Forecaster:
        """Learn from series. Raises ValueError for what cannot be learned from.

        Sets `form_`: what X was, "one" series, "several", or the library of a "frame"; `horizon_`;
        and `notes_`. What a person should know of how a data frame was read is a warning too.
        """
        with as_scikit_learn_says():
            findings: list[Finding] = []
            sources, columns, self.form_ = _sources(X, y, Listener(findings.append))
            settings = self._settings(columns, sources[0].steps)
            panel = build_panel(sources, settings.data, Listener(findings.append))
        about = {"task": "forecast", "sources": [], "settings": to_plain(settings)}

        def learn(run: Run, watch: Callback) -> None:
            prepared = lay_out_panel(run, settings, panel, {})
            for finding in findings:
                watch(Note(str(finding)))
            watch(Note(describe(prepared.panel, prepared.layout, prepared.short)))
            train_forecaster(run, settings, [], watch)

        self.run_ = keep_run(about, learn)
        for finding in findings:
            warnings.warn(
                str(replace(finding, hint=None)), stacklevel=2
            )  # what mends it is said in flags
        prepared = self.run_.opened.prepared
        self.horizon_ = prepared.layout.horizon
        least = prepared.layout.min_context
        if self.form_ == "several" and (
            short := [one for one in prepared.short.series if len(one) < least]
        ):
            what = (
                f"series {short[0].name} has {len(short[0])} steps, of which no forecast can "
                f"be made: give {least}"
            )
            raise ValueError(what)
        return self

    def predict(self, X: Any = None) -> Any:
        """Give the mean of the next steps, (steps,) or (steps, channels), a list of such, or a data
        frame.

        X is how many, the known columns of so many steps, or None for the horizon.
        """
        told = self._told(X)
        return told if not isinstance(told, list) else self._shaped(told, "mean")

    def predict_interval(self, X: Any = None, per_cent: int = 95) -> tuple[Any, Any]:
        """Give the ends of the intervals that hold 80 or 95 per cent of what comes, each shaped
        as by `predict`."""
        if per_cent not in LEVELS:
            raise ValueError(
                f"there are intervals of {' and '.join(map(str, LEVELS))} per cent, not "
                f"of {per_cent}"
            )
        told = self._told(X)
        if not isinstance(told, list):
            raise ValueError("a data frame from predict has the intervals")
        return self._shaped(told, f"lo_{per_cent}"), self._shaped(told, f"hi_{per_cent}")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # The rows of X follow one another, which scikit-learn's checks do not.
        tags.input_tags.two_d_array = False
        tags.target_tags.required = False
        return tags

    def _settings(self, columns: Sequence[str], steps: int) -> ForecastSettings:
        said = {name: getattr(self, name) for name in ("model", "size", "epochs")}
        # What is told of the test is not asked for here: it is as short as it can be.
        own = {
            "backtest.horizon": self.horizon,
            "backtest.test": self.horizon,
            "backtest.season_length": self.season,
        }
        assignments = [f"{name}={value}" for name, value in own.items() if value is not None]
        assignments += [
            "baselines.ridge=false",
            "baselines.statistical=[]",
            *columns,
            *self.settings,
        ]
        choices = Choices(
            [Path("series")], **said, seed=seed_of(self.random_state), assignments=assignments
        )
        settings: Any = FORECAST.propose(choices).settings
        training = with_usual_budget(settings.training, None, max(steps, 100))
        return settings.model_copy(update={"training": training})

    def _told(self, X: Any) -> Any:
        check_is_fitted(self)
        model = self.run_.opened
        with as_scikit_learn_says():
            if X is None or isinstance(X, int | np.integer):
                told = model.forecast(None, self.horizon_ if X is None else int(X))
            else:
                known = check_array(X, ensure_min_features=0)
                told = model.forecast(_with_future(model.prepared.panel, known), len(known))
        return told if self.form_ in ("one", "several") else as_frame(told, self.form_)

    def _shaped(self, told: Sequence[SeriesForecast], figure: str) -> Any:
        # Ids are numbers, in order of the series that were given.
        names = sorted({one.series for one in told}, key=int)
        each = [
            np.stack([one.forecast[figure] for one in told if one.series == name], 1)
            for name in names
        ]
        each = [one[:, 0] if one.shape[1] == 1 else one for one in each]
        return each if self.form_ == "several" else each[0]


def _sources(X: Any, y: Any, listener: Listener) -> tuple[list[Source], list[str], Any]:
    """Give the rows of series, what columns they have, and what form X has."""
    if y is not None:
        known = check_array(X, ensure_min_features=0)
        rows, columns = _rows([y], known)
        return rows, columns, "one"
    if hasattr(X, "columns") or hasattr(X, "column_names"):
        import narwhals

        return (
            [read_frame(X, SeriesSettings(), listener)],
            [],
            str(narwhals.from_native(X, eager_only=True).implementation),
        )
    several = isinstance(X, list | tuple) and bool(X) and np.ndim(X[0]) > 0
    rows, columns = _rows(X if several else [X], None)
    return rows, columns, "several" if several else "one"


def _rows(series: Iterable[Any], known: Any) -> tuple[list[Source], list[str]]:
    """Give the rows of series of as many channels each, and what their columns are, as after
    `--set`."""
    rows: list[tuple[str, dict[str, Any]]] = []
    targets: list[str] = []
    beside = np.zeros((0, 0)) if known is None else known
    names = [f"x{place}" for place in range(beside.shape[1])]
    for number, one in enumerate(series):
        values = np.asarray(one, np.float64)
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2:
            raise ValueError(
                f"series {number} has the shape {np.shape(one)}, which is no (steps,) or "
                f"(steps, channels)"
            )
        if known is not None and len(known) != len(values):
            raise ValueError(f"X has {len(known)} rows for the {len(values)} steps of y")
        if number and len(targets) != values.shape[1]:
            raise ValueError(
                f"series {number} has {values.shape[1]} numbers a step, and those before "
                f"{len(targets)}"
            )
        targets = [f"y{place}" for place in range(values.shape[1])]
        for step, value in enumerate(values.tolist()):
            row = {"unique_id": str(number), "ds": step, **dict(zip(targets, value, strict=True))}
            row |= dict(zip(names, beside[step].tolist(), strict=True)) if names else {}
            rows.append((f"series {number}, step {step}", row))
    columns = {"target": targets, "known_covariates": names, "id": "unique_id", "time": "ds"}
    return [Source("series", rows)], [
        f"data.{name}={json.dumps(value)}" for name, value in columns.items()
    ]


def _with_future(panel: Panel, known: Any) -> Panel:
    """Put known columns after the end of the one series."""
    if known.shape[1] != len(panel.known):
        raise ValueError(
            f"X has {known.shape[1]} columns where it had {len(panel.known)} in training"
        )
    one = panel.series[0]
    return panel.with_series([replace(one, known=np.concatenate([one.known[: len(one)], known]))])
