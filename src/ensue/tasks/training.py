"""The contract of a training: what a verb has of its own. Read this page before adding a verb."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from time import perf_counter
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ensue.atomic_io import format_errors
from ensue.data.feeds import ExampleFeed
from ensue.evaluation.scores import Measured, Score
from ensue.models.contract import Predictor
from ensue.models.names import Models, name_model
from ensue.models.pool import Held, Likelihoods, Pool, choose_members
from ensue.settings import Settings, read_stored, to_plain
from ensue.tasks.cached import DataSource
from ensue.tasks.fitting import Budget, Fitted, fit_baselines, mean_nats
from ensue.tasks.held import describe_choice
from ensue.tasks.results import Report, diagnose_labels
from ensue.training.contract import Callback, Feed, Working
from ensue.training.folder.run import Run


class Data(Protocol):
    """The data of a run: the training part and all others."""

    @property
    def codecs(self) -> dict[str, Any]:
        """The codecs as plain JSON values."""
        ...

    def sample(self, every: int) -> Self:
        """Select one in `every` examples of each part."""
        ...


D = TypeVar("D", bound=Data)


@dataclass(frozen=True)
class HeldOut:
    """Score of a model on the validation part, for the choice of the run's model."""

    values: NDArray[np.float64]
    """What `compare` takes: by default the log-likelihood of each target, (items,)."""
    units: NDArray[np.int64]
    """Number of the independent unit that each item belongs to, such as its group or sentence."""
    losses: NDArray[np.float64] | None = None
    """Losses that people look at: the errors of examples or words."""

    def is_worse(self, other: HeldOut) -> bool:
        """Whether the losses are higher by more than two standard errors of the difference."""
        if self.losses is None or other.losses is None:
            return False
        excess = self.losses - other.losses
        return bool(excess.mean() > 2 * excess.std() / np.sqrt(len(excess)))


Baseline = tuple[Fitted, Score | None]
"""A baseline, with its score unless it is scored with the other models at the end."""


class Training(ABC, Generic[D]):
    """What the training of a task has of its own; `train` does the rest.

    The settings of the task have the fields seed, data, model and training. With a field mixture,
    the run's model is chosen among all that are fitted, by `held_out`. A model is anything with
    `loss(batch)`, `parameter_count`, `arrays` and `load`: a Predictor, an Autoregressive, a
    StepModel.
    """

    source: ClassVar[DataSource[Any, Any]]
    """How the data is read."""
    models: ClassVar[Models]

    report: ClassVar[Report]
    """What is its own in the summary and the model card."""

    largest_reserve: ClassVar[float] = inf
    """Largest share of the minutes for what comes after the training."""
    loss: ClassVar[str] = "nats per target"
    """The loss by which models and mixtures are compared on the validation part."""

    def commands(self, settings: Any, scores: Sequence[Score]) -> dict[str, list[str]]:
        """Flags that train each model alone, by its name in the table of results."""
        mixes = "mixture" in type(settings).model_fields
        own = {name_model(settings.model): ["--set", "mixture.use=never"]} if mixes else {}
        closed = self.models.closed_form.items()
        return own | {name_model(one): ["--model", name] for name, one in closed}

    def resolve(self, settings: Any, data: D, on_event: Callback) -> Any:
        """Fill in the settings that depend on the data, and report them."""
        return settings

    def baselines(self, settings: Any, data: D, on_event: Callback) -> list[Settings]:
        """Choose the baselines that suit the data, other than the run's own model."""
        return [one for one in self.models.closed_form.values() if one != settings.model]

    def fit_baselines(
        self, run: Run, settings: Any, data: D, budget: Budget, on_event: Callback
    ) -> tuple[list[Baseline], tuple[str, ...]]:
        """Fit and score the baselines within their share of the time, and note what it excludes.

        A resumed run fits those of before: its clock must not decide what is in a mixture.
        """
        candidates = {name_model(one): one for one in self.baselines(settings, data, on_event)}
        fit_one = partial(_fit_baseline, self, settings, data, on_event)
        if before := run.about.get("baselines"):
            on_event(Working("fitting the baselines"))
            kind, where = type(settings), str(run.path / "run.toml")
            with format_errors(where):
                notes = tuple(map(str, before["notes"]))
                stored = [
                    read_stored(kind, to_plain(settings) | {"model": one}, where)
                    for name, one in before["fitted"].items()
                    if name in candidates
                ]
            return [fit_one(one.model, 1) for one in stored], notes
        found, notes = fit_baselines(
            candidates, fit_one, self.count_examples(data), budget, on_event
        )
        fitted = {name: to_plain(one.settings.model) for name, (one, _) in found.items()}
        run.describe({"baselines": {"fitted": fitted, "notes": [*notes]}})
        return [*found.values()], notes

    @abstractmethod
    def build(self, settings: Any, data: D) -> Any:
        """Build the model of `settings`: a network with its first weights, or what is fitted."""

    def fit(self, settings: Any, data: Any, on_event: Callback) -> Fitted:
        """Fit the model of `settings` in closed form, and select on the validation part."""
        began, model = perf_counter(), self.build(settings, data)
        selected = model.fit(data["train"], data["validation"])
        return Fitted(model, perf_counter() - began, selected or ())

    def start(self, run: Run, settings: Any, network: Any, data: D, on_event: Callback) -> None:
        """Change the first weights of a network, unless the run is resumed."""

    def fits(self, data: D) -> int:
        """Count how often a network is fitted, at most; a backtest may refit it."""
        return 1

    def feed(self, settings: Any, data: Any) -> Feed:
        """Make the training batches of a network."""
        return ExampleFeed(data["train"], settings.training.batching.batch_size, settings.seed)

    def sample(self, run: Run, network: Any, data: D) -> tuple[str, float] | None:
        """Show what a network generates during its training, with its nats."""
        return None

    def validate(self, run: Run, model: Predictor, settings: Any, data: Any) -> float:
        """Compute the validation loss: nats per target."""
        return mean_nats(model, data["validation"], settings.training.batching.batch_size)

    def size(self, data: Any) -> tuple[int, str]:
        """Count the training part, and name the unit."""
        return len(data["train"]), "examples"

    def count_examples(self, data: D) -> int:
        """Count the examples of the training part, of which `sample` takes one in so many."""
        return self.size(data)[0]

    def calibrate(self, fitted: Fitted, data: D) -> Any:
        """Fit a calibration on the part for it; None for a task without one."""

    def chooses(self, settings: Any) -> bool:
        """Whether the run's model is chosen among all that are fitted."""
        return "mixture" in type(settings).model_fields and settings.mixture.use != "never"

    def held_out(self, fitted: Fitted, data: D) -> HeldOut:
        """Score the validation part with a model that has not learned from it."""
        raise NotImplementedError

    def compare(self, scored: Sequence[HeldOut]) -> Held:
        """Prepare the comparison of models and their mixtures."""
        return Likelihoods([one.values for one in scored])

    def mix(self, members: Sequence[Fitted], weights: Any, data: D) -> Any:
        """Make the mixture of several models."""
        return Pool([one.model for one in members], weights)

    def combine(
        self,
        run: Run,
        settings: Any,
        fitted: Fitted,
        baselines: Sequence[Fitted],
        data: D,
        on_event: Callback,
    ) -> Fitted:
        """Choose the run's model on the validation part: the best of all, or their mixture.

        It is the fitted one itself where nothing is chosen.
        """
        if not baselines or not self.chooses(settings):
            return fitted
        on_event(Working("choosing the model on the validation part"))
        models = [*baselines, fitted]
        scored = [self.held_out(one, data) for one in models]
        found = choose_members(self.compare(scored), scored[0].units, settings.mixture)
        members = tuple(models[number] for number in found.members)
        names, best = [one.name for one in members], models[found.best]
        if len(members) == 1:
            return replace(best, selected=(describe_choice(names, found, self.loss),))
        mixture = self.mix(members, found.weights, data)
        seconds = sum(one.seconds for one in members)
        mixed = replace(best, model=mixture, seconds=seconds, title="mixture", members=members)
        # Nats may gain where the errors that the table shows do not.
        worse = self.held_out(mixed, data).is_worse(scored[found.best])
        if worse and settings.mixture.use == "auto":
            return replace(best, selected=(describe_choice([best.name], found, self.loss),))
        return replace(
            mixed, settings=settings, selected=(describe_choice(names, found, self.loss),)
        )

    def rehearse(
        self,
        run: Run,
        settings: Any,
        data: D,
        baselines: Sequence[Fitted],
        network: Predictor,
        every: int,
    ) -> None:
        """Do what follows the training on one in `every` examples, to time it."""
        data, fitted = data.sample(every), Fitted(network, 0.0, settings=settings)
        models = [fitted]
        if baselines and self.chooses(settings):
            members = (*baselines, fitted)
            for one in members:
                self.held_out(one, data)
            model = self.mix(members, None, data)
            models.append(replace(fitted, model=model, title="mixture", members=members))
        for one in models:
            calibration, predicted = self.calibrate(one, data), self.predict(one, data)
            self.score(one, data, predicted, calibration)
            if one is models[-1]:
                self.measure(self.trained(run, one, data, calibration), data, predicted)

    def predict(self, fitted: Fitted, data: D) -> Any:
        """Predict the test part, before calibration."""

    def predict_each(
        self, run: Run, models: Sequence[Fitted], data: D, budget: Budget, on_event: Callback
    ) -> list[Any]:
        """Predict the same test part with several models."""
        on_event(Working("scoring the test part"))
        return [self.predict(one, data) for one in models]

    @abstractmethod
    def score(self, fitted: Fitted, data: D, predicted: Any, calibration: Any) -> Measured:
        """Measure a model by its predictions of the test part."""

    @abstractmethod
    def trained(self, run: Run, fitted: Fitted, data: D, calibration: Any) -> Any:
        """Make of a fitted model what the person uses."""

    def measure(self, trained: Any, data: D, predicted: Any) -> dict[str, Any]:
        """Measure the details of the result on the test part."""
        return {}

    def finish(self, trained: Any, fitted: Fitted, data: D, predicted: Any) -> Any:
        """Do what is left once the model is scored, and return the trained model."""
        return trained

    def diagnose(
        self, run: Run, data: D, scores: Sequence[Score], details: Mapping[str, Any]
    ) -> list[str]:
        """Describe each probable fault of the training, with its fix."""
        return diagnose_labels(run, scores)

    def selected(self, trained: Any) -> tuple[str, ...]:
        """Say what was selected after the training, and on which part."""
        return ()


def _fit_baseline(
    verb: Training[D], settings: Any, data: D, on_event: Callback, model: Any, every: int
) -> Baseline:
    """Fit and score a baseline on one in `every` examples."""
    data = data if every == 1 else data.sample(every)
    settings = settings.model_copy(update={"model": model})
    fitted = verb.fit(settings, data, on_event)
    fitted = replace(fitted, settings=fitted.settings or settings)
    calibration, predicted = (one(fitted, data) for one in (verb.calibrate, verb.predict))
    return fitted, fitted.score(verb.score(fitted, data, predicted, calibration))
