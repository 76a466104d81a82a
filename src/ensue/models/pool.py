"""A mixture of fitted models: a linear opinion pool (Stone 1961), p(y) = sum_m weight_m p_m(y).

Its weights maximise the likelihood of the validation part. As few models as possible are members:
the fewest whose loss there is not noticeably above that of the mixture of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ensue.batch import select_named
from ensue.errors import RunError
from ensue.models.parameters import join_arrays
from ensue.settings import Settings

Nats = NDArray[np.float64]
WEIGHTS = "weights"
"""Name of the weights among the arrays of a pool."""
FLOOR = -30.0
"""Least log-likelihood of a target: one that a model holds for impossible would outweigh all."""
ITERATIONS, CONVERGED = 1000, 1e-7
"""Limits of the fit: its iterations, and the change of a weight below which it ends."""
EVIDENCE = 3.0
"""Least difference of two log-likelihoods that decides: "strong" for Kass & Raftery (1995)."""
SIGNIFICANT = 0.05
"""Level of the test that a model is worse than the best one."""
ROUNDED = 1e-6
"""Loss in nats by which fits of the same mixture may differ."""
HINT = "use the arrays of its training"
EXACT = 1e-6
"""Tolerated error of the sum of saved weights."""


class MixtureSettings(Settings):
    """Settings of the choice of the run's model: one of those that were fitted, or a mixture."""

    use: Literal["auto", "always", "never"] = "auto"
    """auto: the model that is best on the validation part, which may be a mixture; always: a
    mixture; never: `model`."""
    gain: float = Field(0.001, ge=0)
    """Least gain of a mixture in nats on the validation part, over each of its members."""


class Pool:
    """Fitted models, and the weight of each: p(y) = sum_m weights_m p_m(y).

    `weights` are (members, columns); a column is a step of a forecast, and all else has one.
    `extra` holds further arrays that a verb needs to predict with the pool. Those that are loaded
    must have the shapes that these have.
    """

    def __init__(
        self,
        members: Sequence[Any],
        weights: Nats | None = None,
        extra: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        self.members = tuple(members)
        even = np.full((len(self.members), 1), 1 / len(self.members))
        self.weights = even if weights is None else weights
        self.extra = dict(extra or {})

    @property
    def parameter_count(self) -> int:
        """Number of fitted parameters, those of all members included."""
        return sum(one.parameter_count for one in self.members) + self.weights.size

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the arrays of all members, each with its number before its name, and its own."""
        return {WEIGHTS: self.weights, **self.extra, **join_arrays(enumerate(self.members))}

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Load what `arrays` returned.

        Raises RunError if a name or shape does not fit, or the weights are no distribution.
        """
        rest = dict(arrays)
        for number, one in enumerate(self.members):
            own = select_named(arrays, f"{number}.")
            one.load({name: rest.pop(f"{number}.{name}") for name in own})
        shapes = {name: one.shape for name, one in {WEIGHTS: self.weights, **self.extra}.items()}
        if {name: one.shape for name, one in rest.items()} != shapes:
            raise RunError("the saved mixture has other members", hint=HINT)
        weights = np.array(rest.pop(WEIGHTS), np.float64)
        if weights.min() < 0 or np.abs(weights.sum(0) - 1).max() > EXACT:
            raise RunError("the saved weights of the mixture are not a distribution", hint=HINT)
        self.weights, self.extra = weights, {name: np.array(one) for name, one in rest.items()}


@dataclass(frozen=True)
class Choice:
    """The members of a pool, or the one model that is as good, by their numbers."""

    members: tuple[int, ...]
    weights: Nats
    """(members, columns)."""
    nats: float
    """Mean loss on the validation part."""
    alone: float
    """Mean loss of the best model alone."""
    mixed: float
    """Mean loss of the mixture of all models."""
    best: int
    """Number of the best model alone."""


class Held(Protocol):
    """Predictions of several models on the validation part."""

    count: int
    """Number of models."""
    fewest_units: int
    """Independent units below which nothing is chosen, and all models are members."""
    evidence: float
    """Least difference of two total losses that decides; 0 for losses that are no likelihood."""

    def fit(self, members: Sequence[int]) -> Nats:
        """Fit the weights (members, columns) of a mixture of some models."""
        ...

    def losses(self, members: Sequence[int], weights: Nats) -> Nats:
        """Compute the loss of the mixture for each target, (items, columns)."""
        ...


class Likelihoods:
    """Log-likelihoods of the targets, whose linear pool has the loss -log p."""

    fewest_units, evidence = 0, EVIDENCE

    def __init__(self, each: Sequence[Nats]) -> None:
        self.count = len(each)
        self._logs = np.stack([np.maximum(one, FLOOR).reshape(len(one), -1) for one in each])

    def fit(self, members: Sequence[int]) -> Nats:
        """Fit the weights of a mixture of some models."""
        return fit_weights(self._logs[list(members)])

    def losses(self, members: Sequence[int], weights: Nats) -> Nats:
        """Compute the nats of each target."""
        return mix_nats(self._logs[list(members)], weights)


def choose_members(held: Held, units: NDArray[np.int64], settings: MixtureSettings) -> Choice:
    """Choose the model that is best on the validation part, or the members of a mixture.

    `units` numbers the independent units that items belong to. The smallest choice is taken that is
    not worse than the mixture of all models by more than one standard error of the paired
    difference (Breiman et al. 1984, section 3.4.3), or by less than the gain of the settings. With
    too few units to tell, all models are members that are not significantly worse than the best.
    """
    members = tuple(range(held.count))
    weights = held.fit(members)
    one = np.ones((1, weights.shape[1]))
    everything, alone = held.losses(members, weights), [held.losses((n,), one) for n in members]
    exceeds = partial(_exceeds, units=units, gain=settings.gain, evidence=held.evidence)
    best, own = int(np.argmin([losses.mean() for losses in alone])), held.count - 1
    # The last model is that of the settings: another one needs evidence against it.
    if held.evidence and not exceeds(alone[own], alone[best]):
        best = own
    means = float(alone[best].mean()), float(everything.mean())
    loss, few = means[1], len(np.unique(units)) < held.fewest_units and len(members) > 1
    if few and settings.use != "always":
        members = tuple(n for n in members if not _is_worse(alone[n], alone[best], units))
        weights = held.fit(members)
        loss = float(held.losses(members, weights).mean())
    if few:
        return Choice(members, weights, loss, *means, best)
    single = settings.use != "always" or len(members) == 1
    if single and not exceeds(alone[best], everything):
        return Choice((best,), one, means[0], *means, best)
    while len(members) > 2:
        least = int(weights.max(1).argmin())
        fewer = members[:least] + members[least + 1 :]
        less = held.fit(fewer)
        of_fewer = held.losses(fewer, less)
        if of_fewer.mean() > max(means) + ROUNDED or exceeds(of_fewer, everything):
            break
        members, weights, loss = fewer, less, float(of_fewer.mean())
    return Choice(members, weights, loss, *means, best)


def _is_worse(losses: Nats, reference: Nats, units: NDArray[np.int64]) -> bool:
    """Whether losses are higher than the reference by a one-sided paired t-test at 5 %."""
    from scipy.special import stdtrit

    numbers = np.unique(units, return_inverse=True)[1]
    excess = np.bincount(numbers, (losses - reference).sum(1))
    count = len(excess)
    if count < 2:
        return False  # a single unit shows no spread
    error = excess.std(ddof=1) / np.sqrt(count)
    return bool(excess.mean() > stdtrit(count - 1, 1 - SIGNIFICANT) * error)


def fit_weights(logs: Nats) -> Nats:
    """Fit weights (members, columns) to log-likelihoods (members, items, columns).

    Expectation maximisation (Dempster, Laird & Rubin 1977): the likelihood is concave in the
    weights, and rises with each iteration.

    >>> fit_weights(np.log([[[0.9], [0.9]], [[0.1], [0.1]]])).round(3).ravel().tolist()
    [1.0, 0.0]
    """
    shares = np.exp(logs - logs.max(0))
    weights = np.full((len(logs), logs.shape[2]), 1 / len(logs))
    for _ in range(ITERATIONS):
        joint = weights[:, None] * shares
        new = (joint / joint.sum(0)).mean(1)
        done = np.abs(new - weights).max() < CONVERGED
        weights = new
        if done:
            break
    return weights


def mix_nats(logs: Nats, weights: Nats) -> Nats:
    """Compute the nats of each target, (items, columns), in a mixture."""
    most = logs.max(0)
    return -np.log((weights[:, None] * np.exp(logs - most)).sum(0)) - most


def _exceeds(
    nats: Nats, reference: Nats, units: NDArray[np.int64], gain: float, evidence: float
) -> bool:
    """Whether a loss exceeds the reference by more than the gain and one standard error.

    The total has to exceed the evidence too: a few targets show less spread than there is.
    """
    numbers = np.unique(units, return_inverse=True)[1]
    excess = np.bincount(numbers, (nats - reference).sum(1))
    if len(excess) < 2:
        return False  # a single unit shows no spread
    error = excess.std(ddof=1) * np.sqrt(len(excess)) / nats.size
    return bool(excess.sum() > evidence and (nats - reference).mean() > max(gain, error))
