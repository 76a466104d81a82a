"""Forecaster: the task `forecast` as a scikit-learn estimator."""

from __future__ import annotations

import json
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_array, check_is_fitted

from ensue.data.contract import Finding, Listener
from ensue.data.series.forecasts import SeriesForecast, as_frame
from ensue.data.series.panel import Panel, SeriesSettings
from ensue.data.tables.series import build_panel
from ensue.data.tables.series_rows import Places
from ensue.data.tables.sources import Source, read_frame
from ensue.evaluation.forecasting.conformal import LEVELS
from ensue.settings import to_plain
from ensue.sklearn.estimator import RunMixin, train_run, user_errors_as_value_errors
from ensue.sklearn.parameters import get_choices, with_default_budget
from ensue.tasks.forecast.data import read_into
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.tasks.forecast.task import TASK
from ensue.training.contract import Callback
from ensue.training.folder.run import Run


@dataclass(eq=False, repr=False)
class Forecaster(RunMixin, RegressorMixin, BaseEstimator):
    """Forecaster of numeric series.

    `fit(series)` takes an array (steps,) or (steps, channels), a list of such arrays, or a data
    frame as `ensue train forecast` reads it. `fit(X, y)` takes one series y and known covariates X,
    (steps, columns), perhaps without columns. Then `predict(X)` forecasts the steps that follow the
    training data. This suits cross-validation with TimeSeriesSplit, where the X to score continues
    the X of training.

    `model` and `size` have the names of `ensue train forecast`. Models in closed form are refitted
    on all steps after the intervals are calibrated. Networks leave out the calibration part, unless
    `settings` has "refit=1".
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
        """Fit on series. Raises ValueError for invalid X or y.

        Sets `horizon_`, `notes_`, and `form_`: "one", "several", or the library of a data frame.
        Notes on how a data frame was read are also warnings.
        """
        with user_errors_as_value_errors():
            findings: list[Finding] = []
            sources, columns, self.form_ = _make_sources(X, y, Listener(findings.append))
            settings = self._settings(columns, sources[0].steps)
            panel = build_panel(sources, settings.data, Listener(findings.append))
        about = {"task": "forecast", "sources": [], "settings": to_plain(settings)}

        def train(run: Run, on_event: Callback) -> None:
            read_into(run, settings, panel, findings)
            TASK.train(run, settings, [], on_event)

        self.run_ = train_run(about, train)
        for finding in findings:
            # Hints name flags of the command line, which an estimator has not.
            warnings.warn(str(replace(finding, hint=None)), stacklevel=2)
        prepared = self.run_.opened.prepared
        self.horizon_ = prepared.layout.horizon
        min_context = prepared.layout.min_context
        if self.form_ == "several" and (
            short := [one for one in prepared.short.series if len(one) < min_context]
        ):
            what = f"series {short[0].name} has {len(short[0])} steps, too few for a forecast"
            raise ValueError(f"{what}; give {min_context} or more")
        return self

    def predict(self, X: Any = None) -> Any:
        """Predict the mean of the next steps, of the form that `fit` was given.

        X is the number of steps, the known covariates of these steps, or None for the horizon. A
        data frame also has the intervals.
        """
        forecasts = self._forecast(X)
        return forecasts if not isinstance(forecasts, list) else self._reshape(forecasts, "mean")

    def predict_interval(self, X: Any = None, per_cent: int = 95) -> tuple[Any, Any]:
        """Predict both ends of intervals with 80 or 95 % coverage, each shaped as by `predict`."""
        if per_cent not in LEVELS:
            levels = " and ".join(map(str, LEVELS))
            raise ValueError(f"per_cent is {per_cent}, and has to be one of {levels}")
        forecasts = self._forecast(X)
        if not isinstance(forecasts, list):
            raise ValueError(
                "there are no separate intervals of a data frame; use those of predict"
            )
        return self._reshape(forecasts, f"lo_{per_cent}"), self._reshape(
            forecasts, f"hi_{per_cent}"
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # The rows of X are consecutive steps; those of scikit-learn's checks are not.
        tags.input_tags.two_d_array = False
        tags.target_tags.required = False
        return tags

    def _settings(self, columns: Sequence[str], steps: int) -> ForecastSettings:
        # An estimator has no report, so the test is as short as possible, with few baselines.
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
        names = ("model", "size", "epochs")
        choices = get_choices(self, names, data=[Path("series")], assignments=assignments)
        settings: Any = TASK.propose(choices).settings
        training = with_default_budget(settings.training, None, max(steps, 100))
        return settings.model_copy(update={"training": training})

    def _forecast(self, X: Any) -> Any:
        check_is_fitted(self)
        model = self.run_.opened
        with user_errors_as_value_errors():
            if X is None or isinstance(X, int | np.integer):
                forecasts = model.forecast(None, self.horizon_ if X is None else int(X))
            else:
                known = check_array(X, ensure_min_features=0)
                forecasts = model.forecast(_append_known(model.prepared.panel, known), len(known))
        return forecasts if self.form_ in ("one", "several") else as_frame(forecasts, self.form_)

    def _reshape(self, forecasts: Sequence[SeriesForecast], column: str) -> Any:
        """Shape one column of forecasts as the series that `fit` was given."""
        # Ids are numbers, in the order of the series of `fit`.
        names = sorted({one.series for one in forecasts}, key=int)
        arrays = [
            np.stack([one.forecast[column] for one in forecasts if one.series == name], 1)
            for name in names
        ]
        arrays = [one[:, 0] if one.shape[1] == 1 else one for one in arrays]
        return arrays if self.form_ == "several" else arrays[0]


def _make_sources(X: Any, y: Any, listener: Listener) -> tuple[list[Source], list[str], Any]:
    """Convert X and y to rows, assignments that name their columns, and the form of X."""
    if y is not None:
        known = check_array(X, ensure_min_features=0)
        rows, columns = _make_rows([y], known)
        return rows, columns, "one"
    if hasattr(X, "columns") or hasattr(X, "column_names"):
        import narwhals

        return (
            [read_frame(X, SeriesSettings(), listener)],
            [],
            str(narwhals.from_native(X, eager_only=True).implementation),
        )
    several = isinstance(X, list | tuple) and bool(X) and np.ndim(X[0]) > 0
    rows, columns = _make_rows(X if several else [X], None)
    return rows, columns, "several" if several else "one"


def _make_rows(series: Iterable[Any], known: Any) -> tuple[list[Source], list[str]]:
    """Make the rows of series, and the assignments (as after `--set`) that name their columns."""
    cells: defaultdict[str, list[Any]] = defaultdict(list)
    places: list[str] = []
    targets: list[str] = []
    covariates = np.zeros((0, 0)) if known is None else known
    names = [f"x{place}" for place in range(covariates.shape[1])]
    for number, one in enumerate(series):
        values = np.asarray(one, np.float64)
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2:
            raise ValueError(
                f"series {number} has the shape {np.shape(one)}, and has to be (steps,) or "
                f"(steps, channels)"
            )
        if known is not None and len(known) != len(values):
            raise ValueError(f"X has {len(known)} rows for the {len(values)} steps of y")
        if number and len(targets) != values.shape[1]:
            raise ValueError(
                f"series {number} has {values.shape[1]} channels, and has to have {len(targets)} "
                f"as the others"
            )
        targets = [f"y{place}" for place in range(values.shape[1])]
        cells["unique_id"] += len(values) * [str(number)]
        cells["ds"] += range(len(values))
        measured = np.hstack([values, covariates[: len(values)]]) if names else values
        for name, column in zip([*targets, *names], measured.T.tolist(), strict=True):
            cells[name] += column
        places += [f"series {number}, step {step}" for step in range(len(values))]
    columns = {"target": targets, "known_covariates": names, "id": "unique_id", "time": "ds"}
    return [Source("series", cells, Places("", np.array(places)))], [
        f"data.{name}={json.dumps(value)}" for name, value in columns.items()
    ]


def _append_known(panel: Panel, known: Any) -> Panel:
    """Append the known covariates of future steps to the only series."""
    if known.shape[1] != len(panel.known):
        raise ValueError(
            f"X has {known.shape[1]} columns, and has to have {len(panel.known)} as in training"
        )
    one = panel.series[0]
    return panel.with_series([replace(one, known=np.concatenate([one.known[: len(one)], known]))])
